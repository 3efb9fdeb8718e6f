"""The wire lane: the upstream speaks OpenAI, so the body is forwarded and only usage is read.

The body arrives ready to be sent; no header of the client's goes along. Used by `caller.py`.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any, cast

from deployments.lanes.answers import read_answer
from deployments.lanes.conversation import compatible
from deployments.lanes.faults import error_in_success, fault
from deployments.lanes.lenient import dumps, loads
from deployments.lanes.roundtrip import RoundTrip
from deployments.lanes.sse import EventSplitter, begun, frame, is_stream, is_telling
from deployments.lanes.upstream import CLIENT_ERRORS, Upstream, client_fault
from voyager_llm.domain.completion import Answer, Call, StreamEnd
from voyager_llm.domain.endpoint import Endpoint
from voyager_llm.domain.usage import Usage
from voyager_llm.domain.usage_reports import OPENAI, Reports
from voyager_llm.errors import (
    InvalidArgument,
    StreamInterrupted,
    UpstreamInvalid,
    UpstreamMisconfigured,
    UpstreamTimeout,
    VoyagerError,
)

_JSON = "application/json"
# Who knows all of OpenAI's protocol, its newest parts too.
_NEWEST = frozenset({"openai"})
_OPTIONS = b"stream_options"
# Bytes of an answer that may come before it says anything, the piece in which it does included.
_MOST_BLANK = 2**20
# Statuses with which a parameter is refused.
_REFUSED = frozenset({400, 404, 422})
# Endpoints that are remembered; more than a process has, save where definitions come and go.
_MOST_STRICT = 4096


class WireLane:
    """Calls OpenAI-compatible providers."""

    def __init__(self, upstream: Upstream) -> None:
        self._upstream = upstream
        # Endpoints that refuse `stream_options`, which we add.
        self._strict: set[tuple[str, str]] = set()

    async def call(self, call: Call, key: str) -> Answer:
        url = _url(call)
        headers = _headers(call.endpoint, key)
        try:
            async with self._upstream.post(url, headers, _body(call), timeout_s=call.timeout_s) as reply:
                body = await self._upstream.read(reply)
                if reply.status != 200:
                    raise fault(reply.status, body, reply.headers)
        except CLIENT_ERRORS as error:
            raise client_fault(error, call.timeout_s) from None
        return Answer(body, read_answer(body, call.operation))

    async def stream(self, call: Call, key: str) -> AsyncGenerator[bytes | StreamEnd]:
        reader = _StreamReader(call.include_usage)
        began = False
        try:
            async with self._streaming(call, key) as reply:
                first = await self._first(reply)
                if reply.content_type != "text/event-stream" and not is_stream(first):
                    # Some providers answer a refused stream with status 200 and a plain error.
                    read_answer(first + await self._upstream.read(reply), call.operation)
                    raise UpstreamInvalid("the provider did not answer with a stream")
                piece = first
                while piece and not reader.done:
                    if block := reader.feed(piece):
                        began = True
                        yield block
                    piece = b"" if reader.done else await reply.piece()
                if block := reader.finish():
                    began = True
                    yield block
        except (VoyagerError, *CLIENT_ERRORS) as error:
            yield broken_off(error, reader.usage, call.idle_timeout_s, began=began)
            return
        yield StreamEnd(reader.usage)

    @asynccontextmanager
    async def _streaming(self, call: Call, key: str) -> AsyncGenerator[RoundTrip]:
        """The answer to a request for a stream, whose status is 200.

        A provider may know no `stream_options`: it is asked once more without, and so from then on."""
        endpoint = (call.endpoint.base_url, call.endpoint.model_name)
        body = _without_options(_body(call)) if endpoint in self._strict else _body(call)
        async with self._post(call, key, body) as reply:
            if reply.status == 200:
                yield reply
                return
            said = await self._upstream.read(reply)
            if reply.status not in _REFUSED or _OPTIONS not in said or _OPTIONS not in body:
                raise fault(reply.status, said, reply.headers)
        if len(self._strict) >= _MOST_STRICT:
            self._strict.clear()
        self._strict.add(endpoint)
        async with self._post(call, key, _without_options(body)) as reply:
            if reply.status != 200:
                raise fault(reply.status, await self._upstream.read(reply), reply.headers)
            yield reply

    def _post(self, call: Call, key: str, body: bytes) -> RoundTrip:
        return self._upstream.post(
            _url(call), _headers(call.endpoint, key), body,
            timeout_s=call.total_timeout_s, idle_s=call.idle_timeout_s,
        )  # fmt: skip

    @staticmethod
    async def _first(reply: RoundTrip) -> bytes:
        """As much of the answer's beginning as tells what it is, from its first character on."""
        first, blank = b"", 0
        while not is_telling(first) and (piece := await reply.piece()):
            blank += len(piece)
            if blank > _MOST_BLANK:
                raise UpstreamInvalid("the provider's answer begins with nothing but blanks")
            first = begun(first + piece)
        return first

    async def probe(self, endpoint: Endpoint, key: str, timeout_s: float) -> None:
        """Any answer below 500 to the list of models shows that the endpoint is alive."""
        status = await self._upstream.reachable(
            f"{endpoint.base_url}/models", _headers(endpoint, key), timeout_s
        )
        if status >= 500 or status in (401, 403):
            raise fault(status, b"", {})


def _headers(endpoint: Endpoint, key: str) -> dict[str, str]:
    return {"Content-Type": _JSON, **headers_of(endpoint, key)}


def headers_of(endpoint: Endpoint, key: str) -> dict[str, str]:
    """Those of a request with whatever body, or with none."""
    headers = {"Accept": "*/*"}
    if endpoint.secret is not None:
        name = "api-key" if endpoint.auth_type == "api_key" else "Authorization"
        headers[name] = key if endpoint.auth_type == "api_key" else f"Bearer {key}"
    return headers


def _body(call: Call) -> bytes:
    return call.body if call.endpoint.provider in _NEWEST else compatible(call.body)


def _without_options(body: bytes) -> bytes:
    document = loads(body)
    document.pop("stream_options", None)
    return dumps(document)


def _url(call: Call) -> str:
    if not call.endpoint.base_url:
        raise UpstreamMisconfigured(f"model {call.endpoint.model} has no endpoint", "endpoints.primary")
    return call.endpoint.base_url + call.operation


def broken_off(error: Exception, usage: Usage | None, idle_s: float, *, began: bool) -> StreamEnd:
    """How a stream ends that failed, with what it used until then. Raises the error where it had not begun:
    then another endpoint may still be tried. ``error`` is one of ours or of `CLIENT_ERRORS`."""
    ended = error if isinstance(error, VoyagerError) else client_fault(error, idle_s)
    if not began:
        raise ended from None
    return StreamEnd(usage, interrupted(ended))


def interrupted(error: VoyagerError) -> VoyagerError:
    """The error that ends a stream which had begun. What is wrong with the request, such as an answer that a
    content policy stops, is no failure of the endpoint's and stays what it is."""
    if isinstance(error, InvalidArgument):
        return error
    if isinstance(error, UpstreamTimeout):
        return StreamInterrupted("the provider stopped sending")
    return StreamInterrupted(f"the stream broke off: {error.message}")


class _StreamReader:
    """Follows a stream of chunks: passes good ones on, remembers usage, notices the end and faults."""

    __slots__ = ("_error", "_finished", "_include_usage", "_reports", "_splitter", "done")

    def __init__(self, include_usage: bool) -> None:
        self._splitter = EventSplitter()
        self._include_usage = include_usage
        self._finished = False
        self._error: VoyagerError | None = None
        self._reports = Reports(OPENAI)
        self.done = False

    @property
    def usage(self) -> Usage | None:
        return self._reports.usage

    def feed(self, piece: bytes) -> bytes:
        """Whole events, ready to be sent on. A fault ends the stream; `finish` raises it."""
        frames: list[bytes] = []
        try:
            for payload in self._splitter.feed(piece):
                if payload == b"[DONE]":
                    self.done = True
                    break
                if self._take(payload):
                    frames.append(frame(payload))
            self.done = self.done or self._splitter.is_done
        except VoyagerError as error:
            self._error = error
            self.done = True
        return b"".join(frames)

    def finish(self) -> bytes:
        """What a last event holds that no blank line followed. Raises what the provider sent instead of a
        chunk, or when it stopped before the end."""
        if self._error is not None:
            raise self._error
        block = b"" if self.done else self._last()
        if self.done or self._finished:
            return block
        raise UpstreamInvalid("the provider closed the stream early")

    def _last(self) -> bytes:
        last = self._splitter.rest
        if last == b"[DONE]":
            self.done = True
        elif last:
            try:
                loads(last)
            except ValueError:
                raise UpstreamInvalid("the provider closed the stream early") from None
            if self._take(last):
                return frame(last)
        return b""

    def _take(self, payload: bytes) -> bool:
        try:
            chunk: Any = loads(payload)
        except ValueError:
            raise UpstreamInvalid("the provider sent a chunk that is no JSON") from None
        if not isinstance(chunk, dict) or "choices" not in chunk:
            raise error_in_success(cast("dict[str, Any]", chunk) if isinstance(chunk, dict) else {})
        choices: Any = chunk["choices"]
        if chunk.get("usage"):
            self._reports.take(chunk)
            if not choices and not self._include_usage:
                return False  # asked for by us, not by the client
        if choices and choices[0].get("finish_reason"):
            self._finished = True
        return True
