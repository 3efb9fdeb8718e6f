"""Definitions as objects of the cluster, and back: prices are numbers there."""

from __future__ import annotations

from typing import Any

import pytest

from voyager_llm.definitions.crd.manifests import definition_of, manifest_of
from voyager_llm.definitions.crd.resources import BY_KIND
from voyager_llm.domain.definition import Kind, document
from voyager_llm.domain.model import ModelDefinition
from voyager_llm.domain.prompt import PromptDefinition
from voyager_llm.domain.route import RouteDefinition

COSTS: list[dict[str, Any]] = [
    {"input_token_cost": 0.00003},
    {"input_token_cost": 0.00003, "output_token_cost": 0.00006, "currency": "EUR"},
    {
        "input_token_cost": 0.00003,
        "cached_input_token_cost": 0.000003,
        "cache_write_input_token_cost": 0.00004,
    },
    {
        "input_token_cost": 0.00003,
        "changes": [{"valid_from": "2027-01-01T00:00:00Z", "input_token_cost": 0.1}],
    },
]


@pytest.mark.parametrize("cost", COSTS)
def test_what_a_model_costs_survives_the_cluster(cost: dict[str, Any]) -> None:
    endpoints = {"primary": "http://127.0.0.1:1/v1"}
    fields = {"name": "m", "provider": "custom", "model_name": "fake", "cost": cost, "endpoints": endpoints}
    model = ModelDefinition.model_validate(fields)
    manifest = manifest_of(Kind.MODEL, document(model), "ada", "here")
    written = manifest["spec"]["cost"]
    assert all(written[name] == value for name, value in cost.items() if name != "changes")
    assert definition_of(BY_KIND[Kind.MODEL], manifest) == model


def test_what_a_token_may_cost_survives_the_cluster() -> None:
    ceiling = {"max_output_token_cost": 0.00006}
    prompt = PromptDefinition.model_validate(
        {"name": "p", "version": "1.0.0", "template": "x", "model_requirements": ceiling}
    )
    route = RouteDefinition.model_validate({"name": "r", "targets": [{"model": "m"}], "require": ceiling})
    for kind, definition, field in (
        (Kind.PROMPT, prompt, "model_requirements"), (Kind.ROUTE, route, "require"),
    ):  # fmt: skip
        manifest = manifest_of(kind, document(definition), "ada", "here")
        assert manifest["spec"][field]["max_output_token_cost"] == 0.00006
        assert definition_of(BY_KIND[kind], manifest) == definition
