"""`voyager-llm import-litellm`: a LiteLLM proxy's configuration as models and routes.

Entries of `model_list` with the same `model_name` are one route over several models, as LiteLLM balances
them. Keys become references; what has no counterpart is reported, never dropped silently.
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

from serve_app.commands.client import ServiceError

_STRATEGIES = {
    "simple-shuffle": "weighted",
    "least-busy": "least_in_flight",
    "latency-based-routing": "peak_ewma",
    "cost-based-routing": "cheapest",
    "usage-based-routing": "least_in_flight",
    "usage-based-routing-v2": "least_in_flight",
}
_PARAMETERS = ("max_tokens", "temperature", "top_p", "frequency_penalty", "presence_penalty", "seed", "stop")
_KNOWN = {"model", "api_base", "base_url", "api_key", "rpm", "tpm", "weight", "input_cost_per_token",
          "output_cost_per_token", *_PARAMETERS}  # fmt: skip


@dataclass(slots=True)
class Imported:
    """What came of a configuration; ``notes`` says what the user must do or know."""

    models: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    routes: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    notes: list[str] = field(default_factory=list[str])


def import_config(config: dict[str, Any]) -> Imported:
    """Translate a configuration. Raises `ServiceError` when it is none."""
    entries = config.get("model_list")
    if not isinstance(entries, list) or not entries:
        raise ServiceError("the file has no model_list")
    result = Imported()
    groups: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for entry in entries:
        name = str(entry.get("model_name") or "")
        if not name or not isinstance(entry.get("litellm_params"), dict):
            raise ServiceError("an entry of model_list lacks model_name or litellm_params")
        groups[name].append(entry)
    settings = {**(config.get("litellm_settings") or {}), **(config.get("router_settings") or {})}
    fallbacks = _fallbacks(settings, "fallbacks")
    longer = _fallbacks(settings, "context_window_fallbacks")
    policy = _policy(settings, result)
    for name, group in groups.items():
        plain = _slug(name, result)
        names = [plain] if len(group) == 1 else [f"{plain}-{i + 1}" for i in range(len(group))]
        needs_route = len(group) > 1 or name in fallbacks or name in longer
        if needs_route and len(group) == 1:
            names = [f"{plain}-1"]
        for own, entry in zip(names, group, strict=True):
            result.models.append(_model(own, entry, result))
        if needs_route:
            result.routes.append(_route(plain, names, group, policy))
    for route_name, wanted in fallbacks.items():
        _chain(result, route_name, wanted, "fallbacks")
    for route_name, wanted in longer.items():
        _chain(result, route_name, wanted, "context_window_fallbacks")
    return result


def _model(name: str, entry: dict[str, Any], result: Imported) -> dict[str, Any]:
    given: dict[str, Any] = entry["litellm_params"]
    provider, _, model_name = str(given["model"]).partition("/")
    if not model_name:
        provider, model_name = "openai", provider
    model: dict[str, Any] = {"name": name, "provider": provider, "model_name": model_name}
    _endpoint(model, given, result)
    if "api_key" in given:
        model["authentication"] = _authentication(name, str(given["api_key"]), result)
    parameters = {key: given[key] for key in _PARAMETERS if key in given}
    if isinstance(parameters.get("stop"), str):
        parameters["stop"] = [parameters["stop"]]
    if parameters:
        model["parameters"] = parameters
    limits = {"requests_per_minute": given.get("rpm", 0), "tokens_per_minute": given.get("tpm", 0)}
    if any(limits.values()):
        model["rate_limits"] = limits
    costs = {**(entry.get("model_info") or {}), **given}
    if "input_cost_per_token" in costs:
        model["cost"] = {
            "input_token_cost": costs["input_cost_per_token"],
            "output_token_cost": costs.get("output_cost_per_token", 0),
        }
    for key in sorted(given.keys() - _KNOWN):
        result.notes.append(f"{name}: litellm_params.{key} has no counterpart and was left out")
    return model


def _endpoint(model: dict[str, Any], given: dict[str, Any], result: Imported) -> None:
    base = str(given.get("api_base") or given.get("base_url") or "")
    if base.startswith("os.environ/"):
        name = model["name"]
        result.notes.append(f"{name}: api_base comes from the environment; set endpoints.primary yourself")
    elif base:
        model["endpoints"] = {"primary": base}


def _authentication(name: str, key: str, result: Imported) -> dict[str, Any]:
    """A key in the file becomes a reference; the key itself is never copied."""
    variable = key.removeprefix("os.environ/")
    secret = re.sub(r"[^a-z0-9]+", "-", variable.lower()).strip("-") if variable != key else f"{name}-key"
    secret = re.sub(r"[^a-z0-9.-]+", "-", secret.lower()).strip("-.")
    target = f"VOYAGER_SECRET_{re.sub(r'[^A-Za-z0-9]', '_', secret).upper()}__API_KEY"
    source = f"the value of {variable}" if variable != key else "the key that stands in the file"
    note = f"{name}: set {target} (or mount {secret}/api_key) to {source}"
    if note not in result.notes:
        result.notes.append(note)
    return {"type": "bearer_token", "secret_ref": {"name": secret, "key": "api_key"}}


def _route(name: str, models: list[str], group: list[dict[str, Any]], policy: str) -> dict[str, Any]:
    targets = [
        {"model": model, "weight": entry["litellm_params"].get("weight", 1)}
        for model, entry in zip(models, group, strict=True)
    ]
    return {"name": name, "policy": policy, "targets": targets}


def _chain(result: Imported, source: str, wanted: list[str], key: str) -> None:
    """Fallbacks name groups; a route's fallbacks are models, so a group stands for all of its models."""
    routes = {route["name"]: route for route in result.routes}
    route = routes.get(_slug(source, result))
    if route is None:
        result.notes.append(f"{key} of {source!r}: there is no such model; left out")
        return
    models = {model["name"] for model in result.models}
    for name in wanted:
        plain = _slug(name, result)
        if plain in routes:
            route.setdefault(key, []).extend(target["model"] for target in routes[plain]["targets"])
        elif plain in models:
            route.setdefault(key, []).append(plain)
        else:
            result.notes.append(f"{key} of {source!r}: {name!r} is not defined; left out")


def _fallbacks(settings: dict[str, Any], key: str) -> dict[str, list[str]]:
    merged: dict[str, list[str]] = {}
    for step in settings.get(key) or ():
        for name, wanted in step.items():
            merged.setdefault(name, []).extend(wanted)
    return merged


def _policy(settings: dict[str, Any], result: Imported) -> str:
    strategy = settings.get("routing_strategy", "simple-shuffle")
    if strategy not in _STRATEGIES:
        result.notes.append(f"routing_strategy {strategy!r} has no counterpart; weighted is used")
    return _STRATEGIES.get(strategy, "weighted")


def _slug(name: str, result: Imported) -> str:
    """A name that paths can hold: slashes and other marks become dashes."""
    plain = re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-._") or "model"
    if plain != name:
        note = f"{name!r} is called {plain!r} here"
        if note not in result.notes:
            result.notes.append(note)
    return plain
