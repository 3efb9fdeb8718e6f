"""The little of ASGI that the HTTP codecs need: bounded bodies, JSON answers, event streams.

No framework stands between the server and the pipeline: its routing and validation would cost more than
the whole request (`docs/decisions/0003-raw-asgi.md`). Used by `http.py` and the codecs beside it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from voyager_llm.errors import InvalidArgument, RequestTooLarge

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Header = tuple[bytes, bytes]

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
        return self.headers.get(name, b"").decode("latin-1")


async def read_request(scope: Scope, receive: Receive, limit: int) -> HttpRequest:
    """Raises `RequestTooLarge` for a body over ``limit`` bytes, before reading all of it."""
    headers = dict(scope["headers"])
    declared = headers.get(b"content-length", b"0")
    if declared.isdigit() and int(declared) > limit:
        raise RequestTooLarge(f"the body is larger than {limit} bytes")
    message = await receive()
    body: bytes = message.get("body", b"")
    if message.get("more_body"):
        pieces = [body]
        size = len(body)
        while message.get("more_body"):
            message = await receive()
            pieces.append(message.get("body", b""))
            size += len(pieces[-1])
            if size > limit:
                raise RequestTooLarge(f"the body is larger than {limit} bytes")
        body = b"".join(pieces)
    return HttpRequest(scope["method"], scope["path"], scope["query_string"].decode(), headers, body)


async def respond(
    send: Send, status: int, body: bytes, headers: Iterable[Header] = (), kind: Header = JSON
) -> None:
    """Send a whole answer."""
    lines = [kind, (b"content-length", str(len(body)).encode()), *headers]
    await send({"type": "http.response.start", "status": status, "headers": lines})
    await send({"type": "http.response.body", "body": body})


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
