"""The HTTP ingress: one ASGI application over the pipeline and the service.

Reading order: `HttpIngress.__call__` → `_answer` → the codec of the path. Who calls is known from the
headers before the body is read: strangers cannot make us wait for one. Used by `model_router.py`.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from importlib.resources import files
from urllib.parse import parse_qsl

from deployments.ingress.asgi import (
    JSON,
    BodyLimits,
    DisconnectWatch,
    Header,
    HttpRequest,
    Receive,
    Scope,
    Send,
    has_body,
    header,
    read_request,
    respond,
)
from deployments.ingress.context import context_of, trace_of
from deployments.ingress.docs import docs_page
from deployments.ingress.failing import fail
from deployments.ingress.identity import Authenticator
from deployments.ingress.openai.api import OPERATIONS, OpenAIApi
from deployments.ingress.rest.transcoder import Transcoder
from deployments.ingress.status import openai_body, rest_body, trace_headers
from voyager_llm.domain.request import RequestContext, Trace
from voyager_llm.errors import (
    InvalidArgument,
    NotFound,
    RequestTimeout,
    RequestTooLarge,
    Unauthenticated,
)
from voyager_llm.settings import Settings

_TEXT = (b"content-type", b"text/plain; charset=utf-8")
_HTML = (b"content-type", b"text/html; charset=utf-8")


class HttpIngress:
    """Routes a request to its codec, and renders errors in the shape of that codec's API.

    ``metrics`` is told whether those of every replica are asked for."""

    def __init__(
        self,
        openai: OpenAIApi,
        rest: Transcoder,
        authenticator: Authenticator,
        is_ready: Callable[[], bool],
        metrics: Callable[[bool], Awaitable[bytes]],
        reports: Callable[[], Awaitable[bytes]],
        settings: Settings,
    ) -> None:
        self._openai = openai
        self._rest = rest
        self._authenticator = authenticator
        self._is_ready = is_ready
        self._metrics = metrics
        self._reports = reports
        self._limits = BodyLimits(settings.max_body_bytes, settings.body_timeout_s, settings.client_timeout_s)
        self._openapi = files("voyager_llm.v1").joinpath("openapi.json").read_bytes()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Codecs raise before they begin to answer; what happens to a stream later, they send."""
        if scope["type"] != "http":
            return
        lines: dict[bytes, bytes] = dict(scope["headers"])

        def said(name: str) -> str:
            return header(lines, name.encode())

        trace = trace_of(said)
        try:
            if scope["path"] in _OPEN:
                await self._open(scope["path"], trace, send)
                return
            principal = await self._authenticator.identify(said("authorization"), said("x-voyager-user"))
            arrived = time.monotonic()
            request = await read_request(scope, lines, receive, self._limits)
            ctx = context_of(said, principal, trace, arrived)
            await self._watched(request, ctx, receive, send)
        except Exception as error:
            body = rest_body if scope["path"].startswith("/api/") else openai_body
            unread = isinstance(error, _UNREAD) and has_body(lines)
            await fail(send, error, trace.id, body, _CLOSE if unread else ())

    async def _watched(self, request: HttpRequest, ctx: RequestContext, receive: Receive, send: Send) -> None:
        watch = DisconnectWatch(receive)
        try:
            await self._answer(request, ctx, send)
        finally:
            watch.stop()

    async def _answer(self, request: HttpRequest, ctx: RequestContext, send: Send) -> None:
        path = request.path
        operation = OPERATIONS.get(path)
        if operation is not None and request.method == "POST":
            await self._openai.complete(request, operation, ctx, send)
        elif path.startswith("/api/"):
            await self._rest.serve(request, ctx, send)
        elif request.method == "GET":
            body, kind = await self._document(path, request.query)
            await respond(send, 200, body, trace_headers(ctx.trace.id), kind)
        else:
            raise NotFound(f"no such path; see /docs ({path[:200]})")

    async def _document(self, path: str, query: str) -> tuple[bytes, Header]:
        """What there is to read, and of which type."""
        if path == "/v1/models":
            return self._openai.list_models(), JSON
        if path.startswith("/v1/models/"):
            return self._openai.get_model(path), JSON
        if path == "/metrics":
            return await self._metrics(_of_every_replica(query)), _TEXT
        if path == "/statusz":
            return await self._reports(), JSON
        if path == "/openapi.json":
            return self._openapi, JSON
        if path in ("/", "/docs"):
            return docs_page(self._openapi), _HTML
        raise NotFound(f"no such path; see /docs ({path[:200]})")

    async def _open(self, path: str, trace: Trace, send: Send) -> None:
        """Health, which needs no key: alive, and able to answer."""
        named = trace_headers(trace.id)
        if path == "/healthz" or self._is_ready():
            await respond(send, 200, b"ok\n", named, _TEXT)
        else:
            await respond(send, 503, b"no configuration yet\n", [*named, (b"retry-after", b"1")], _TEXT)


def _of_every_replica(query: str) -> bool:
    """What `/metrics` is asked for: this replica's, or with ``replicas=all`` every one's."""
    asked = dict(parse_qsl(query, keep_blank_values=True)).get("replicas")
    if asked not in (None, "all"):
        raise InvalidArgument("must be all, or left out for this replica alone", "replicas")
    return asked is not None


_OPEN = frozenset({"/healthz", "/readyz"})
# Errors from before a body's end: what is left of it would be taken for the next request.
_UNREAD = (Unauthenticated, RequestTooLarge, RequestTimeout)
_CLOSE: tuple[Header, ...] = ((b"connection", b"close"),)
