"""What stands at which path: the one table of the HTTP ingress, but for REST's own (`rest/transcoder.py`).

OpenAI's API is under every base address that clients of it, of Azure and of other gateways are set to. An
ordinary request costs one look into a dictionary; what is spelt otherwise (a slash too many, a name within
the path) is looked at only where that finds nothing. A new operation goes into `_API`. Used by `http.py`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import Enum, auto

from deployments.ingress.asgi import segment
from voyager_llm.domain.operation import Operation
from voyager_llm.errors import MethodNotAllowed

READ = frozenset({"GET", "HEAD"})
WRITE = frozenset({"POST"})


class Page(Enum):
    """What there is to read."""

    MODELS = auto()
    MODEL = auto()
    METRICS = auto()
    STATUS = auto()
    OPENAPI = auto()
    DOCS = auto()
    HEALTH = auto()
    READINESS = auto()


@dataclass(frozen=True, slots=True)
class Place:
    """What answers at a path, and to which methods. ``name``: what the path itself names, a destination, a
    model, or what stands below responses, files or batches. ``is_open``: it asks for no key."""

    content: Operation | Page
    methods: frozenset[str] = READ
    name: str = ""
    is_open: bool = False

    def check(self, method: str) -> None:
        """Raises `MethodNotAllowed`."""
        if method not in self.methods:
            raise not_allowed(method, self.methods)


def allow(methods: Iterable[str]) -> str:
    """The header of that name, where these methods are answered."""
    return ", ".join(sorted({*methods, "OPTIONS"}))


def not_allowed(method: str, methods: Iterable[str]) -> MethodNotAllowed:
    """The error for a method that is not among those of the path."""
    useful = ", ".join(sorted({*methods} - {"HEAD"}))
    return MethodNotAllowed(f"{method[:16]} does not exist here; use {useful}", "", 0.0, allow(methods))


def find(path: str, raw_path: bytes) -> Place | None:
    """``path`` is decoded, ``raw_path`` as it came. Raises `InvalidArgument` for a name that is no text."""
    return _PLACES.get(path) or _otherwise(raw_path)


# The base addresses of OpenAI's clients; of other gateways' clients; of Azure's, new and old.
_BASES = ("/v1", "", "/openai/v1", "/openai")
_OF_ACCOUNTS = (Operation.FILES, Operation.BATCHES)
_API = {
    **{str(operation): Place(operation, WRITE) for operation in Operation},
    **{str(operation): Place(operation, READ | WRITE) for operation in _OF_ACCOUNTS},
    "/models": Place(Page.MODELS),
}
_PLACES = {
    **{base + path: place for base in _BASES for path, place in _API.items()},
    # Cohere's own.
    "/v2/rerank": Place(Operation.RERANK, WRITE),
    "/healthz": Place(Page.HEALTH, is_open=True),
    "/readyz": Place(Page.READINESS, is_open=True),
    "/metrics": Place(Page.METRICS),
    "/statusz": Place(Page.STATUS),
    "/openapi.json": Place(Page.OPENAPI),
    "/docs": Place(Page.DOCS),
    "/": Place(Page.DOCS),
}
# Azure names a deployment in the path, OpenAI's first API an engine; a name may hold slashes.
_BASE = "(?:" + "|".join(_BASES) + ")"
_OF_DEPLOYMENTS = tuple(
    operation for operation in Operation
    if operation not in {*_OF_ACCOUNTS, Operation.RESPONSES, Operation.MESSAGES, Operation.COUNT_TOKENS}
)  # fmt: skip
_NAMED = re.compile(rf"{_BASE}/(?:deployments|engines)/(.+?)({'|'.join(_OF_DEPLOYMENTS)})")
_RESPONSE = re.compile(rf"{_BASE}{Operation.RESPONSES}/(.+)")
_OWNED = re.compile(rf"{_BASE}(/files|/batches)/(.+)")
_MODEL = re.compile(rf"{_BASE}/models/(.+)")


def _otherwise(raw_path: bytes) -> Place | None:
    path = re.sub("/{2,}", "/", raw_path.decode("latin-1")).rstrip("/") or "/"
    if (place := _PLACES.get(path)) is not None:
        return place
    if (named := _NAMED.fullmatch(path)) is not None:
        return replace(_API[named[2]], name=segment(named[1]))
    if (response := _RESPONSE.fullmatch(path)) is not None:
        return Place(Operation.RESPONSES, READ | WRITE | {"DELETE"}, name=segment(response[1]))
    if (owned := _OWNED.fullmatch(path)) is not None:
        return Place(Operation(owned[1]), READ | WRITE | {"DELETE"}, name=owned[2])
    if (model := _MODEL.fullmatch(path)) is not None:
        return Place(Page.MODEL, name=segment(model[1]))
    return None
