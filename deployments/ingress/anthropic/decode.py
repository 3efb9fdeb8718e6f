"""Anthropic's requests into `CompletionRequest`. Used by `anthropic/api.py`.

The client's own bytes go along for endpoints that speak Anthropic's API; for others a chat is made of them
(`chat.py`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from deployments.ingress.anthropic.chat import Chat
from deployments.ingress.anthropic.turns import signed_alone
from deployments.ingress.asgi import HttpRequest
from deployments.ingress.openai.decode import named_in, read_object
from voyager_llm.domain.completion import CompletionRequest, Headers, Original
from voyager_llm.domain.operation import Operation
from voyager_llm.domain.parameters import check
from voyager_llm.errors import InvalidArgument

_VERSION = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_BETA = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_MAX_BETAS = 64
# How a thought looks that another model had.
_UNSIGNED = re.compile(rb'"signature"\s*:\s*""')


@dataclass(frozen=True, slots=True)
class Asked:
    """A request, and what it says of who asks."""

    request: CompletionRequest
    metadata: object


def decode(request: HttpRequest, operation: Operation) -> Asked:
    """``operation``: `MESSAGES` or `COUNT_TOKENS`. Raises `InvalidArgument` naming the field."""
    document = read_object(request.body)
    destination, prompt = named_in(document)
    if prompt is not None and operation is Operation.COUNT_TOKENS:
        raise InvalidArgument("tokens of stored prompts are not counted; name the model", "model")
    further = check(operation, document)
    if prompt is None and not document.get("messages"):
        raise InvalidArgument("must be a list of at least one message", "messages")
    stream = document.pop("stream", False)
    chat = Chat(document, further)
    original = None
    if prompt is None:
        original = _original(operation, request, document)
    elif (obstacle := chat.obstacle()) is not None:
        raise obstacle
    asked = CompletionRequest(
        operation=Operation.CHAT,
        destination=destination,
        body=chat,
        further=further,
        prompt=prompt,
        stream=bool(stream),
        original=original,
        is_translated=True,
        obstacle=chat.obstacle,
    )
    return Asked(asked, document.get("metadata"))


def _original(operation: Operation, request: HttpRequest, document: dict[str, Any]) -> Original:
    """As it came, but for thoughts that another model had: Anthropic's API refuses what it has not signed."""
    body = request.body
    if _UNSIGNED.search(body):
        body, document = b"", {**document, "messages": signed_alone(document.get("messages") or [])}
    return Original(operation, body, document, _headers(request))


def _headers(request: HttpRequest) -> Headers:
    """Those that steer Anthropic's API: its version, and features that are not for everybody yet."""
    found: list[tuple[str, str]] = []
    if version := request.header(b"anthropic-version"):
        if _VERSION.fullmatch(version) is None:
            raise InvalidArgument("must be a date such as 2023-06-01", "anthropic-version")
        found.append(("anthropic-version", version))
    if given := request.header(b"anthropic-beta"):
        betas = [name for one in given.split(",") if (name := one.strip())]
        if len(betas) > _MAX_BETAS or not all(_BETA.fullmatch(name) for name in betas):
            raise InvalidArgument(
                f"must be at most {_MAX_BETAS} names, separated by commas", "anthropic-beta"
            )
        if betas:
            found.append(("anthropic-beta", ",".join(betas)))
    return tuple(found)
