"""The HTTP ingress: one ASGI application over the pipeline and the service.

Reading order: `HttpIngress.__call__` → `_dispatch` → the codec of the path. Who calls is known from the
headers before the body is read: strangers cannot make us wait for one. Used by `model_router.py`.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable
from importlib.resources import files
from urllib.parse import parse_qsl

from deployments.ingress.asgi import (
    BodyLimits,
    DisconnectWatch,
    HttpRequest,
    Receive,
    Scope,
    Send,
    has_body,
    header,
    read_request,
    respond,
)
from deployments.ingress.context import context_of
from deployments.ingress.docs import docs_page
from deployments.ingress.identity import Authenticator
from deployments.ingress.openai.api import OPERATIONS, OpenAIApi
from deployments.ingress.rest.transcoder import Transcoder
from deployments.ingress.status import openai_body, rest_body, retry_headers
from voyager_llm.domain.request import RequestContext
from voyager_llm.errors import (
    InvalidArgument,
    NotFound,
    RequestTimeout,
    RequestTooLarge,
    Unauthenticated,
    public,
    rendering,
)
from voyager_llm.settings import Settings

log = logging.getLogger(__name__)

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
        try:
            await self._dispatch(scope, receive, send)
        except Exception as error:
            fault = public(error)
            if fault is not error:
                log.exception("request failed")
            is_rest = scope["path"].startswith("/api/")
            body = rest_body(fault) if is_rest else openai_body(fault)
            headers = retry_headers(fault)
            if isinstance(fault, _UNREAD) and has_body(dict(scope["headers"])):
                headers.append((b"connection", b"close"))
            await respond(send, rendering(fault).http, body, headers)

    async def _dispatch(self, scope: Scope, receive: Receive, send: Send) -> None:
        path: str = scope["path"]
        if path in _OPEN:
            await self._open(path, send)
            return
        headers: dict[bytes, bytes] = dict(scope["headers"])
        principal = await self._authenticator.identify(
            header(headers, b"authorization"), header(headers, b"x-voyager-user")
        )
        arrived = time.monotonic()
        request = await read_request(scope, headers, receive, self._limits)
        ctx = context_of(lambda name: header(headers, name.encode()), principal, arrived)
        watch = DisconnectWatch(receive)
        try:
            await self._answer(request, path, ctx, send)
        finally:
            watch.stop()

    async def _answer(self, request: HttpRequest, path: str, ctx: RequestContext, send: Send) -> None:
        operation = OPERATIONS.get(path)
        if operation is not None and request.method == "POST":
            await self._openai.complete(request, operation, ctx, send)
        elif path.startswith("/api/"):
            await self._rest.serve(request, ctx, send)
        elif request.method == "GET":
            await self._get(request, path, send)
        else:
            raise NotFound(f"no such path; see /docs ({path[:200]})")

    async def _get(self, request: HttpRequest, path: str, send: Send) -> None:
        if path == "/v1/models":
            await respond(send, 200, self._openai.list_models())
        elif path.startswith("/v1/models/"):
            await respond(send, 200, self._openai.get_model(path))
        elif path == "/metrics":
            await respond(send, 200, await self._metrics(_of_every_replica(request.query)), kind=_TEXT)
        elif path == "/statusz":
            await respond(send, 200, await self._reports())
        elif path == "/openapi.json":
            await respond(send, 200, self._openapi)
        elif path in ("/", "/docs"):
            await respond(send, 200, docs_page(self._openapi), kind=_HTML)
        else:
            raise NotFound(f"no such path; see /docs ({path[:200]})")

    async def _open(self, path: str, send: Send) -> None:
        """Health, which needs no key: alive, and able to answer."""
        healthy = path == "/healthz" or self._is_ready()
        body = b"ok\n" if healthy else b"no configuration yet\n"
        await respond(send, 200 if healthy else 503, body, kind=_TEXT)


def _of_every_replica(query: str) -> bool:
    """What `/metrics` is asked for: this replica's, or with ``replicas=all`` every one's."""
    asked = dict(parse_qsl(query, keep_blank_values=True)).get("replicas")
    if asked not in (None, "all"):
        raise InvalidArgument("must be all, or left out for this replica alone", "replicas")
    return asked is not None


_OPEN = frozenset({"/healthz", "/readyz"})
# Errors from before a body's end: what is left of it would be taken for the next request.
_UNREAD = (Unauthenticated, RequestTooLarge, RequestTimeout)
