"""The HTTP ingress: one ASGI application over the pipeline and the service.

Reading order: `HttpIngress.__call__` → `_serve` → `_answer` → the codec of the path, which `paths.py` finds.
Who calls is known from the headers before the body is read: strangers cannot make us wait for one. Used by
`model_router.py`.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from importlib.resources import files
from urllib.parse import parse_qsl

from deployments.ingress.anthropic.api import OPERATIONS as ANTHROPICS
from deployments.ingress.anthropic.api import AnthropicApi
from deployments.ingress.asgi import (
    JSON,
    DisconnectWatch,
    Header,
    HttpRequest,
    Receive,
    Scope,
    Send,
    has_body,
    header,
    raw_path,
    read_request,
    respond,
    respond_empty,
    skip_body,
    without_body,
)
from deployments.ingress.bodies import BodyBudget, BodyLimits, Hold
from deployments.ingress.context import Headers, context_of, trace_of
from deployments.ingress.cors import Cors
from deployments.ingress.docs import docs_page
from deployments.ingress.failing import fail
from deployments.ingress.identity import Authenticator
from deployments.ingress.openai.api import OpenAIApi
from deployments.ingress.openai.further import FurtherApi
from deployments.ingress.openai.responses.api import ResponsesApi
from deployments.ingress.paths import Page, Place, allow, find
from deployments.ingress.rest.transcoder import Transcoder
from deployments.ingress.status import (
    anthropic_body,
    anthropic_limits,
    openai_body,
    rest_body,
    trace_headers,
)
from voyager_llm.domain.operation import FURTHER, Operation
from voyager_llm.domain.request import RequestContext, Trace
from voyager_llm.errors import InvalidArgument, NotFound, Overloaded, RequestTooLarge, VoyagerError
from voyager_llm.settings import Settings

_TEXT = (b"content-type", b"text/plain; charset=utf-8")
_HTML = (b"content-type", b"text/html; charset=utf-8")
_REST = "/api/"
_CLOSE: tuple[Header, ...] = ((b"connection", b"close"),)


@dataclass(frozen=True, slots=True)
class Codecs:
    """What answers in the words of each API."""

    openai: OpenAIApi
    further: FurtherApi
    responses: ResponsesApi
    anthropic: AnthropicApi
    rest: Transcoder


class HttpIngress:
    """Routes a request to its codec, and renders errors in the shape of that codec's API.

    ``metrics`` is told whether those of every replica are asked for."""

    def __init__(
        self,
        codecs: Codecs,
        authenticator: Authenticator,
        is_ready: Callable[[], bool],
        metrics: Callable[[bool], Awaitable[bytes]],
        reports: Callable[[], Awaitable[bytes]],
        settings: Settings,
    ) -> None:
        self._codecs = codecs
        self._authenticator = authenticator
        self._is_ready = is_ready
        self._metrics = metrics
        self._reports = reports
        self._limits = BodyLimits.of(settings, files=False)
        self._limits_of_files = BodyLimits.of(settings, files=True)
        self._bodies = BodyBudget(settings.body_budget_bytes)
        self._cors = Cors(settings.cors_origins)
        self._openapi = files("voyager_llm.v1").joinpath("openapi.json").read_bytes()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Codecs raise before they begin to answer; what happens to a stream later, they send."""
        if scope["type"] != "http":
            return
        lines: dict[bytes, bytes] = dict(scope["headers"])

        def said(name: str) -> str:
            return header(lines, name.encode())

        if not self._cors.is_off:
            send = self._cors.adding(send, said("origin"))
        if scope["method"] == "HEAD":
            scope, send = {**scope, "method": "GET"}, without_body(send)
        trace = trace_of(said)
        hold = self._bodies.hold()
        try:
            place = find(scope["path"], raw_path(scope))
            if scope["method"] == "OPTIONS":
                _refuse_body(lines)
                headers = self._options(scope["path"], place, said)
                await respond_empty(send, [*trace_headers(trace.id), *headers])
            elif place is not None and place.is_open:
                place.check(scope["method"])
                _refuse_body(lines)
                await self._health(place, trace, send)
            else:
                await self._serve(scope, lines, place, trace, hold, receive, send)
        except Exception as error:
            # What is left of a body would be taken for the next request.
            unread = has_body(lines) and not hold.is_read
            body = _body_of(scope["path"], said(_ANTHROPICS_OWN))
            more = anthropic_limits(error) if body is anthropic_body else []
            await fail(send, error, trace.id, body, [*more, *(_CLOSE if unread else ())])
        finally:
            hold.give_back()

    async def _serve(
        self,
        scope: Scope,
        lines: dict[bytes, bytes],
        place: Place | None,
        trace: Trace,
        hold: Hold,
        receive: Receive,
        send: Send,
    ) -> None:
        """Answer whoever has the key; ``place`` is None where REST's own paths may know."""

        def said(name: str) -> str:
            return header(lines, name.encode())

        principal = await self._authenticator.identify(said)
        arrived = time.monotonic()
        limits = self._limits
        if place is not None:
            place.check(scope["method"])
            if isinstance(place.content, Operation):
                limits = self._limits_of_files
        try:
            request = await read_request(scope, lines, receive, limits, hold)
        except (Overloaded, RequestTooLarge):
            # Whoever is cut off while sending does not get to see why.
            hold.is_read = await skip_body(receive, self._limits_of_files)
            raise
        ctx = context_of(said, principal, trace, arrived)
        watch = DisconnectWatch(receive)
        try:
            await self._answer(request, place, ctx, send)
        finally:
            watch.stop()

    async def _answer(
        self, request: HttpRequest, place: Place | None, ctx: RequestContext, send: Send
    ) -> None:
        if place is None:
            if not request.path.startswith(_REST):
                raise _nowhere(request.path)
            await self._codecs.rest.serve(request, ctx, send)
        elif isinstance(place.content, Operation):
            if place.content in ANTHROPICS:
                await self._codecs.anthropic.serve(request, place.content, ctx, send)
            elif place.content in FURTHER:
                await self._codecs.further.serve(request, place.content, place.name, ctx, send)
            elif place.content is Operation.RESPONSES:
                await self._codecs.responses.serve(request, place.name, ctx, send)
            else:
                await self._codecs.openai.complete(request, place.content, place.name, ctx, send)
        else:
            body, kind = await self._page(place.content, place.name, request)
            await respond(send, 200, body, trace_headers(ctx.trace.id), kind)

    async def _page(self, page: Page, name: str, request: HttpRequest) -> tuple[bytes, Header]:
        """What there is to read, and of which type; models as the client's API shows them."""
        is_anthropics = bool(request.header(_ANTHROPICS_OWN.encode()))
        match page:
            case Page.MODELS if is_anthropics:
                return self._codecs.anthropic.list_models(request.query), JSON
            case Page.MODEL if is_anthropics:
                return self._codecs.anthropic.get_model(name), JSON
            case Page.MODELS:
                return self._codecs.openai.list_models(), JSON
            case Page.MODEL:
                return self._codecs.openai.get_model(name), JSON
            case Page.METRICS:
                return await self._metrics(_of_every_replica(request.query)), _TEXT
            case Page.STATUS:
                return await self._reports(), JSON
            case Page.OPENAPI:
                return self._openapi, JSON
            case _:
                return docs_page(self._openapi), _HTML

    async def _health(self, place: Place, trace: Trace, send: Send) -> None:
        """Which needs no key: alive, and able to answer."""
        named = trace_headers(trace.id)
        if place.content is Page.HEALTH or self._is_ready():
            await respond(send, 200, b"ok\n", named, _TEXT)
        else:
            await respond(send, 503, b"no configuration yet\n", [*named, (b"retry-after", b"1")], _TEXT)

    def _options(self, path: str, place: Place | None, said: Headers) -> list[Header]:
        """What may be done at a path; needs no key, since browsers ask before they present one."""
        methods = self._codecs.rest.methods(path) if place is None else place.methods
        if not methods:
            raise _nowhere(path)
        allowed = allow(methods)
        lines: list[Header] = [(b"allow", allowed.encode())]
        if said("access-control-request-method"):
            asked = said("access-control-request-headers")
            lines += self._cors.preflight(said("origin"), allowed, asked)
        return lines


def _nowhere(path: str) -> NotFound:
    return NotFound(f"no such path; see /docs ({path[:200]})")


def _refuse_body(headers: Mapping[bytes, bytes]) -> None:
    """Raises `InvalidArgument` where there is one: nobody reads it, and a stop would wait for its end."""
    if has_body(headers):
        raise InvalidArgument("what needs no key takes no body")


def _body_of(path: str, anthropic_version: str) -> Callable[[VoyagerError, str], bytes]:
    """What renders an error there."""
    if path.startswith(_REST):
        return rest_body
    is_anthropics = bool(anthropic_version) or path.rstrip("/").endswith(tuple(ANTHROPICS))
    return anthropic_body if is_anthropics else openai_body


def _of_every_replica(query: str) -> bool:
    """What `/metrics` is asked for: this replica's, or with ``replicas=all`` every one's."""
    asked = dict(parse_qsl(query, keep_blank_values=True)).get("replicas")
    if asked not in (None, "all"):
        raise InvalidArgument("must be all, or left out for this replica alone", "replicas")
    return asked is not None


# The header that every client of Anthropic's API sends, and no other.
_ANTHROPICS_OWN = "anthropic-version"
