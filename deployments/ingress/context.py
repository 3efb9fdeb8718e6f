"""Who asks, until when and as part of what, read off a request: the same for HTTP and gRPC.

Used by `ingress/http.py`, `ingress/rpc/calls.py` and the codecs. `docs/requests.md` tells callers.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from os import urandom
from typing import Any, cast

from voyager_llm.domain.request import Principal, RequestContext, Trace
from voyager_llm.errors import InvalidArgument
from voyager_llm.v1.completions_pb2 import GenerateCompletionRequest

_TIMEOUT = "x-voyager-timeout-ms"
_MAX_TIMEOUT_MS = 3_600_000
_SESSION = "x-session-id"
_MAX_TRACE_ID = 128
_MAX_SESSION = 256
# The tag that names the session.
_SESSION_TAG = "session_id"
# W3C Trace Context, level 1: version, trace, parent, flags.
_TRACEPARENT = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-[0-9a-f]{2}")

# Reads a header by its lower-case name; an empty string where it is absent.
Headers = Callable[[str], str]


@dataclass(frozen=True, slots=True)
class TagLimits:
    """Of a request's tags: how many, and characters of a name and of a value."""

    most: int
    name: int
    value: int


TAGS = TagLimits(32, 64, 256)
# Those that OpenAI documents for its `metadata`.
OPENAI_TAGS = TagLimits(16, 64, 512)


def context_of(
    header: Headers, principal: Principal, trace: Trace, arrived: float, remaining_s: float | None = None
) -> RequestContext:
    """``arrived``: monotonic time of the request's head, ``remaining_s``: seconds that the protocol itself
    gave the request then. Raises `InvalidArgument`."""
    asked_s = _timeout_s(header(_TIMEOUT))
    limits = [seconds for seconds in (asked_s, remaining_s) if seconds is not None]
    session = header(_SESSION)
    if len(session) > _MAX_SESSION:
        raise InvalidArgument(f"must be at most {_MAX_SESSION} characters", _SESSION)
    return RequestContext(
        principal=principal,
        trace=trace,
        deadline=arrived + min(limits) if limits else None,
        session=session,
    )


def trace_of(header: Headers) -> Trace:
    """The caller's ``x-trace-id``, else the trace of its W3C ``traceparent``, else a new one. Raises nothing,
    so that whatever is answered names it."""
    asked = header("x-trace-id")
    parent = _TRACEPARENT.match(header("traceparent"))
    named = asked if 0 < len(asked) <= _MAX_TRACE_ID and _can_be_shown(asked) else ""
    if parent is None:
        return Trace(named or urandom(16).hex())
    return Trace(named or parent[1], parent[2])


def told_by(ctx: RequestContext, message: object) -> RequestContext:
    """The context with what a request message itself says: it wins over the headers. Raises
    `InvalidArgument`."""
    if not isinstance(message, GenerateCompletionRequest):
        return ctx
    asked = message.trace_id
    if len(asked) > _MAX_TRACE_ID or not asked.isprintable():
        raise InvalidArgument(f"must be at most {_MAX_TRACE_ID} printable characters", "trace_id")
    if asked:
        ctx = replace(ctx, trace=replace(ctx.trace, id=asked))
    return tagged(ctx, dict(message.metadata), TAGS) if message.metadata else ctx


def told_by_openai(ctx: RequestContext, body: Mapping[str, Any]) -> RequestContext:
    """The context with what an OpenAI body says: ``metadata`` are tags, ``user`` is whose requests belong
    together where no session is named. Raises `InvalidArgument`."""
    metadata, user = body.get("metadata"), body.get("user")
    if isinstance(metadata, dict):
        ctx = tagged(ctx, cast("dict[str, Any]", metadata), OPENAI_TAGS)
    if not ctx.session and isinstance(user, str):
        ctx = replace(ctx, session=user[:_MAX_SESSION])
    return ctx


def told_by_anthropic(ctx: RequestContext, metadata: object) -> RequestContext:
    """The context with what ``metadata`` of Anthropic's API says: ``user_id`` is whose requests belong
    together where no session is named."""
    user = cast("dict[str, Any]", metadata).get("user_id") if isinstance(metadata, dict) else None
    if not ctx.session and isinstance(user, str):
        return replace(ctx, session=user[:_MAX_SESSION])
    return ctx


def tagged(ctx: RequestContext, tags: Mapping[str, Any], limits: TagLimits) -> RequestContext:
    """The context with these tags, and the session that they name. Raises `InvalidArgument`."""
    if len(tags) > limits.most:
        raise InvalidArgument(f"must not have more than {limits.most} entries", "metadata")
    for name, value in tags.items():
        if not 0 < len(name) <= limits.name:
            raise InvalidArgument(f"a name must have 1 to {limits.name} characters", "metadata")
        if not isinstance(value, str):
            raise InvalidArgument("must be a string", f"metadata.{name}")
        if len(value) > limits.value:
            raise InvalidArgument(f"must be at most {limits.value} characters", f"metadata.{name}")
    session = tags.get(_SESSION_TAG, "")[:_MAX_SESSION]
    return replace(ctx, session=session or ctx.session, tags=tags)


def _can_be_shown(trace: str) -> bool:
    """In a header of an answer."""
    return trace.isascii() and trace.isprintable()


def _timeout_s(given: str) -> float | None:
    if not given:
        return None
    # In ASCII alone: "²" is a digit to Python, and no number.
    if not re.fullmatch("[0-9]{1,7}", given) or not 1 <= int(given) <= _MAX_TIMEOUT_MS:
        raise InvalidArgument(f"must be from 1 to {_MAX_TIMEOUT_MS}", _TIMEOUT)
    return int(given) / 1000
