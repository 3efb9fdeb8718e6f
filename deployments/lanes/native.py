"""The native lane: the upstream speaks the client's own API, Anthropic's Messages or OpenAI's Responses, so
bodies and answers are forwarded as they are, and only usage is read.

Of the client's headers only those go along that the codec let through. Used by `caller.py`.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Iterator
from dataclasses import dataclass
from typing import Any, cast

from deployments.lanes.faults import error_in_success, fault
from deployments.lanes.lenient import loads
from deployments.lanes.roundtrip import RoundTrip
from deployments.lanes.sse import EventSplitter
from deployments.lanes.upstream import CLIENT_ERRORS, Upstream, client_fault
from deployments.lanes.wire import broken_off
from voyager_llm.domain.completion import Answer, Call, StreamEnd
from voyager_llm.domain.endpoint import Endpoint
from voyager_llm.domain.operation import Operation
from voyager_llm.domain.usage import NOTHING_USED, Usage
from voyager_llm.domain.usage_reports import ANTHROPIC, RESPONSES, Report, Reports, WireFormat
from voyager_llm.errors import UpstreamInvalid, VoyagerError

_ANTHROPIC_VERSION = "2023-06-01"


@dataclass(frozen=True, slots=True)
class Api:
    """An API that is forwarded. ``result`` is a field that every answer has; ``last`` and ``failed`` are the
    types of a stream's last event, and of one that tells an error; ``is_free``: an answer costs nothing."""

    path: str
    headers: Callable[[Endpoint, str], dict[str, str]]
    usage: WireFormat
    result: str
    last: frozenset[str] = frozenset()
    failed: frozenset[str] = frozenset()
    is_free: bool = False


class NativeLane:
    """Calls providers in their own words, which are the client's."""

    def __init__(self, upstream: Upstream) -> None:
        self._upstream = upstream

    async def call(self, call: Call, key: str) -> Answer:
        api = APIS[call.operation]
        try:
            async with self._post(api, call, key) as reply:
                body = await self._upstream.read(reply)
                if reply.status != 200:
                    raise fault(reply.status, body, reply.headers)
        except CLIENT_ERRORS as error:
            raise client_fault(error, call.timeout_s) from None
        document = _object(body, "answer")
        if document.get("error") or api.result not in document:
            raise error_in_success(document)
        return Answer(body, NOTHING_USED if api.is_free else api.usage.usage(document))

    async def stream(self, call: Call, key: str) -> AsyncGenerator[bytes | StreamEnd]:
        events = _Events(APIS[call.operation])
        began = False
        try:
            async with self._post(events.api, call, key, call.idle_timeout_s) as reply:
                if reply.status != 200:
                    raise fault(reply.status, await self._upstream.read(reply), reply.headers)
                while not events.done and (piece := await reply.piece()):
                    if block := events.feed(piece):
                        began = True
                        yield block
                events.finish()
        except (VoyagerError, *CLIENT_ERRORS) as error:
            yield broken_off(error, events.usage, call.idle_timeout_s, began=began)
            return
        yield StreamEnd(events.usage)

    def _post(self, api: Api, call: Call, key: str, idle_s: float = 0.0) -> RoundTrip:
        headers = {
            "content-type": "application/json",
            **api.headers(call.endpoint, key),
            **dict(call.headers),
        }
        timeout_s = call.total_timeout_s if call.stream else call.timeout_s
        url = call.endpoint.base_url + api.path
        return self._upstream.post(url, headers, call.body, timeout_s=timeout_s, idle_s=idle_s)


class _Events:
    """Follows a stream: passes events on under their names, remembers usage, notices the end and faults."""

    __slots__ = ("_error", "_reports", "_splitter", "api", "done")

    def __init__(self, api: Api) -> None:
        self.api = api
        self._splitter = EventSplitter()
        self._reports = Reports(api.usage)
        self._error: VoyagerError | None = None
        self.done = False

    @property
    def usage(self) -> Usage | None:
        """As far as the provider has told."""
        return self._reports.usage

    def feed(self, piece: bytes) -> bytes:
        """Whole events, ready to be sent on. A fault ends the stream; `finish` raises it."""
        frames: list[bytes] = []
        try:
            for event in self._events(self._splitter.feed(piece)):
                frames.append(event)  # noqa: PERF402 (those before a fault are kept)
        except VoyagerError as error:
            self._error, self.done = error, True
        return b"".join(frames)

    def finish(self) -> None:
        """Raises what the provider sent instead of an event, or when it stopped before the end."""
        if self._error is not None:
            raise self._error
        if not self.done:
            raise UpstreamInvalid("the provider closed the stream early")

    def _events(self, payloads: list[bytes]) -> Iterator[bytes]:
        for payload in payloads:
            if self.done:
                return
            event = _object(payload, "event")
            kind = event.get("type")
            if kind in self.api.failed or not isinstance(kind, str):
                raise error_in_success(_told(event))
            self._reports.take(event)
            self.done = kind in self.api.last
            yield named(kind, payload)


def named(kind: str, payload: bytes) -> bytes:
    """An event under the name that these APIs give it: its own type."""
    return b"event: " + kind.encode("ascii", "replace") + b"\ndata: " + payload + b"\n\n"


def _told(event: Report) -> Report:
    """What an event of an error says: Anthropic puts it into ``error``, OpenAI into the event or its
    response."""
    response: Any = event.get("response")
    if isinstance(response, dict):
        return cast("Report", response)
    return event if event.get("error") else {"error": {**event, "type": event.get("code") or "error"}}


def _object(text: bytes, what: str) -> dict[str, Any]:
    try:
        document: object = loads(text)
    except ValueError:
        document = None
    if not isinstance(document, dict):
        raise UpstreamInvalid(f"the provider's {what} is no JSON object")
    return cast("dict[str, Any]", document)


def _anthropic(endpoint: Endpoint, key: str) -> dict[str, str]:
    named = {"x-api-key": key} if endpoint.secret is not None else {}
    return {"anthropic-version": _ANTHROPIC_VERSION, **named}


def _openai(endpoint: Endpoint, key: str) -> dict[str, str]:
    return {"authorization": f"Bearer {key}"} if endpoint.secret is not None else {}


APIS = {
    Operation.MESSAGES: Api(
        path="",  # the endpoint's address is that of the API already
        headers=_anthropic,
        usage=ANTHROPIC,
        result="content",
        last=frozenset({"message_stop"}),
        failed=frozenset({"error"}),
    ),
    Operation.COUNT_TOKENS: Api(
        path="/count_tokens",
        headers=_anthropic,
        usage=ANTHROPIC,
        result="input_tokens",
        is_free=True,
    ),
    Operation.RESPONSES: Api(
        path="/responses",
        headers=_openai,
        usage=RESPONSES,
        result="output",
        last=frozenset({"response.completed", "response.incomplete"}),
        failed=frozenset({"error", "response.failed"}),
    ),
}
