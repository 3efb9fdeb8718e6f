"""Configurations of a few entries, and what they become. Used by the tests of the import from LiteLLM."""

from __future__ import annotations

from typing import Any

from serve_app.commands.litellm.translate import Imported
from serve_app.commands.litellm_config import import_config
from voyager_llm.domain.definition import parse
from voyager_llm.domain.model import ModelDefinition
from voyager_llm.domain.route import RouteDefinition


def of(*entries: dict[str, Any], **settings: Any) -> Imported:
    """What a configuration with these entries becomes; each may leave its name out."""
    listed = [{"model_name": f"m{number}", **entry} for number, entry in enumerate(entries)]
    return import_config({"model_list": listed, **settings})


def one(params: dict[str, Any], **info: Any) -> dict[str, Any]:
    """The model that a single entry becomes."""
    (model,) = of({"litellm_params": {"model": "openai/gpt-4o", **params}, "model_info": info}).models
    parse(ModelDefinition, model)
    return model


def route(result: Imported, name: str) -> RouteDefinition:
    return next(parse(RouteDefinition, one) for one in result.routes if one["name"] == name)


def group(name: str, *params: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"model_name": name, "litellm_params": {"model": "openai/gpt-4o", **one}} for one in params]


def targets(result: Imported, name: str) -> dict[str, float]:
    return {target.model: target.weight for target in route(result, name).targets}
