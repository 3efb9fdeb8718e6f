"""Of objects that want one name or alias, one has it, whatever their order; pure, so no cluster is needed."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from controller.calling import aliases_of, decided
from controller.compile import Compiled, compile_cluster
from tests.controller.test_compile import manifest, model, observed, prompt, route
from voyager_llm.definitions.bundle import Bundle, Published
from voyager_llm.definitions.crd.conditions import Reason
from voyager_llm.domain.definition import Kind

OLD, NEW = "2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z"


def compiled(*objects: dict[str, object], last: Bundle | None = None) -> Compiled:
    return compile_cluster(observed(*objects), last or Bundle())


def aliases(result: Compiled, kind: Kind, name: str) -> tuple[str, ...]:
    return aliases_of(result.bundle.by_name[kind, name])


def dated(found: dict[str, object], created: str) -> dict[str, object]:
    metadata = found["metadata"]
    assert isinstance(metadata, dict)
    return {**found, "metadata": {**metadata, "creationTimestamp": created}}


def test_of_two_new_objects_the_older_has_the_alias() -> None:
    young = dated(model("a", aliases=["x", "mine"]), NEW)
    old = dated(model("b", aliases=["x"]), OLD)
    result = compiled(young, old)
    assert aliases(result, Kind.MODEL, "b") == ("x",)
    assert aliases(result, Kind.MODEL, "a") == ("mine",)
    verdict = result.verdicts[Kind.MODEL, "a"]
    assert verdict.accepted
    assert verdict.aliases_message == "ModelDefinition b is called 'x' already"
    assert result.verdicts[Kind.MODEL, "b"].aliases_message == ""


def test_what_was_published_is_taken_by_nobody() -> None:
    """Neither by an older object that asks for it later, nor by a new one of that very name."""
    first = compiled(dated(model("a", aliases=["x"]), NEW))
    objects = [
        dated(model("a", aliases=["x"]), NEW), dated(model("b", aliases=["x"]), OLD), dated(model("x"), OLD),
    ]  # fmt: skip
    result = compiled(*objects, last=first.bundle)
    assert aliases(result, Kind.MODEL, "a") == ("x",)
    assert aliases(result, Kind.MODEL, "b") == ()
    assert (Kind.MODEL, "x") not in result.bundle.by_name
    refused = result.verdicts[Kind.MODEL, "x"]
    assert (refused.accepted, refused.reason) == (False, Reason.NAME_TAKEN)
    assert refused.message == "ModelDefinition a is called 'x' already"


def test_of_new_claims_a_name_goes_before_an_alias() -> None:
    result = compiled(dated(model("a", aliases=["x"]), OLD), dated(model("x"), NEW))
    assert aliases(result, Kind.MODEL, "a") == ()
    assert result.verdicts[Kind.MODEL, "x"].accepted


def test_an_alias_is_free_again_when_its_holder_is_gone() -> None:
    holder, other = dated(model("a", aliases=["x"]), OLD), dated(model("b", aliases=["x"]), NEW)
    before = compiled(holder, other)
    assert aliases(compiled(other, last=before.bundle), Kind.MODEL, "b") == ("x",)


def test_a_prompts_name_in_its_spec_is_its_alias() -> None:
    named = manifest("suggest", {"version": "1.0.0", "template": "x", "name": "suggest_it"})
    assert aliases(compiled(named), Kind.PROMPT, "suggest") == ("suggest_it",)


def test_models_and_routes_are_called_together() -> None:
    result = compiled(dated(model("m", aliases=["x"]), OLD), dated(route("r", "m", aliases=["x", "y"]), NEW))
    assert aliases(result, Kind.MODEL, "m") == ("x",)
    assert aliases(result, Kind.ROUTE, "r") == ("y",)
    assert result.verdicts[Kind.ROUTE, "r"].aliases_message == "ModelDefinition m is called 'x' already"


def test_models_and_prompts_are_called_apart() -> None:
    also = manifest("p", {"version": "1.0.0", "template": "x", "aliases": ["m"]})
    result = compiled(model("m"), prompt("m"), also)
    assert aliases(result, Kind.PROMPT, "p") == ()
    assert result.verdicts[Kind.PROMPT, "p"].aliases_message == "PromptDefinition m is called 'm' already"
    assert result.verdicts[Kind.MODEL, "m"].accepted


def test_a_version_keeps_the_aliases_that_it_was_published_with() -> None:
    """The history knows its content, and content of a version never changes."""
    before = compiled(prompt("p"))
    asked = manifest("p", {"version": "1.0.0", "template": "hi", "aliases": ["x"]})
    same = compiled(asked, last=before.bundle)
    assert aliases(same, Kind.PROMPT, "p") == ()
    assert "raise version" in same.verdicts[Kind.PROMPT, "p"].aliases_message
    raised = manifest("p", {"version": "1.0.1", "template": "hi", "aliases": ["x"]})
    assert aliases(compiled(raised, last=before.bundle), Kind.PROMPT, "p") == ("x",)


def entry(kind: Kind, name: str, called: list[str]) -> Published:
    return Published(kind, name, {"name": name, "aliases": called}, "git")


ENTRIES = st.lists(
    st.builds(
        entry,
        st.sampled_from([Kind.MODEL, Kind.ROUTE]),
        st.sampled_from("abcd"),
        st.lists(st.sampled_from("abcdxy"), unique=True, max_size=4),
    ),
    unique_by=lambda found: (found.kind, found.name),
    max_size=8,
)


@given(ENTRIES, ENTRIES, st.randoms())
def test_nobody_shares_a_name_and_nobody_loses_one(
    first: list[Published], then: list[Published], chance: random.Random
) -> None:
    def decide(
        entries: list[Published], last: dict[tuple[Kind, str], Published]
    ) -> dict[tuple[Kind, str], Published]:
        ages = {(found.kind, found.name): ("", f"{found.kind}{found.name}") for found in entries}
        called, lacking = decided({(found.kind, found.name): found for found in entries}, ages, last)
        for key, lost in lacking.items():
            assert all(holder in called and holder != key for holder in lost.values())
        return dict(called)

    before = decide(first, {})
    after = decide(then, before)
    names = [name for found in after.values() for name in {found.name, *aliases_of(found)}]
    assert len(names) == len(set(names))
    # Whoever still wants what it was called is called so.
    for key, found in {(e.kind, e.name): e for e in then}.items():
        held = {before[key].name, *aliases_of(before[key])} if key in before else set[str]()
        wanted = {found.name, *aliases_of(found)}
        assert held & wanted <= ({after[key].name, *aliases_of(after[key])} if key in after else set())
    chance.shuffle(then)
    assert decide(then, before) == after
