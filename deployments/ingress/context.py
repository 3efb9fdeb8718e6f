"""Who asks, until when and as part of which trace, read off a request's headers: the same for HTTP and gRPC.

Used by `ingress/http.py` and `ingress/rpc/methods.py`, after the request has authenticated.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from os import urandom

from voyager_llm.domain.request import Principal, RequestContext, Trace
from voyager_llm.errors import InvalidArgument

_TIMEOUT = "x-voyager-timeout-ms"
_MAX_TIMEOUT_MS = 3_600_000
_MAX_TRACE_ID = 128
_MAX_SESSION = 256
# W3C Trace Context, level 1: version, trace, parent, flags.
_TRACEPARENT = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})")

# Reads a header by its lower-case name; an empty string where it is absent.
Headers = Callable[[str], str]


def context_of(
    header: Headers, principal: Principal, arrived: float, remaining_s: float | None = None
) -> RequestContext:
    """``arrived``: monotonic time of the request's head, ``remaining_s``: seconds that the protocol itself
    gave the request then. Raises `InvalidArgument`."""
    asked_s = _timeout_s(header(_TIMEOUT))
    limits = [seconds for seconds in (asked_s, remaining_s) if seconds is not None]
    return RequestContext(
        principal=principal,
        trace=_trace(header("x-trace-id"), header("traceparent")),
        deadline=arrived + min(limits) if limits else None,
        session=header("x-session-id")[:_MAX_SESSION],
    )


def _timeout_s(given: str) -> float | None:
    if not given:
        return None
    # In ASCII alone: "²" is a digit to Python, and no number.
    if not re.fullmatch("[0-9]{1,7}", given) or not 1 <= int(given) <= _MAX_TIMEOUT_MS:
        raise InvalidArgument(f"must be from 1 to {_MAX_TIMEOUT_MS}", _TIMEOUT)
    return int(given) / 1000


def _trace(asked: str, traceparent: str) -> Trace:
    """The caller's ``x-trace-id``, else the trace of its W3C ``traceparent``, else a new one."""
    parent = _TRACEPARENT.match(traceparent)
    named = asked if 0 < len(asked) <= _MAX_TRACE_ID and asked.isprintable() else ""
    if parent is None:
        return Trace(named or urandom(16).hex())
    return Trace(named or parent[1], parent[2], sampled=bool(int(parent[3], 16) & 1))
