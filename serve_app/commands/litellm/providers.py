"""The provider, name and address of a model out of how LiteLLM writes them. Used by `models.py`.

What stands before the first slash is the provider; a name without one goes where LiteLLM's own rules take it,
or nowhere: with a guess, a key would go to a company that it is not of.
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

from voyager_llm.definitions.price_list import row
from voyager_llm.domain.providers import PROVIDERS

# LiteLLM's other names of what is one provider here.
_SAME = {
    "ai21": "ai21_chat",
    "aiohttp_openai": "openai",
    "anthropic_text": "anthropic",
    "bedrock_converse": "bedrock",
    "text-completion-openai": "openai",
    "text-completion-codestral": "codestral",
}
# How LiteLLM is told to speak another of a provider's APIs; ours is found by what a client asks for.
_APIS = ("responses/", "chat/")
_WITH_APIS = ("openai", "azure")


class NotOfferedError(Exception):
    """A model that nothing here can call; the text says why and what to do."""


@dataclass(frozen=True, slots=True)
class Target:
    """What is called. ``address``: the provider's, where it is none of those that are known here."""

    provider: str
    model_name: str
    address: str = ""
    # What is different, for a note.
    remark: str = ""


def target_of(model: str, provider: str, api_base: str) -> Target:
    """``model`` as `litellm_params.model`, ``provider`` as `custom_llm_provider`. Raises
    `NotOfferedError`."""
    found = _known(model, provider) or _inferred(model, provider, api_base)
    return _own_server(_plain(found), api_base)


def _known(model: str, provider: str) -> Target | None:
    """The usual case, for which LiteLLM need not be asked."""
    prefix, slash, rest = model.partition("/")
    if provider and prefix != provider:
        prefix, slash, rest = provider, "/", model
    prefix = _SAME.get(prefix, prefix)
    return Target(prefix, rest) if slash and rest and prefix in PROVIDERS else None


def _inferred(model: str, provider: str, api_base: str) -> Target:
    # Importing LiteLLM takes seconds, and most configurations do not need it.
    from deployments.lanes.inference import inferred  # noqa: PLC0415

    found = inferred(model, provider, api_base)
    if found is None:
        raise NotOfferedError(
            f"LiteLLM itself takes {model[:80]!r} to no provider; write it with one, as in `openai/NAME`"
        )
    name = _SAME.get(found.provider, found.provider)
    if name in PROVIDERS:
        return Target(name, found.model_name)
    address = api_base or found.address
    if not found.address or not address:
        raise NotOfferedError(
            f"the provider {found.provider!r} is not offered; where it speaks OpenAI's protocol, write "
            f"`openai/NAME` "
            "with api_base"
        )
    remark = f"the provider {found.provider!r} is called as `custom`, a server of OpenAI's protocol"
    return Target("custom", found.model_name, address, remark)


def _plain(target: Target) -> Target:
    for api in _APIS:
        if target.provider in _WITH_APIS and target.model_name.startswith(api):
            remark = f"{api[:-1]!r} chooses another of the provider's APIs; the client's request chooses here"
            return Target(target.provider, target.model_name.removeprefix(api), remark=remark)
    return target


def _own_server(target: Target, api_base: str) -> Target:
    """`openai/…` at another host is a server of OpenAI's protocol, unless it offers OpenAI's own models."""
    if target.provider != "openai" or not api_base:
        return target
    try:
        parts = urlsplit(api_base)
        host = parts.hostname or ""
    except ValueError:
        return target
    is_openais = host == "api.openai.com" or host.endswith(".openai.com")
    if is_openais or (parts.scheme == "https" and row("openai", target.model_name)):
        return target
    return Target("custom", target.model_name, remark=target.remark)
