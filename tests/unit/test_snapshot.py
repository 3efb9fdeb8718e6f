"""RuntimeConfig: deltas lead to what a full build gives; masks patch; event splitting is lossless."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deployments.lanes.sse import EventSplitter
from voyager_llm.definitions.compiler import compile_model
from voyager_llm.definitions.patch import patched
from voyager_llm.domain.definition import Kind
from voyager_llm.domain.model import ModelDefinition
from voyager_llm.errors import InvalidArgument
from voyager_llm.snapshot import Change, Delta, RuntimeConfig, SnapshotCell

NAMES = st.sampled_from(["a", "b", "c", "d"])


def change(name: str, tokens: int | None) -> Change:
    if tokens is None:
        return Change(Kind.MODEL, name, "", None)
    definition = ModelDefinition.model_validate(
        {"name": name, "provider": "openai", "model_name": "gpt-4", "parameters": {"max_tokens": tokens}}
    )
    return Change(Kind.MODEL, name, f"digest-{tokens}", compile_model(definition))


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(NAMES, st.one_of(st.none(), st.integers(1, 9))), max_size=30))
def test_deltas_lead_where_a_full_build_does(steps: list[tuple[str, int | None]]) -> None:
    config = RuntimeConfig()
    final: dict[str, int] = {}
    for version, (name, tokens) in enumerate(steps, start=1):
        config = config.apply(Delta(config.version, version, (change(name, tokens),)))
        if tokens is None:
            final.pop(name, None)
        else:
            final[name] = tokens
    whole = RuntimeConfig().apply(Delta(0, len(steps), tuple(change(n, t) for n, t in final.items())))
    assert config.digest() == whole.digest()
    assert dict(config.models) == dict(whole.models)


def test_a_pinned_snapshot_never_changes() -> None:
    cell = SnapshotCell()
    cell.apply(Delta(0, 1, (change("a", 1),)))
    pinned = cell.current
    assert cell.apply(Delta(1, 2, (change("a", None),)))
    assert "a" in pinned.models
    assert "a" not in cell.current.models


def test_a_gap_is_noticed_and_an_old_delta_ignored() -> None:
    cell = SnapshotCell()
    cell.apply(Delta(0, 5, (change("a", 1),)))
    assert not cell.apply(Delta(7, 8, (change("b", 1),)))
    assert cell.apply(Delta(3, 4, (change("a", None),)))
    assert "a" in cell.current.models
    with pytest.raises(ValueError, match="starts at version 7"):
        cell.current.apply(Delta(7, 8, ()))


@pytest.mark.parametrize(
    ("mask", "expected"),
    [
        ([], {"a": {"x": 9}, "b": 3}),
        (["a.x"], {"a": {"x": 9, "y": 2}, "b": 3}),
        (["b"], {"a": {"x": 1, "y": 2}}),
        (["a"], {"a": {"x": 9}, "b": 3}),
        (["c.d"], {"a": {"x": 1, "y": 2}, "b": 3, "c": {}}),
    ],
)
def test_a_mask_says_which_fields_count(mask: list[str], expected: dict[str, Any]) -> None:
    before = {"a": {"x": 1, "y": 2}, "b": 3}
    assert patched(before, {"a": {"x": 9}}, mask) == expected
    assert before == {"a": {"x": 1, "y": 2}, "b": 3}


def test_a_mask_through_a_scalar_is_refused() -> None:
    with pytest.raises(InvalidArgument, match="no fields"):
        patched({"a": 1}, {"a": {"b": 2}}, ["a.b"])


EVENTS = st.lists(st.text(alphabet=st.characters(blacklist_characters="\r\n", blacklist_categories=("Cs",)),
                          min_size=1, max_size=40).filter(lambda t: t.strip() == t), max_size=12)  # fmt: skip


@settings(max_examples=200, deadline=None)
@given(EVENTS, st.lists(st.integers(1, 30), min_size=1, max_size=20), st.sampled_from(["\n", "\r\n"]))
def test_events_survive_any_cutting(payloads: list[str], cuts: list[int], newline: str) -> None:
    raw = "".join(f"data: {payload}{newline}{newline}" for payload in payloads).encode()
    splitter = EventSplitter()
    found: list[bytes] = []
    position = 0
    for i in range(len(raw) + 1):
        size = cuts[i % len(cuts)]
        found += splitter.feed(raw[position : position + size])
        position += size
        if position >= len(raw):
            break
    assert [f.decode() for f in found] == [p.strip() for p in payloads]
