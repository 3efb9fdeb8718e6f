"""The address of an endpoint, however a definition writes it: a host alone, with a version, or in full.

What is written in full is taken as it stands. Of anything less, the rest is what the provider's own API
has there. Pure; used by `definitions/compiler.py`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from types import MappingProxyType
from urllib.parse import urlsplit

from voyager_llm.domain.operation import FURTHER
from voyager_llm.domain.providers import Lane, Provider

# What OpenAI's API has below its base.
_OPERATIONS = (
    "/chat/completions", "/completions", "/embeddings", "/responses", *sorted(FURTHER)
)  # fmt: skip
_VERSION = re.compile(r"/v\d+(alpha|beta)?\d*$")
_OF_GEMINI = re.compile(r"/models(/.*)?$")
_OF_OLLAMA = re.compile(r"(/api(/(chat|generate|embed|embeddings))?|/v1)$")


def base_url(name: str, provider: Provider, endpoint: str) -> str:
    """Where the API begins: what the lane appends an operation to, or calls as it is.

    ``name`` is the provider's; ``endpoint`` what a definition says, or empty."""
    written = endpoint.rstrip("/")
    if not written:
        # Of those without a fixed address, LiteLLM makes one out of a region.
        return "" if provider.lane is Lane.FULL else provider.address
    return _FORMS.get(name, _openai)(provider, written)


def speaks_ollamas_own(endpoint: str) -> bool:
    """Whether an endpoint of Ollama's is of its own protocol instead of its OpenAI-compatible one."""
    found = _OF_OLLAMA.search(endpoint.rstrip("/"))
    return bool(found) and found[1].startswith("/api")


def _openai(provider: Provider, written: str) -> str:
    for operation in _OPERATIONS:
        if written.endswith(operation):
            return written.removesuffix(operation)
    if provider.lane is Lane.FULL:
        return written
    given, own = urlsplit(written), urlsplit(provider.address)
    if given.hostname == own.hostname and given.path in ("", "/v1"):
        return f"{given.scheme}://{given.netloc}{own.path}"
    return written + provider.path if not given.path else written


def _in_full(provider: Provider, written: str) -> str:
    """Of adapters that call the address as it is: what is missing of the provider's own path is added."""
    steps = urlsplit(provider.address).path.split("/")[1:]
    for known in range(len(steps), 0, -1):
        if written.endswith("/" + "/".join(steps[:known])):
            return "/".join([written, *steps[known:]])
    # The adapter speaks one version; another one at the end was written out of habit.
    return "/".join([_VERSION.sub("", written), *steps])


def _gemini(provider: Provider, written: str) -> str:
    if _OF_GEMINI.search(written):
        return _OF_GEMINI.sub("", written)
    return _in_full(provider, written)


def _ollama(provider: Provider, written: str) -> str:
    return _OF_OLLAMA.sub("", written)


_FORMS: Mapping[str, Callable[[Provider, str], str]] = MappingProxyType(
    {
        "anthropic": _in_full,
        "cohere": _in_full,
        "cohere_chat": _in_full,
        "gemini": _gemini,
        "ollama_chat": _ollama,
        # Whose address holds an account or a model: it is what is called.
        "cloudflare": lambda _, written: written,
        "triton": lambda _, written: written,
    }
)
