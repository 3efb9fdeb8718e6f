"""The little of ASGI that the HTTP codecs need: bounded bodies, JSON answers, event streams.

No framework stands between the server and the pipeline: its routing and validation would cost more than
the whole request (`docs/decisions/0003-raw-asgi.md`). Used by `http.py` and the codecs beside it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import quote, unquote

from deployments.ingress.bodies import LARGE_BYTES, BodyLimits, Hold
from voyager_llm.errors import Cancelled, InvalidArgument, RequestTimeout, RequestTooLarge

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Header = tuple[bytes, bytes]


class Application(Protocol):
    """An ASGI application."""

    def __call__(self, scope: Scope, receive: Receive, send: Send, /) -> Awaitable[None]: ...


_WATCH_AFTER_SECONDS = 0.05

JSON: Header = (b"content-type", b"application/json")
_EVENTS: list[Header] = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-cache"),
    (b"x-accel-buffering", b"no"),
]


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """A request with its body read."""

    method: str
    path: str
    query: str
    headers: dict[bytes, bytes]
    body: bytes

    def header(self, name: bytes) -> str:
        """A header's value, or an empty string."""
        return header(self.headers, name)


def header(headers: Mapping[bytes, bytes], name: bytes) -> str:
    """A header's value, or an empty string."""
    return headers.get(name, b"").decode("latin-1")


def raw_path(scope: Scope) -> bytes:
    """The path as the client wrote it. A server need not hand it on."""
    return scope.get("raw_path") or quote(scope["path"]).encode()


def has_body(headers: Mapping[bytes, bytes]) -> bool:
    """Whether a request with these headers has a body, if an empty one."""
    return headers.get(b"content-length", b"0") != b"0" or b"transfer-encoding" in headers


async def read_request(
    scope: Scope, headers: dict[bytes, bytes], receive: Receive, limits: BodyLimits, hold: Hold
) -> HttpRequest:
    """Raises `RequestTooLarge` for a body over the limit before reading all of it, `RequestTimeout` for one
    that does not come in time, `Overloaded` where there is no room for it, `Cancelled` when the client leaves
    before its end. ``hold`` has what was read."""
    declared = headers.get(b"content-length", b"0")
    if declared.isdigit():
        if len(declared) > 18 or int(declared) > limits.max_bytes:
            raise _too_large(limits)
        await hold.grow(int(declared))
    body = await _read_body(receive, limits, hold, undeclared=b"transfer-encoding" in headers)
    hold.is_read = True
    query = scope["query_string"].decode("latin-1")
    return HttpRequest(scope["method"], scope["path"], query, headers, body)


async def _read_body(receive: Receive, limits: BodyLimits, hold: Hold, *, undeclared: bool) -> bytes:
    """Most bodies are one piece. It needs no clock: HAProxy waits for it (`serve_app/haproxy_config.py`)."""
    message = await receive()
    if not message.get("more_body"):
        body = _piece(message, 0, limits)
        if undeclared:
            await hold.grow(len(body))
        return body
    loop = asyncio.get_running_loop()
    end = loop.time() + limits.total_s
    pieces = [_piece(message, 0, limits)]
    size = len(pieces[0])
    try:
        async with asyncio.timeout(limits.pause_s) as clock:
            while message.get("more_body"):
                clock.reschedule(min(end, loop.time() + limits.pause_s))
                if undeclared:
                    await hold.grow(_room(size, limits))
                message = await receive()
                pieces.append(_piece(message, size, limits))
                size += len(pieces[-1])
    except TimeoutError:
        raise RequestTimeout(
            f"the body did not come within {limits.total_s:g} s, or there was a pause of {limits.pause_s:g} s"
        ) from None
    if undeclared:
        hold.shrink(size)
    return b"".join(pieces)


async def skip_body(receive: Receive, limits: BodyLimits) -> bool:
    """Let the rest of a body come and keep nothing of it, within the limits. Whether it came to its end."""
    left = limits.max_bytes
    try:
        async with asyncio.timeout(limits.total_s):
            while left >= 0:
                async with asyncio.timeout(limits.pause_s):
                    message = await receive()
                left -= len(message.get("body", b""))
                if not message.get("more_body"):
                    return message["type"] != "http.disconnect"
    except TimeoutError:
        pass
    return False


def _room(size: int, limits: BodyLimits) -> int:
    """For a body that does not say how long it gets: little while it is small, then for the largest."""
    return min(LARGE_BYTES, limits.max_bytes) if size < LARGE_BYTES // 2 else limits.max_bytes


def _piece(message: MutableMapping[str, Any], before: int, limits: BodyLimits) -> bytes:
    """What a message adds to ``before`` bytes of the body."""
    if message["type"] == "http.disconnect":
        raise Cancelled("the client went away")
    piece: bytes = message.get("body", b"")
    if before + len(piece) > limits.max_bytes:
        raise _too_large(limits)
    return piece


def _too_large(limits: BodyLimits) -> RequestTooLarge:
    return RequestTooLarge(f"the body is larger than {limits.max_bytes} bytes")


async def respond(
    send: Send, status: int, body: bytes, headers: Iterable[Header] = (), kind: Header = JSON
) -> None:
    """Send a whole answer."""
    lines = [kind, (b"content-length", str(len(body)).encode()), *headers]
    await send({"type": "http.response.start", "status": status, "headers": lines})
    await send({"type": "http.response.body", "body": body})


async def respond_empty(send: Send, headers: Iterable[Header]) -> None:
    """Send an answer without a body."""
    await send({"type": "http.response.start", "status": 204, "headers": [*headers]})
    await send({"type": "http.response.body", "body": b""})


def without_body(send: Send) -> Send:
    """``send`` that leaves the body out: of an answer to HEAD, which is otherwise as that to GET."""

    async def sending(message: MutableMapping[str, Any]) -> None:
        await send({**message, "body": b""} if "body" in message else message)

    return sending


async def start_events(send: Send, headers: Iterable[Header] = ()) -> None:
    """Begin a stream of server-sent events."""
    await send({"type": "http.response.start", "status": 200, "headers": [*_EVENTS, *headers]})


async def send_block(send: Send, block: bytes) -> None:
    await send({"type": "http.response.body", "body": block, "more_body": True})


async def end_events(send: Send) -> None:
    await send({"type": "http.response.body", "body": b""})


class DisconnectWatch:
    """Cancels the task that answers a request when its client goes away.

    Most requests are over before it starts to look; only slow ones and streams pay for it."""

    __slots__ = ("_receive", "_timer", "_watching", "_work")

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._work = asyncio.current_task()
        self._watching: asyncio.Task[None] | None = None
        self._timer = asyncio.get_running_loop().call_later(_WATCH_AFTER_SECONDS, self._start)

    def stop(self) -> None:
        """The answer is complete."""
        self._timer.cancel()
        if self._watching is not None:
            self._watching.cancel()

    def _start(self) -> None:
        self._watching = asyncio.get_running_loop().create_task(self._watch())

    async def _watch(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        if self._work is not None:
            self._work.cancel("the client went away")


def segment(text: str) -> str:
    """A path segment, decoded. Raises `InvalidArgument` for invalid UTF-8."""
    try:
        return unquote(text, errors="strict")
    except UnicodeDecodeError:
        raise InvalidArgument("the path is no valid UTF-8") from None
