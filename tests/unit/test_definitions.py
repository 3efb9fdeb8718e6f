"""Definitions: the specification's fields, exact money, errors that name the field."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voyager_llm.definitions.compiler import compile_model
from voyager_llm.domain.definition import canonical, parse
from voyager_llm.domain.evaluation import EvaluationDefinition
from voyager_llm.domain.model import Cost, ModelDefinition
from voyager_llm.domain.prompt import PromptDefinition, next_patch
from voyager_llm.domain.providers import Lane
from voyager_llm.domain.route import RouteDefinition
from voyager_llm.errors import InvalidArgument

MODEL: dict[str, Any] = {
    "name": "gpt-4-production",
    "provider": "openai",
    "model_name": "gpt-4",
    "version": "2024-01-01",
    "capabilities": ["text_generation", "code_generation", "reasoning"],
    "parameters": {"max_tokens": 4096, "temperature": 0.7, "top_p": 1.0},
    "cost": {"input_token_cost": 0.00003, "output_token_cost": 0.00006, "currency": "USD"},
    "rate_limits": {"requests_per_minute": 500, "tokens_per_minute": 40000},
    "endpoints": {
        "primary": "https://api.openai.com/v1/chat/completions",
        "backup": "https://api.openai.com/v1/completions",
    },
    "authentication": {
        "type": "bearer_token",
        "secret_ref": {"name": "openai-api-key", "key": "api_key"},
    },
}


def test_the_specifications_model() -> None:
    model = parse(ModelDefinition, MODEL)
    assert model.cost is not None
    assert model.cost.input_token_cost == Decimal("0.00003")
    compiled = compile_model(model)
    # Both of its endpoints are one API: there is nothing to fail over to.
    assert [endpoint.base_url for endpoint in compiled.endpoints] == ["https://api.openai.com/v1"]
    assert compiled.endpoints[0].lane is Lane.WIRE


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"cost": {"input_token_cost": -0.1}}, "cost.input_token_cost"),
        ({"cost": {"input_token_cost": "cheap"}}, "cost.input_token_cost"),
        ({"cost": {"input_token_cost": True}}, "cost.input_token_cost"),
        ({"cost": {"input_token_cost": float("nan")}}, "cost.input_token_cost"),
        ({"parameters": {"temperature": "hot"}}, "parameters.temperature"),
        ({"parameters": {"temperature": 3}}, "parameters.temperature"),
        ({"parameters": {"max_tokens": 0}}, "parameters.max_tokens"),
        ({"name": "two words"}, "name"),
        ({"name": "a/b"}, "name"),
        ({"provider": "Open AI"}, "provider"),
        ({"rate_limits": {"requests_per_minute": -1}}, "rate_limits.requests_per_minute"),
        ({"endpoints": {"primary": "ftp://x"}}, "endpoints.primary"),
        ({"endpoints": {"primary": "http://user:pw@x"}}, "endpoints.primary"),
        ({"endpoints": {"primary": "http://169.254.169.254/latest"}}, "endpoints.primary"),
        ({"endpoints": {"primary": "http://[::ffff:169.254.169.254]/"}}, "endpoints.primary"),
        ({"endpoints": {"primary": "http://x", "backup": "http://x"}}, "endpoints"),
        ({"authentication": {"type": "bearer_token"}}, "authentication"),
        ({"unknown_field": 1}, "unknown_field"),
    ],
)
def test_a_wrong_field_is_named(change: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        parse(ModelDefinition, {**MODEL, **change})
    assert caught.value.field == field


@given(st.decimals(min_value=0, max_value=1000, allow_nan=False, places=12))
def test_money_is_exact_through_json(value: Decimal) -> None:
    cost = Cost(input_token_cost=value)
    again = Cost.model_validate_json(cost.model_dump_json())
    assert again.input_token_cost == value


@given(st.floats(min_value=1e-12, max_value=1000))
def test_money_keeps_a_floats_written_digits(value: float) -> None:
    assert Cost(input_token_cost=value).input_token_cost == Decimal(repr(value))  # pyright: ignore[reportArgumentType]


def test_canonical_form_does_not_depend_on_order_or_defaults() -> None:
    first = parse(ModelDefinition, MODEL)
    second = parse(ModelDefinition, {**dict(reversed(MODEL.items())), "context_length": None})
    assert canonical(first) == canonical(second)


PROMPT: dict[str, Any] = {"name": "p", "version": "1.0.0", "template": "x"}


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"version": "1.0"}, "not semantic"),
        ({"template": ""}, "either template or messages"),
        ({"messages": [{"role": "user", "content": "x"}]}, "either template or messages"),
        ({"parameters": [{"name": "a"}, {"name": "a"}]}, "unique"),
        ({"parameters": [{"name": "a", "type": "enum"}]}, "needs its enum"),
        ({"parameters": [{"name": "a", "type": "integer", "default": "x"}]}, "is no integer"),
        ({"parameters": [{"name": "a", "default": "z", "enum": ["x"]}]}, "not among enum"),
    ],
)
def test_a_wrong_prompt(change: dict[str, Any], text: str) -> None:
    with pytest.raises(InvalidArgument, match=text):
        parse(PromptDefinition, {**PROMPT, **change})


def test_whole_floats_are_integers() -> None:
    """Protobuf's Value makes every number a float."""
    parameters = [{"name": "n", "type": "integer", "default": 5.0, "enum": [5.0, 6.0]}]
    prompt = parse(PromptDefinition, {**PROMPT, "parameters": parameters})
    assert prompt.parameters[0].default == 5
    assert isinstance(prompt.parameters[0].default, int)


def test_next_patch() -> None:
    assert next_patch("1.2.9") == "1.2.10"
    assert next_patch("1.2.3-rc.1+b") == "1.2.4"


def test_a_route_names_each_model_once() -> None:
    with pytest.raises(InvalidArgument, match="different models"):
        parse(RouteDefinition, {"name": "r", "targets": [{"model": "a"}, {"model": "a"}]})


def test_evaluation_weights_and_thresholds() -> None:
    base: dict[str, Any] = {
        "name": "e",
        "model_ref": {"name": "m"},
        "prompt_ref": {"name": "p"},
        "metrics": [{"name": "a", "weight": 0.5, "measurement": "keyword_coverage"}],
    }
    with pytest.raises(InvalidArgument, match="sum to 1"):
        parse(EvaluationDefinition, base)
    base["metrics"][0]["weight"] = 1.0
    with pytest.raises(InvalidArgument, match="ordered"):
        parse(EvaluationDefinition, {**base, "thresholds": {"minimum_score": 0.9, "warning_score": 0.1}})
