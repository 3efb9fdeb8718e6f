"""Who asks, until when, and as part of what: made once for a request, by whichever ingress took it.

Built in `deployments/ingress/context.py` from HTTP headers or gRPC metadata; every stage is handed it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

# The headers that a client may present its key in: of OpenAI's API as a bearer token, of Azure's and of
# Anthropic's by itself.
BEARER = "authorization"
PLAIN_KEYS = ("api-key", "x-api-key")


@dataclass(frozen=True, slots=True)
class Principal:
    """Who calls. ``subject`` is the name that it gives itself; it is written beside what it changes."""

    subject: str


@dataclass(frozen=True, slots=True)
class Trace:
    """The trace that a request is part of.

    ``id`` is what answers, errors and logs show: the caller's ``x-trace-id``, else the trace of its W3C
    ``traceparent``, else a new one. ``parent_id`` is the caller's span (16 hexadecimal digits), or empty."""

    id: str
    parent_id: str = ""


def _none() -> Mapping[str, str]:
    return MappingProxyType({})


@dataclass(frozen=True, slots=True)
class RequestContext:
    """What is known of a request besides what it asks for."""

    principal: Principal
    trace: Trace
    # Monotonic seconds at which the caller stops waiting; None: it did not say.
    deadline: float | None = None
    # Requests of one session go to one model under the policy `sticky`.
    session: str = ""
    # The caller's own labels, such as a book or a customer.
    tags: Mapping[str, str] = field(default_factory=_none)
