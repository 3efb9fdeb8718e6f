"""Definitions into entries of the RuntimeConfig. Pure: same definitions, same entries.

Used by the catalog (`catalog.py`) and, in Kubernetes, by the controller.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from voyager_llm.definitions.pricing import context_length, price
from voyager_llm.domain.base_urls import base_url, speaks_ollamas_own
from voyager_llm.domain.endpoint import Endpoint
from voyager_llm.domain.model import ModelDefinition
from voyager_llm.domain.operation import Operation
from voyager_llm.domain.providers import ALIASES, PROVIDERS, Lane, Provider
from voyager_llm.snapshot import CompiledModel


def compile_model(model: ModelDefinition) -> CompiledModel:
    """A model with its endpoints resolved and its price looked up."""
    unit_price, has_price = price(model)
    return CompiledModel(
        name=model.name,
        endpoints=_endpoints(model),
        price=unit_price,
        has_price=has_price,
        capabilities=frozenset(model.capabilities),
        context_length=context_length(model),
        requests_per_minute=model.rate_limits.requests_per_minute,
        tokens_per_minute=model.rate_limits.tokens_per_minute,
        max_tokens=model.parameters.max_tokens,
        allowed=frozenset(model.parameters.allow),
        definition=model,
    )


def _endpoints(model: ModelDefinition) -> tuple[Endpoint, ...]:
    primary = _endpoint(model, model.name, model.endpoints.primary)
    if not model.endpoints.backup:
        return (primary,)
    backup = _endpoint(model, f"{model.name}#backup", model.endpoints.backup)
    # Two operations of one API are one endpoint to fail over to: itself.
    return (primary,) if backup.base_url == primary.base_url else (primary, backup)


def _endpoint(model: ModelDefinition, key: str, endpoint: str) -> Endpoint:
    name = ALIASES.get(model.provider, model.provider)
    if name == "ollama" and speaks_ollamas_own(endpoint):
        name = "ollama_chat"
    provider = PROVIDERS[name]
    base = base_url(name, provider, endpoint)
    return Endpoint(
        model=model.name,
        key=key,
        provider=name,
        model_name=model.model_name,
        lane=provider.lane,
        base_url=base,
        hosts=provider.may_receive(base),
        auth_type=model.authentication.type,
        secret=model.authentication.secret_ref,
        defaults=_defaults(model, provider),
        settings={k: v for k, v in model.parameters.extra.items() if k in provider.settings},
        apis=_apis(provider, base),
    )


def _apis(provider: Provider, base: str) -> tuple[Operation, ...]:
    """What is said of a provider holds for whoever speaks its protocol, unless that is OpenAI's: many speak
    it, and few all of it."""
    is_own = urlsplit(base).hostname == urlsplit(provider.address).hostname
    return provider.apis if is_own or provider.lane is not Lane.WIRE else ()


def _defaults(model: ModelDefinition, provider: Provider) -> dict[str, Any]:
    """A plain dict, not a proxy: it is pickled when the call runs in another process."""
    parameters = model.parameters.model_dump(exclude_none=True, exclude={"allow", "extra", "stop"})
    if model.parameters.stop:
        parameters["stop"] = list(model.parameters.stop)
    extra = {k: v for k, v in model.parameters.extra.items() if k not in provider.settings}
    return {**extra, **parameters}
