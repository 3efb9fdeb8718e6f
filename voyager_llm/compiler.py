"""Definitions into entries of the RuntimeConfig. Pure: same definitions, same entries.

Used by the catalog (`catalog.py`) and, in Kubernetes, by the controller.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from voyager_llm.domain.model import ModelDefinition
from voyager_llm.pricing import context_length, price
from voyager_llm.snapshot import CompiledModel, Lane, Target

# Upstreams that speak OpenAI's protocol, with their own address where they have one.
WIRE_PROVIDERS: Mapping[str, str] = MappingProxyType(
    {
        "openai": "https://api.openai.com/v1",
        "custom": "",
        "ollama": "http://127.0.0.1:11434/v1",
        "vllm": "",
        "deepseek": "https://api.deepseek.com/v1",
        "groq": "https://api.groq.com/openai/v1",
        "together_ai": "https://api.together.xyz/v1",
        "fireworks_ai": "https://api.fireworks.ai/inference/v1",
        "openrouter": "https://openrouter.ai/api/v1",
        "perplexity": "https://api.perplexity.ai",
        "xai": "https://api.x.ai/v1",
    }
)

# Providers with authentication flows of their own, which only LiteLLM's whole client knows.
FULL_PROVIDERS = frozenset(
    {"bedrock", "vertex_ai", "vertex_ai_beta", "sagemaker", "sagemaker_chat", "azure", "azure_ai",
     "watsonx", "databricks", "snowflake", "oci", "sap", "github_copilot"}
)  # fmt: skip

# What a user may write, and what LiteLLM calls it.
PROVIDER_ALIASES: Mapping[str, str] = MappingProxyType({"claude": "anthropic", "google": "gemini"})

_OPERATIONS = ("/chat/completions", "/completions", "/embeddings", "/responses")


def compile_model(model: ModelDefinition) -> CompiledModel:
    """A model with its endpoints resolved and its price looked up."""
    unit_price, has_price = price(model)
    return CompiledModel(
        name=model.name,
        targets=_targets(model),
        price=unit_price,
        has_price=has_price,
        capabilities=frozenset(model.capabilities),
        context_length=context_length(model),
        requests_per_minute=model.rate_limits.requests_per_minute,
        tokens_per_minute=model.rate_limits.tokens_per_minute,
        max_tokens=model.parameters.max_tokens,
        definition=model,
    )


def base_url(endpoint: str) -> str:
    """An endpoint without the operation's path: …/v1/chat/completions gives …/v1."""
    trimmed = endpoint.rstrip("/")
    for operation in _OPERATIONS:
        if trimmed.endswith(operation):
            return trimmed.removesuffix(operation)
    return trimmed


def _targets(model: ModelDefinition) -> tuple[Target, ...]:
    primary = _target(model, model.name, model.endpoints.primary)
    if not model.endpoints.backup:
        return (primary,)
    backup = _target(model, f"{model.name}#backup", model.endpoints.backup)
    # Two operations of one API are one endpoint to fail over to: itself.
    return (primary,) if backup.base_url == primary.base_url else (primary, backup)


def _target(model: ModelDefinition, key: str, endpoint: str) -> Target:
    provider = PROVIDER_ALIASES.get(model.provider, model.provider)
    lane = Lane.ADAPTER
    if provider in FULL_PROVIDERS:
        lane = Lane.FULL
    elif provider in WIRE_PROVIDERS:
        lane = Lane.WIRE
    base = base_url(endpoint)
    if provider == "ollama" and base.endswith("/api/chat"):
        # Ollama's own protocol instead of its OpenAI-compatible one.
        provider, lane, base = "ollama_chat", Lane.ADAPTER, base.removesuffix("/api/chat")
    if lane is Lane.WIRE:
        base = base or WIRE_PROVIDERS[provider]
    return Target(
        model=model.name,
        key=key,
        provider=provider,
        model_name=model.model_name,
        lane=lane,
        base_url=base,
        auth_type=model.authentication.type,
        secret=model.authentication.secret_ref,
        defaults=_defaults(model),
    )


def _defaults(model: ModelDefinition) -> dict[str, Any]:
    """A plain dict, not a proxy: it is pickled when the call runs in another process."""
    parameters = model.parameters.model_dump(exclude_none=True, exclude={"extra", "stop"})
    if model.parameters.stop:
        parameters["stop"] = list(model.parameters.stop)
    return {**model.parameters.extra, **parameters}
