"""The forward lane: what is no text, and what belongs to an account, of providers who speak the client's API.

Bodies and answers are forwarded as they are, JSON, forms, sound and events alike; usage is read where the
answer tells it. Used by `caller.py`.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from typing import Any, cast

from deployments.lanes.answers import object_in
from deployments.lanes.faults import error_in_success, fault
from deployments.lanes.lenient import loads
from deployments.lanes.native import named
from deployments.lanes.roundtrip import RoundTrip
from deployments.lanes.sse import EventSplitter
from deployments.lanes.upstream import CLIENT_ERRORS, Upstream, client_fault
from deployments.lanes.wire import broken_off, headers_of
from voyager_llm.domain.completion import JSON, Answer, Call, StreamEnd
from voyager_llm.domain.endpoint import Endpoint
from voyager_llm.domain.operation import Operation
from voyager_llm.domain.usage import NOTHING_USED, Usage
from voyager_llm.domain.usage_reports import (
    HEARD,
    IMAGES,
    OPENAI,
    RANKED,
    SPEECH,
    Reports,
    WireFormat,
)
from voyager_llm.errors import NotFound, UpstreamInvalid, UpstreamMisconfigured, VoyagerError

EVENTS = "text/event-stream"
BYTES = "application/octet-stream"
_TEXTS = ("text/plain", "text/vtt", "application/x-subrip", "text/srt")


@dataclass(frozen=True, slots=True)
class Kind:
    """What an operation answers. ``result``: a field of every JSON answer; ``types``: what else than JSON it
    may be, as beginnings of content types; ``last``: ends a stream of events."""

    usage: WireFormat
    result: str
    types: tuple[str, ...] = ()
    last: str = ""


_PICTURES = Kind(IMAGES, "data", last="image_generation.completed")
_HEARD = Kind(HEARD, "text", types=_TEXTS, last="transcript.text.done")
KINDS: Mapping[Operation, Kind] = {
    Operation.MODERATIONS: Kind(OPENAI, "results"),
    Operation.RERANK: Kind(RANKED, "results"),
    Operation.IMAGES: _PICTURES,
    Operation.IMAGE_EDITS: Kind(IMAGES, "data", last="image_edit.completed"),
    Operation.IMAGE_VARIATIONS: _PICTURES,
    Operation.SPEECH: Kind(SPEECH, "", types=("audio/", BYTES), last="speech.audio.done"),
    Operation.TRANSCRIPTIONS: _HEARD,
    Operation.TRANSLATIONS: _HEARD,
    Operation.FILES: Kind(OPENAI, "object"),
    Operation.BATCHES: Kind(OPENAI, "object"),
}
# What an account holds uses nothing by itself.
_OF_ACCOUNTS = frozenset({Operation.FILES, Operation.BATCHES})


class ForwardLane:
    """Calls providers in the client's words."""

    def __init__(self, upstream: Upstream) -> None:
        self._upstream = upstream

    async def call(self, call: Call, key: str) -> Answer:
        try:
            async with self._request(call, key) as reply:
                body = await self._upstream.read(reply)
                if reply.status not in _GOOD:
                    raise _fault(call, reply, body)
                content_type = reply.content_type
        except CLIENT_ERRORS as error:
            raise client_fault(error, call.timeout_s) from None
        return read(call.operation, content_type, body)

    async def stream(self, call: Call, key: str) -> AsyncGenerator[bytes | StreamEnd]:
        began = False
        follower = _Bytes()
        try:
            async with self._request(call, key, call.idle_timeout_s) as reply:
                if reply.status not in _GOOD:
                    raise _fault(call, reply, await self._upstream.read(reply))
                follower = await self._follower(call.operation, reply)
                while not follower.done and (piece := follower.held() or await reply.piece()):
                    if block := follower.feed(piece):
                        yield block if began else headed(follower.content_type, block)
                        began = True
                follower.finish(began=began)
        except (VoyagerError, *CLIENT_ERRORS) as error:
            yield broken_off(error, follower.usage, call.idle_timeout_s, began=began)
            return
        yield StreamEnd(NOTHING_USED if call.operation in _OF_ACCOUNTS else follower.usage)

    async def _follower(self, operation: Operation, reply: RoundTrip) -> _Bytes:
        """Follows an answer of the type that it has. Raises for one that the operation has not."""
        kind = KINDS[operation]
        if reply.content_type == EVENTS and kind.last:
            return _Events(kind)
        # Who ignores that a stream was asked for may answer as ever, and who failed, with status 200.
        if operation is Operation.FILES:
            return _Bytes()
        if reply.content_type == JSON:
            return _Whole(read(operation, JSON, await self._upstream.read(reply)))
        if not reply.content_type.startswith(kind.types):
            raise UpstreamInvalid("the provider's answer is of another type than what was asked for")
        return _Bytes(reply.headers.get("Content-Type", BYTES))

    def _request(self, call: Call, key: str, idle_s: float = 0.0) -> RoundTrip:
        headers = headers_of(call.endpoint, key) | dict(call.headers)
        if call.body:
            headers.setdefault("content-type", JSON)
        timeout_s = call.total_timeout_s if call.stream else call.timeout_s
        return self._upstream.request(
            call.resource.method, _url(call), headers, call.body, timeout_s=timeout_s, idle_s=idle_s
        )


def _fault(call: Call, reply: RoundTrip, body: bytes) -> VoyagerError:
    if reply.status == 404 and call.resource.path.startswith("/"):
        return NotFound("the account of the model's provider holds no such file or batch", "id")
    return fault(reply.status, body, reply.headers)


def read(operation: Operation, content_type: str, body: bytes) -> Answer:
    """A whole answer. Raises the error that it is instead of a result, and `UpstreamInvalid`."""
    kind = KINDS[operation]
    if content_type.startswith(kind.types):
        return Answer(body, None, content_type)
    answer = object_in(body)
    # A batch tells what was wrong with it in the same field, and is none the less one.
    if kind.result not in answer:
        raise error_in_success(answer)
    return Answer(body, NOTHING_USED if operation in _OF_ACCOUNTS else kind.usage.usage(answer))


def headed(content_type: bytes, block: bytes) -> bytes:
    """The first block of a stream. On its way blocks may be joined, so a line end parts the two."""
    return content_type + b"\n" + block


class _Bytes:
    """Follows an answer that is passed on as it comes."""

    done = False

    def __init__(self, content_type: str = BYTES) -> None:
        self.content_type = content_type.encode("latin-1", "replace")

    @property
    def usage(self) -> Usage | None:
        return None

    def held(self) -> bytes:
        """What was read already, once."""
        return b""

    def feed(self, piece: bytes) -> bytes:
        return piece

    def finish(self, *, began: bool) -> None:
        """The answer is over: raises where that was not its end."""
        if not began:
            raise UpstreamInvalid("the provider's answer is empty")


class _Whole(_Bytes):
    """An answer that is there already."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.content_type)
        self._answer = answer
        self._body = answer.body

    def held(self) -> bytes:
        body, self._body = self._body, b""
        return body

    @property
    def usage(self) -> Usage | None:
        return self._answer.usage


class _Events(_Bytes):
    """Follows events: passes them on under their names, remembers usage, notices the end and faults."""

    def __init__(self, kind: Kind) -> None:
        super().__init__(f"{EVENTS}; charset=utf-8")
        self._kind = kind
        self._splitter = EventSplitter()
        self._reports = Reports(kind.usage)
        self._fault: VoyagerError | None = None
        self._is_whole = False

    @property
    def usage(self) -> Usage | None:
        return self._reports.usage

    def feed(self, piece: bytes) -> bytes:
        frames: list[bytes] = []
        for payload in self._splitter.feed(piece):
            if payload == b"[DONE]":
                self.done = True
                break
            event = _event(payload)
            kind = event.get("type")
            if not isinstance(kind, str) or kind == "error" or event.get("error"):
                self._fault, self.done = error_in_success({"error": event.get("error") or event}), True
                break
            self._reports.take(event)
            self._is_whole = self._is_whole or kind == self._kind.last
            frames.append(named(kind, payload))
        return b"".join(frames)

    def finish(self, *, began: bool) -> None:
        if self._fault is not None:
            raise self._fault
        if not self._is_whole:
            raise UpstreamInvalid("the provider closed the stream early")


def _event(payload: bytes) -> dict[str, Any]:
    try:
        event: object = loads(payload)
    except ValueError:
        event = None
    return cast("dict[str, Any]", event) if isinstance(event, dict) else {"error": {"message": ""}}


_GOOD = frozenset({200, 201})


def _url(call: Call) -> str:
    endpoint = call.endpoint
    if not endpoint.base_url:
        raise UpstreamMisconfigured(f"model {endpoint.model} has no endpoint", "endpoints.primary")
    return _base(endpoint) + call.operation + call.resource.path


def _base(endpoint: Endpoint) -> str:
    """Cohere's address is that of its chats."""
    return (
        endpoint.base_url.removesuffix("/chat")
        if endpoint.provider.startswith("cohere")
        else endpoint.base_url
    )
