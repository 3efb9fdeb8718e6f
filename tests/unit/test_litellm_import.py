"""A LiteLLM proxy's configuration becomes definitions that this service accepts."""

from __future__ import annotations

import pytest
import yaml

from serve_app.commands.client import ServiceError
from serve_app.commands.litellm_config import import_config
from voyager_llm.domain.definition import parse
from voyager_llm.domain.model import ModelDefinition
from voyager_llm.domain.route import RouteDefinition

CONFIG = """
model_list:
  - model_name: gpt-4o
    litellm_params: {model: openai/gpt-4o, api_key: os.environ/OPENAI_API_KEY, rpm: 100, weight: 3}
  - model_name: gpt-4o
    litellm_params: {model: azure/my-deployment, api_base: "https://x.example/", api_key: sk-plain,
                     api_version: "2024-06-01"}
  - model_name: anthropic/claude
    litellm_params: {model: anthropic/claude-3-5-sonnet-20241022, api_key: os.environ/ANTHROPIC_API_KEY}
    model_info: {input_cost_per_token: 0.000003, output_cost_per_token: 0.000015}
  - model_name: small
    litellm_params: {model: ollama/llama3.1, api_base: "http://localhost:11434/v1", temperature: 0.1}
router_settings:
  routing_strategy: least-busy
litellm_settings:
  fallbacks: [{gpt-4o: [anthropic/claude]}, {missing: [small]}]
  context_window_fallbacks: [{small: [gpt-4o]}]
"""


def test_the_whole_configuration() -> None:
    imported = import_config(yaml.safe_load(CONFIG))
    for model in imported.models:
        parse(ModelDefinition, model)
    routes = {route["name"]: parse(RouteDefinition, route) for route in imported.routes}
    assert [m["name"] for m in imported.models] == ["gpt-4o-1", "gpt-4o-2", "anthropic-claude", "small-1"]
    assert [(t.model, t.weight) for t in routes["gpt-4o"].targets] == [("gpt-4o-1", 3), ("gpt-4o-2", 1)]
    assert routes["gpt-4o"].policy == "least_in_flight"
    assert routes["gpt-4o"].fallbacks == ("anthropic-claude",)
    assert routes["small"].context_window_fallbacks == ("gpt-4o-1", "gpt-4o-2")


def test_no_key_is_copied_and_nothing_is_dropped_silently() -> None:
    imported = import_config(yaml.safe_load(CONFIG))
    assert "sk-plain" not in str(imported)
    notes = "\n".join(imported.notes)
    assert "litellm_params.api_version" in notes
    assert "'anthropic/claude' is called 'anthropic-claude'" in notes
    assert "fallbacks of 'missing'" in notes
    assert "VOYAGER_SECRET_OPENAI_API_KEY__API_KEY" in notes


def test_what_is_no_configuration() -> None:
    with pytest.raises(ServiceError, match="no model_list"):
        import_config({})
