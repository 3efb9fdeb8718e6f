"""What entries become together: routes, chains, names, wildcards; and that no file breaks the import."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from serve_app.commands.client import ServiceError
from serve_app.commands.litellm.notes import Effect, Notes, Place
from serve_app.commands.litellm.source import node_of
from serve_app.commands.litellm.translate import translate
from serve_app.commands.litellm_config import import_config
from tests.support.litellm_entries import group, of, route, targets
from voyager_llm.domain.definition import parse
from voyager_llm.domain.model import ModelDefinition

# Groups


def test_weights_are_those_by_which_litellm_chooses() -> None:
    result = of(*group("g", {"weight": 3, "rpm": 1}, {"weight": 0}, {"rpm": 100}, {"weight": "1"}))
    assert targets(result, "g") == {"g-1": 3, "g-4": 1}
    assert route(result, "g").fallbacks == ("g-2", "g-3")


def test_without_weights_the_limits_are_the_shares() -> None:
    assert targets(of(*group("g", {"rpm": 100}, {"rpm": 300, "tpm": 1})), "g") == {"g-1": 100, "g-2": 300}
    assert targets(of(*group("g", {"tpm": 4_000_000}, {"tpm": 1_000_000})), "g") == {
        "g-1": 1e6,
        "g-2": 250_000,
    }
    assert targets(of(*group("g", {"weight": 0}, {"weight": 0})), "g") == {"g-1": 1, "g-2": 1}


def test_the_lowest_order_is_asked_first() -> None:
    result = of(*group("g", {"order": 2}, {"order": 1}, {}, {"order": 1}, {"order": 3}))
    assert set(targets(result, "g")) == {"g-2", "g-4"}
    assert route(result, "g").fallbacks == ("g-1", "g-5", "g-3")


def test_other_strategies_have_policies_and_an_unknown_one_a_note() -> None:
    entries = group("g", {"weight": 0}, {"rpm": 5})
    result = of(*entries, router_settings={"routing_strategy": "least-busy"})
    assert route(result, "g").policy == "least_in_flight"
    assert targets(result, "g") == {"g-1": 1, "g-2": 1}
    other = of(*entries, router_settings={"routing_strategy": "by-moon"})
    assert route(other, "g").policy == "weighted"
    assert other.has(Effect.LOST)


def test_weights_by_identity_win() -> None:
    entries = [
        {**entry, "model_info": {"id": str(i)}} for i, entry in enumerate(group("g", {}, {"weight": 5}))
    ]
    result = of(*entries, router_settings={"weights": {"g": {"0": 2, "1": 6}}})
    assert targets(result, "g") == {"g-1": 2, "g-2": 6}


def test_fallbacks_of_both_places_are_joined() -> None:
    entries = [*group("a", {}), *group("b", {}, {}), *group("c", {}), *group("d", {})]
    result = of(
        *entries,
        router_settings={"fallbacks": [{"a": ["b"]}], "default_fallbacks": ["d"]},
        litellm_settings={
            "fallbacks": [{"a": ["c", "b"]}, {"c": "a"}],
            "content_policy_fallbacks": [{"*": ["c"]}],
            "context_window_fallbacks": {"b": ["d"]},
        },
    )
    assert route(result, "a").fallbacks == ("b-1", "b-2", "c-1")
    assert route(result, "b").fallbacks == ("d-1",)
    assert route(result, "b").context_window_fallbacks == ("d-1",)
    assert route(result, "c").fallbacks == ("a-1",)
    assert route(result, "d").fallbacks == ()
    assert route(result, "d").content_policy_fallbacks == ("c-1",)


def test_a_fallback_that_is_not_there_is_noted_and_the_others_kept() -> None:
    result = of(
        *group("a", {}),
        *group("b", {}),
        litellm_settings={"fallbacks": [{"a": ["x", {"model": "b"}, 7]}, {"y": ["a"]}]},
    )
    assert route(result, "a").fallbacks == ("b",)
    left_out = [str(note) for note in result.remarks if note.effect is Effect.LEFT_OUT]
    assert len(left_out) == 3


def test_timeouts_and_retries_are_of_routes() -> None:
    result = of(
        *group("a", {"timeout": "12.5"}),
        *group("b", {}, {"timeout": 7}),
        *group("c", {}),
        router_settings={"num_retries": 1, "timeout": 30},
        litellm_settings={"num_retries": 9, "request_timeout": 600},
    )
    assert (route(result, "a").timeout_ms, route(result, "a").max_attempts) == (12_500, 2)
    assert (route(result, "b").timeout_ms, route(result, "b").max_attempts) == (7_000, 2)
    assert [model["name"] for model in result.models][-1] == "c"
    notes = "\n".join(result.notes)
    assert "VOYAGER_REQUEST_TIMEOUT_S=30 " in notes
    assert "VOYAGER_MAX_ATTEMPTS=2 " in notes


def test_attempts_reach_every_target_and_fallback() -> None:
    result = of(
        *group("a", {}, {}, {}),
        *group("b", {}),
        router_settings={"num_retries": 0, "fallbacks": [{"a": ["b"]}]},
    )
    assert route(result, "a").max_attempts == 4


# Names


@given(
    st.lists(
        st.text(min_size=1, max_size=12).filter(lambda text: text.strip() and "*" not in text),
        min_size=1,
        max_size=8,
    )
)
def test_no_two_definitions_ever_share_a_name(names: list[str]) -> None:
    result = of(*({"model_name": name, "litellm_params": {"model": "openai/gpt-4o"}} for name in names))
    made = [definition["name"] for definition in (*result.models, *result.routes)]
    assert len(made) == len(set(made))
    assert len(result.models) == len(names)


def test_similar_names_stay_apart_and_a_valid_one_is_kept() -> None:
    result = of(*group("team/a", {}), *group("team-a", {"model": "openai/gpt-4o-mini"}), *group("team a", {}))
    assert [model["name"] for model in result.models] == ["team-a-2", "team-a", "team-a-3"]
    assert result.models[1]["model_name"] == "gpt-4o-mini"


def test_names_of_members_avoid_those_of_groups() -> None:
    result = of(*group("a", {}, {}), *group("a-1", {}))
    assert [model["name"] for model in result.models] == ["a-1-2", "a-2", "a-1"]


def test_other_names_are_aliases_or_told() -> None:
    result = of(
        *group("team/a", {}),
        *group("b", {}),
        router_settings={
            "model_group_alias": {
                "gpt-4": "b",
                "old": {"model": "team/a", "hidden": True},
                "x": "y",
                "b": "team/a",
            }
        },
    )
    by_name = {model["name"]: model for model in result.models}
    assert by_name["team-a"]["aliases"] == ["team/a", "old"]
    assert by_name["b"]["aliases"] == ["gpt-4"]
    left_out = [note.subject for note in result.remarks if note.effect is Effect.LEFT_OUT]
    assert left_out == ["the alias 'x'", "the alias 'b'"]


# Wildcards and what stops nothing


def test_wildcards_are_noted_and_stand_for_what_is_named_elsewhere() -> None:
    config = {
        "model_list": [
            {"model_name": "*", "litellm_params": {"model": "*"}},
            {"model_name": "anthropic/*", "litellm_params": {"model": "anthropic/*"}},
            {
                "model_name": "eu-*",
                "litellm_params": {"model": "openai/*", "api_base": "https://eu.example.com"},
            },
            {"model_name": "fixed", "litellm_params": {"model": "openai/*"}},
            *group("a", {}),
        ],
        "router_settings": {"fallbacks": [{"a": ["anthropic/claude-sonnet-4-5", "eu-gpt-4o"]}]},
    }
    result = translate(node_of(config, Place("config", 0)), Notes(), {}, ["gpt-4o-mini"])
    made = {(model["provider"], model["model_name"]) for model in result.models}
    assert made == {
        ("openai", "gpt-4o"),
        ("anthropic", "claude-sonnet-4-5"),
        ("openai", "gpt-4o-mini"),
    }
    wildcards = {note.subject for note in result.remarks if "wildcard" in note.text}
    assert wildcards == {"'eu-*'", "'anthropic/*'", "'fixed'", "'*'"}
    assert route(result, "a").fallbacks == ("anthropic-claude-sonnet-4-5", "eu-gpt-4o")


def test_a_model_that_cannot_be_imported_stops_no_other() -> None:
    result = of(
        {"litellm_params": {"model": "os.environ/MODEL"}},
        {"model_name": "os.environ/NAME", "litellm_params": {"model": "openai/gpt-4o"}},
        *group("g", {"model": "unknown"}, {}),
        *group("h", {"model": "unknown"}, {"model": "unknown-2"}),
        litellm_settings={"fallbacks": [{"g": ["h"]}]},
    )
    assert [model["name"] for model in result.models] == ["g-2"]
    assert targets(result, "g") == {"g-2": 1}
    assert [one["name"] for one in result.routes] == ["g"]


@pytest.mark.parametrize(
    "config",
    [
        {},
        {"model_list": {}},
        {"model_list": [{"model_name": "a"}]},
        {"model_list": [{"litellm_params": {"model": "a"}}]},
        {"model_list": ["a"]},
        {"model_list": [{"model_name": "a", "litellm_params": {}}]},
        {"model_list": [{"model_name": "a", "litellm_params": {"model": None}}]},
    ],
)
def test_what_litellm_would_not_start_with_is_refused(config: dict[str, Any]) -> None:
    with pytest.raises(ServiceError):
        import_config(config)


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
PARAMS = (
    *(
        "api_base",
        "api_key",
        "rpm",
        "tpm",
        "weight",
        "order",
        "timeout",
        "num_retries",
        "temperature",
        "stop",
    ),
    *("extra_body", "api_version", "input_cost_per_token", "litellm_credential_name", "model_info", "seed"),
    *("custom_llm_provider", "allowed_openai_params", "thinking"),
)
SETTINGS = (
    *("fallbacks", "context_window_fallbacks", "default_fallbacks", "model_group_alias", "routing_strategy"),
    *("num_retries", "timeout", "weights", "retry_policy"),
)


@given(
    st.dictionaries(st.sampled_from(PARAMS), ANYTHING, max_size=5),
    st.dictionaries(
        st.sampled_from(("max_input_tokens", "mode", "base_model", "supports_vision", "id", "order")),
        ANYTHING,
    ),
    ANYTHING | st.dictionaries(st.sampled_from(SETTINGS), ANYTHING, max_size=4),
)
def test_no_value_of_any_setting_breaks_the_import(
    params: dict[str, Any], info: dict[str, Any], router: Any
) -> None:
    entries = [
        {"model_name": "a", "litellm_params": {"model": "openai/gpt-4o", **params}, "model_info": info},
        {"model_name": "a", "litellm_params": {"model": "openai/gpt-4o"}},
    ]
    result = import_config({"model_list": entries, "router_settings": router, "litellm_settings": router})
    for model in result.models:
        parse(ModelDefinition, model)
    assert "a-2" in targets(result, "a").keys() | set(route(result, "a").fallbacks)
    yaml.safe_dump([*result.models, *result.routes])
