"""One entry of `model_list` as a ModelDefinition, or a note why it is none. Used by `routes.py`."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import parse_qs, urlsplit, urlunsplit

from serve_app.commands.litellm.entries import Entry
from serve_app.commands.litellm.notes import Notes, shown
from serve_app.commands.litellm.parameters import parameters
from serve_app.commands.litellm.prices import context_length, cost
from serve_app.commands.litellm.providers import NotOfferedError, Target, target_of
from serve_app.commands.litellm.secrets import Secrets
from serve_app.commands.litellm.source import Node
from serve_app.commands.litellm.values import UnresolvedError, Variables, WrongValueError
from voyager_llm.definitions.price_list import row
from voyager_llm.domain.address import check_endpoint
from voyager_llm.domain.definition import parse
from voyager_llm.domain.model import ModelDefinition
from voyager_llm.domain.providers import PROVIDERS, Lane
from voyager_llm.errors import InvalidArgument

# What the service offers; LiteLLM's word for chats over another API of the provider's is "responses".
_MODES = ("chat", "completion", "embedding", "responses")
_ADDRESSES = ("api_base", "base_url", "aws_bedrock_runtime_endpoint")


@dataclass(frozen=True, slots=True)
class _Setting:
    """A setting of the call itself: its names in LiteLLM, and the variables that stand for it there."""

    names: tuple[str, ...]
    variables: tuple[str, ...]


_SETTINGS = {
    "api_version": _Setting(("api_version",), ("AZURE_API_VERSION",)),
    "aws_region_name": _Setting(("aws_region_name",), ("AWS_REGION_NAME", "AWS_REGION")),
    "vertex_project": _Setting(("vertex_project", "vertex_ai_project"), ("VERTEXAI_PROJECT",)),
    "vertex_location": _Setting(("vertex_location", "vertex_ai_location"), ("VERTEXAI_LOCATION",)),
    "project_id": _Setting(("project_id",), ("WATSONX_PROJECT_ID",)),
    "space_id": _Setting(("space_id",), ("WATSONX_DEPLOYMENT_SPACE_ID",)),
}
_KEYS = ("api_key", "vertex_credentials", "vertex_ai_credentials")
# Hosted, at an address that holds the account.
_BY_ACCOUNT = ("cloudflare",)
_LOOPBACK = ("localhost", "127.0.0.1", "::1")
_DEPLOYMENT = re.compile(r"(https?://[^/]+)/openai/deployments/([^/]+)(?:/.*)?")
_CAPABILITY = re.compile(r"[a-z][a-z0-9_]{0,63}")


@dataclass(frozen=True, slots=True)
class Context:
    """What all entries of an import share."""

    variables: Variables
    secrets: Secrets
    notes: Notes


def model_of(entry: Entry, name: str, context: Context) -> dict[str, Any] | None:
    """The definition of an entry under ``name``; None: it was noted why there is none."""
    try:
        return _model(entry, name, context)
    except (UnresolvedError, WrongValueError, NotOfferedError, InvalidArgument) as error:
        text = f"{error.field}: {error.message}" if isinstance(error, InvalidArgument) else str(error)
        context.notes.left_out(entry.place, shown(entry.name), text)
        return None


def _model(entry: Entry, name: str, context: Context) -> dict[str, Any]:
    variables, notes = context.variables, context.notes
    _refuse_paused(entry)
    base, version = _address(entry, variables)
    custom = (
        variables.text(entry.params["custom_llm_provider"]) if "custom_llm_provider" in entry.params else ""
    )
    target = target_of(entry.model, custom, base)
    if target.remark:
        notes.differs(entry.place, shown(entry.name), target.remark)
    declared = base
    base = base or target.address or _default_address(target, variables)
    target, base = _of_deployment(target, base)
    _refuse_other_modes(entry, target)
    definition: dict[str, Any] = {"name": name, "provider": target.provider, "model_name": target.model_name}
    found = {
        "capabilities": _capabilities(entry),
        "parameters": _parameters(entry, target, version, context),
        "cost": cost(entry, target.provider, target.model_name, variables, notes),
        "rate_limits": _limits(entry, context),
        "endpoints": {"primary": base} if base else None,
        "authentication": _authentication(entry, name, target, declared, context),
        "context_length": context_length(entry, target.provider, target.model_name, variables, notes),
    }
    definition |= {field: value for field, value in found.items() if value}
    parse(ModelDefinition, definition)
    if context.secrets.holds(str(definition)):
        raise WrongValueError("repeats a key of the file outside of api_key, and no key is copied")
    if base and (urlsplit(base).hostname or "") in _LOOPBACK:
        notes.todo(
            entry.place,
            shown(entry.name),
            "is called on the service's own machine; say another host if it is not there",
        )
    return definition


def _refuse_paused(entry: Entry) -> None:
    node = entry.info.get("blocked")
    if node is not None and node.value is True:
        raise NotOfferedError("is paused (model_info.blocked); import it when it is not")


def _refuse_other_modes(entry: Entry, target: Target) -> None:
    node = entry.info.get("mode")
    mode = (
        str(node.scalar)
        if node is not None
        else str(row(target.provider, target.model_name).get("mode", "chat"))
    )
    if mode not in _MODES:
        raise NotOfferedError(
            f"is for {shown(mode)}; chats, texts and embeddings are offered, so let clients call the "
            f"provider itself"
        )


def _address(entry: Entry, variables: Variables) -> tuple[str, str]:
    """Where an entry says that it is, and the version of the API that its address asks for; empty: not said.

    Raises `UnresolvedError` and `WrongValueError`: a key must not go elsewhere for want of an address."""
    for name in _ADDRESSES:
        node = entry.params.get(name)
        text = variables.text(node) if node is not None else ""
        if not text:
            continue
        try:
            parts = urlsplit(text)
            version = parse_qs(parts.query).get("api-version", [""])[0]
            address = urlunsplit(parts._replace(query="")) if version else text
            check_endpoint(address)
        except ValueError as error:
            raise WrongValueError(f"litellm_params.{name} {error}") from None
        return address, version
    return "", ""


def _of_deployment(target: Target, base: str) -> tuple[Target, str]:
    """An address of Azure's in full, as its portal shows it, is a resource's and a deployment's name."""
    found = _DEPLOYMENT.fullmatch(base) if target.provider.startswith("azure") else None
    return (replace(target, model_name=found[2]), found[1]) if found else (target, base)


def _default_address(target: Target, variables: Variables) -> str:
    """Where LiteLLM's variable of a provider says that it is, as far as it is given."""
    found = variables.find(f"{target.provider.upper()}_API_BASE") or ""
    if not found and PROVIDERS[target.provider].needs_endpoint:
        raise NotOfferedError(
            f"says no address; write api_base, or import again with --env "
            f"{target.provider.upper()}_API_BASE=URL"
        )
    return found


def _capabilities(entry: Entry) -> list[str]:
    names = (
        name.removeprefix("supports_")
        for name, node in entry.info.items()
        if name.startswith("supports_") and node.value is True
    )
    return sorted(name for name in names if _CAPABILITY.fullmatch(name))


def _parameters(entry: Entry, target: Target, version: str, context: Context) -> dict[str, Any]:
    found = parameters(entry, context.variables, context.secrets, context.notes)
    settings = _settings(entry, target, context)
    if version:
        settings.setdefault("api_version", version)
    if settings:
        found["extra"] = {**found.get("extra", {}), **settings}
    return found


def _settings(entry: Entry, target: Target, context: Context) -> dict[str, str]:
    taken = PROVIDERS[target.provider].settings
    found: dict[str, str] = {}
    for setting, of in _SETTINGS.items():
        given = [(name, entry.params[name]) for name in of.names if name in entry.params]
        for name, node in given:
            if setting in taken:
                found[setting] = context.variables.text(node)
            else:
                context.notes.lost(
                    node.place,
                    f"litellm_params.{name} of {shown(entry.name)}",
                    f"the address of provider {target.provider} has none",
                )
        variables = [value for name in of.variables if (value := context.variables.find(name))]
        if not given and setting in taken and variables:
            found[setting] = variables[0]
    return found


def _authentication(
    entry: Entry, name: str, target: Target, declared: str, context: Context
) -> dict[str, Any]:
    """``declared``: the address that the entry itself says."""
    key: Node | None = next((entry.params[key] for key in _KEYS if key in entry.params), None)
    if key is not None and not PROVIDERS[target.provider].key_argument:
        context.notes.lost(key.place, f"the key of {shown(entry.name)}", "the service's own identity is used")
    return context.secrets.authentication(
        name, target.provider, key, entry.place, elsewhere=_is_elsewhere(target.provider, declared)
    )


def _is_elsewhere(name: str, declared: str) -> bool:
    """Whether a model is at a server of somebody's own, which may ask for no key."""
    of = PROVIDERS[name]
    if of.lane is Lane.FULL or name in _BY_ACCOUNT:
        return False
    moved = bool(declared) and urlsplit(declared).hostname != urlsplit(of.address).hostname
    return moved or of.needs_endpoint


def _limits(entry: Entry, context: Context) -> dict[str, int]:
    found: dict[str, int] = {}
    for name, field in (("rpm", "requests_per_minute"), ("tpm", "tokens_per_minute")):
        node = entry.either(name)
        if node is None:
            continue
        subject = f"{name} of {shown(entry.name)}"
        try:
            limit = context.variables.count(node)
        except (UnresolvedError, WrongValueError) as error:
            context.notes.lost(node.place, subject, f"{error}; the model has no such limit now")
            continue
        if limit == 0:
            context.notes.lost(
                node.place, subject, "0 is no limit here; leave the model out if it shall not be used"
            )
        else:
            found[field] = limit
    return found
