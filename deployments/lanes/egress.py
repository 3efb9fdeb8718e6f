"""The full lane's way out: LiteLLM's clients may reach what the call at hand may reach, and nothing else.

LiteLLM opens connections of its own, to hosts that it works out itself, and follows redirects. All its
clients take their connections from two places, which `install` replaces by guards. A guard lets a request
pass only while a call is `granted` hosts, to one of these hosts, over our own pooled client with its checks
(`upstream.py`), and turns failed answers into errors of ours, as on the other lanes. Used by `full.py`.
"""

from __future__ import annotations

import gc
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, cast

import aiohttp
import httpx
import litellm
import orjson
from litellm.llms.custom_httpx.aiohttp_transport import LiteLLMAiohttpTransport
from litellm.llms.custom_httpx.http_handler import AsyncHTTPHandler, HTTPHandler

from deployments.lanes.answers import with_report
from deployments.lanes.faults import REDIRECTED, fault
from deployments.lanes.said import MOST_BYTES
from deployments.lanes.seclusion import secluded
from deployments.lanes.upstream import CONNECT_ERRORS, client_fault
from voyager_llm.domain.providers import reaches
from voyager_llm.errors import UpstreamInvalid, UpstreamMisconfigured


@dataclass(slots=True)
class Grant:
    """The hosts that one call may reach, and the client that it reaches them through."""

    hosts: tuple[str, ...]
    session: Callable[[], aiohttp.ClientSession]
    # Whether a request has left: before, a failure is not the provider's.
    is_used: bool = False

    def use(self, url: httpx.URL) -> None:
        """Raises `UpstreamMisconfigured`."""
        self.is_used = True
        if not reaches(url.host, self.hosts):
            raise UpstreamMisconfigured("the provider's client turned to a host that is not the endpoint's")


# Where LiteLLM gives a request no time of its own; the call's deadline holds besides.
_SECONDS = 600.0
_BLOCKING_SECONDS = 20.0

_NOTHING = Grant((), aiohttp.ClientSession)
# Of the call that runs. A context variable, since LiteLLM keeps its clients for all calls.
_GRANT: ContextVar[Grant] = ContextVar("voyager_egress", default=_NOTHING)


def give(granted: Grant) -> None:
    """Let what runs in this context reach what is granted."""
    _GRANT.set(granted)


class _Guard(httpx.AsyncBaseTransport):
    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        granted = _GRANT.get()
        granted.use(request.url)
        transport: Any = LiteLLMAiohttpTransport(client=granted.session, owns_session=False)
        try:
            with secluded(False):
                response = await transport.handle_async_request(request)
        except httpx.TransportError as error:
            if isinstance(error.__cause__, CONNECT_ERRORS):
                raise client_fault(error.__cause__, _SECONDS) from error
            raise
        if response.is_success:
            return await _reporting(response)
        # Judged here, where the answer still is as the provider gave it.
        try:
            raise fault(response.status_code, await _beginning(response), response.headers)
        finally:
            await response.aclose()


# Marks of answers in the formats in which LiteLLM insists on a report: Converse, Messages, Gemini.
_INSISTS = ("output", "content", "candidates")


async def _reporting(response: httpx.Response) -> httpx.Response:
    """A whole answer with a report of usage, be it an empty one; anything else as it is."""
    if not response.headers.get("content-type", "").startswith("application/json"):
        return response
    body = await response.aread()
    try:
        document: object = orjson.loads(body)
    except orjson.JSONDecodeError:
        return response
    if not isinstance(document, dict) or not any(mark in document for mark in _INSISTS):
        return response
    answer = cast("dict[str, Any]", document)
    if answer.get("usage") or answer.get("usageMetadata"):
        return response
    kind = {"content-type": "application/json"}
    return httpx.Response(response.status_code, headers=kind, content=with_report(answer))


async def _beginning(response: httpx.Response) -> bytes:
    """As much of a failed answer as its error needs."""
    body = b""
    async for piece in response.aiter_bytes():
        body += piece
        if len(body) >= MOST_BYTES:
            break
    return body


class _BlockingGuard(httpx.HTTPTransport):
    """For clients that block their thread: ours, and those that LiteLLM should not use (`seclusion.py`)."""

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        _GRANT.get().use(request.url)
        response = super().handle_request(request)
        if response.has_redirect_location:
            response.close()
            raise UpstreamInvalid(REDIRECTED)
        return response


def blocking_client(hosts: tuple[str, ...]) -> httpx.Client:
    """A client for a thread of its own, which may wait: to ``hosts`` alone."""
    _GRANT.set(Grant(hosts, aiohttp.ClientSession))
    return httpx.Client(transport=_BlockingGuard(trust_env=False), timeout=_BLOCKING_SECONDS)


def install() -> None:
    """Put the guards in place, also in the clients that LiteLLM has made while it was imported."""
    handler: Any = AsyncHTTPHandler
    # Under both its names, since LiteLLM uses both.
    handler.create_async_transport = handler._create_async_transport = staticmethod(_guarded)
    untyped: Any = litellm
    untyped.sync_transport = _BlockingGuard(trust_env=False)
    # A proxy of the environment would see keys.
    untyped.disable_aiohttp_trust_env = True
    # Its modules have made clients of their own, and a cache holds some of them for an hour.
    for found in gc.get_objects():
        if isinstance(found, AsyncHTTPHandler):
            found.client = httpx.AsyncClient(transport=_Guard(), timeout=_SECONDS)
        elif isinstance(found, HTTPHandler):
            found.client = httpx.Client(transport=untyped.sync_transport, timeout=_BLOCKING_SECONDS)


def _guarded(*_: Any, **__: Any) -> _Guard:
    return _Guard()
