"""How an HTTP request ends that failed before its answer began. For `http.py` and the codecs."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable

from deployments.ingress.asgi import Header, Send, respond
from deployments.ingress.status import allow_headers, retry_headers, trace_headers
from voyager_llm.errors import VoyagerError, public, rendering

log = logging.getLogger(__name__)

# Renders an error for the trace that it is part of.
Body = Callable[[VoyagerError, str], bytes]


async def fail(send: Send, error: Exception, trace_id: str, body: Body, more: Iterable[Header] = ()) -> None:
    """Answer with the error; one that is no error of ours is answered as `Internal`."""
    fault = told(error, trace_id)
    headers = [*trace_headers(trace_id), *retry_headers(fault), *allow_headers(fault), *more]
    await respond(send, rendering(fault).http, body(fault, trace_id), headers)


def told(error: Exception, trace_id: str) -> VoyagerError:
    """The error as the client gets it; one that is no error of ours is logged."""
    fault = public(error)
    if fault is not error:
        log.error("a request failed (trace %s)", trace_id, exc_info=error)
    return fault
