"""Aliases: what may be one, and what they lead to in a snapshot, whatever the order of changes."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serve_app.commands.kinds import from_manifest
from tests.support.scripted import model, route
from voyager_llm.definitions.compiler import compile_model
from voyager_llm.definitions.crd.manifests import definition_of, manifest_of
from voyager_llm.definitions.crd.resources import BY_KIND
from voyager_llm.definitions.names import refuse_taken
from voyager_llm.domain.alias import fault_of
from voyager_llm.domain.definition import Kind, document, parse
from voyager_llm.domain.model import ModelDefinition
from voyager_llm.domain.prompt import PromptDefinition
from voyager_llm.errors import FailedPrecondition, InvalidArgument, NotFound
from voyager_llm.snapshot import Change, Delta, PromptVersions, RuntimeConfig, further_names

NAMES = [
    "openrouter/anthropic/claude-3",
    "gpt-4o:free",
    "Team A/gpt",
    "a",
    "模型",
    "x" * 256,
    "@cf/meta/llama",
]


@pytest.mark.parametrize("name", NAMES)
def test_any_printable_name_is_an_alias(name: str) -> None:
    assert model("m", aliases=[name]).aliases == (name,)


@pytest.mark.parametrize(
    "name",
    ["", " a", "a ", "a\nb", "a\tb", "a\x00", "a\u00a0b", "\u202eabc", "a\u200bb", "a\u2028b",
     "prompt:x", "x" * 257],
)  # fmt: skip
def test_what_nobody_could_see_or_write_is_none(name: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        parse(ModelDefinition, {"name": "m", "provider": "openai", "model_name": "m", "aliases": [name]})
    assert caught.value.field.split(".")[0] == "aliases"


@given(st.text(max_size=300))
def test_every_alias_can_be_printed_on_one_line(text: str) -> None:
    if not fault_of(text):
        assert text.isprintable()
        assert text == text.strip()
        assert len(text.splitlines()) == 1


@pytest.mark.parametrize(
    ("aliases", "fault"),
    [(["a", "a"], "must differ"), ([str(i) for i in range(33)], "at most 32"), (["a", " b"], "' b'")],
)
def test_a_wrong_list_is_refused_by_its_field(aliases: list[str], fault: str) -> None:
    with pytest.raises(InvalidArgument, match=fault) as caught:
        parse(ModelDefinition, {"name": "m", "provider": "openai", "model_name": "m", "aliases": aliases})
    assert caught.value.field == "aliases"


def test_an_alias_of_a_prompt_leaves_room_for_its_version() -> None:
    with pytest.raises(InvalidArgument, match="must not contain @"):
        parse(PromptDefinition, {"name": "p", "version": "1.0.0", "template": "x", "aliases": ["a@b"]})


def prompt(name: str, *aliases: str, version: str = "1.0.0") -> PromptVersions:
    definition = PromptDefinition(name=name, version=version, template="x", aliases=aliases)
    return PromptVersions(name, version, {version: definition})


def changes(*entries: Any) -> tuple[Change, ...]:
    kinds = {"CompiledModel": Kind.MODEL, "RouteDefinition": Kind.ROUTE, "PromptVersions": Kind.PROMPT}
    return tuple(Change(kinds[type(entry).__name__], entry.name, "", entry) for entry in entries)


def test_requests_find_what_they_call_by_an_alias() -> None:
    config = RuntimeConfig().apply(
        Delta(
            0, 1,
            changes(compile_model(model("m", aliases=["org/m"])), route("r", "m", aliases=["org/r"]),
                    prompt("p", "the_p")),
        )
    )  # fmt: skip
    assert config.destination("org/m") is config.models["m"]
    assert config.destination("org/r") is config.routes["r"]
    assert config.prompt("the_p").name == "p"
    for unknown in ("org/x", "the_p", "org/M"):
        with pytest.raises(NotFound):
            config.destination(unknown)


def test_a_name_goes_before_an_alias_and_lets_it_be_when_it_is_deleted() -> None:
    config = RuntimeConfig().apply(Delta(0, 1, changes(compile_model(model("m", aliases=["n"])))))
    both = config.apply(Delta(1, 2, changes(compile_model(model("n")))))
    assert both.destination("n") is both.models["n"]
    again = both.apply(Delta(2, 3, (Change(Kind.MODEL, "n", "", None),)))
    assert again.destination("n") is again.models["m"]


ENTRIES = st.tuples(
    st.sampled_from(["a", "b", "c"]),
    st.one_of(st.none(), st.lists(st.sampled_from(["a", "x", "y", "z"]), unique=True, max_size=3)),
)


@settings(deadline=None)
@given(st.lists(ENTRIES, max_size=20))
def test_deltas_lead_to_the_aliases_of_a_full_build(steps: list[tuple[str, list[str] | None]]) -> None:
    config = RuntimeConfig()
    final: dict[str, Change] = {}
    for version, (name, aliases) in enumerate(steps, start=1):
        entry = None if aliases is None else compile_model(model(name, aliases=aliases))
        final[name] = Change(Kind.MODEL, name, "", entry)
        config = config.apply(Delta(config.version, version, (final[name],)))
    whole = RuntimeConfig().apply(Delta(0, len(steps), tuple(final.values())))
    assert dict(config.aliases) == dict(whole.aliases)
    assert {name: config.find(name) for name in "abcxyz"} == {name: whole.find(name) for name in "abcxyz"}


def aliased(name: str, *aliases: str) -> Change:
    return changes(compile_model(model(name, aliases=list(aliases))))[0]


@pytest.mark.parametrize(
    ("steps", "refused"),
    [
        ([aliased("a", "x")], ["a"]),  # z has it still
        ([aliased("x")], ["x"]),
        ([aliased("a", "x"), aliased("z")], []),  # z gives it up
        ([aliased("x"), aliased("z")], []),
        ([aliased("a", "y"), aliased("b", "y")], ["b"]),
        ([aliased("a", "y"), aliased("y")], ["a", "y"]),
        ([aliased("z", "x", "y")], []),
    ],
)
def test_of_several_changes_at_once_none_takes_what_another_has(
    steps: list[Change], refused: list[str]
) -> None:
    before = RuntimeConfig().apply(Delta(0, 1, (aliased("z", "x"),)))
    after = before.apply(Delta(1, 2, tuple(steps)))
    found: list[str] = []
    for step in steps:
        try:
            refuse_taken(after, model(step.name, aliases=further_names(step.entry)), before)
        except FailedPrecondition:
            found.append(step.name)
    assert found == refused


SPEC = {"version": "1.0.0", "template": "x"}


def manifest(own: str, name: str, **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "llm.voyager.io/v1",
        "kind": "PromptDefinition",
        "metadata": {"name": own},
        "spec": {"name": name, **SPEC, **spec},
    }


@pytest.mark.parametrize(
    ("own", "name", "aliases"),
    [
        ("process-suggestion-prompt", "process_suggestion", ["process_suggestion"]),
        ("p", "p", []),
        ("p", "", []),
        ("p", "Team A: Suggest", ["Team A: Suggest"]),
        ("p", "for@people", []),
        ("p", " hello\n", []),
    ],
)
def test_a_prompts_name_in_its_spec_is_an_alias_where_it_can_be_one(
    own: str, name: str, aliases: list[str]
) -> None:
    defined = definition_of(BY_KIND[Kind.PROMPT], manifest(own, name))
    assert isinstance(defined, PromptDefinition)
    assert list(defined.aliases) == aliases
    kind, applied = from_manifest(manifest(own, name))
    assert (kind.name, applied["name"], applied.get("aliases", [])) == ("prompt", own, aliases)


def test_aliases_survive_the_cluster() -> None:
    made = PromptDefinition(name="My_Prompt", version="1.0.0", template="x", aliases=("a", "b c"))
    written = manifest_of(Kind.PROMPT, document(made), "ada", "here")
    assert definition_of(BY_KIND[Kind.PROMPT], written) == made
