"""One HTTP request and its answer, over aiohttp's connections without its sessions.

aiohttp's connector (names, addresses, TLS, limits, pool) and its parser are kept; the layers above them cost
three times as much as both together (`docs/decisions/0019-http-client.md`). What they do for us stands here:
a request is written, a time limit runs, and a connection goes back only after a whole answer, with nothing
behind it. Used by `upstream.py`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from functools import partial
from types import TracebackType
from typing import Any, Self, cast

import aiohttp
from aiohttp.client_proto import ResponseHandler
from aiohttp.client_reqrep import ConnectionKey
from aiohttp.connector import Connection
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.http_parser import RawResponseMessage
from aiohttp.streams import StreamReader
from yarl import URL

# A connection that its server had given up says so at once; one that ends later may have taken the request.
_STALE_S = 1.0
# How long the end of an answer may follow what was the end of its stream.
_LINGER_S = 1.0
# Of what may come before an answer, such as "103 Early Hints": so many, read in pieces of so many bytes.
_MOST_INTERIM = 16
_HEAD_BYTES = 4096
# Unread bytes of an answer at which its connection is read no further, in half.
_READ_AHEAD = 2**18


class Line(ResponseHandler):
    """A connection that knows whether a request is on it."""

    is_used = False
    # Requests so far, and whether anything of the present one's answer has come.
    requests = 0
    is_answered = False
    # Heads of the present answer that came before its own, and whether that has come.
    interim = 0
    has_head = False
    # When something came last, by the loop's clock.
    heard = 0.0

    def set_response_params(self, **parameters: Any) -> None:
        """Called before each request."""
        self.is_used, self.is_answered = True, False
        self.interim, self.has_head = 0, False
        self.requests += 1
        super().set_response_params(**parameters)

    def data_received(self, data: bytes) -> None:
        if not self.is_used:
            # It would be taken for the answer to the next request.
            self.abort()
            return
        self.is_answered = True
        self.heard = self._loop.time()
        if self.has_head or len(data) <= _HEAD_BYTES:
            super().data_received(data)
            self._refuse_endless()
            return
        for start in range(0, len(data), _HEAD_BYTES):
            super().data_received(data[start : start + _HEAD_BYTES])
            if self._refuse_endless():
                return

    def feed_data(self, data: tuple[RawResponseMessage, StreamReader], size: int = 0) -> None:
        """Called for each head that was read."""
        self.has_head = data[0].code >= 200
        self.interim += not self.has_head
        super().feed_data(data, size)

    def _refuse_endless(self) -> bool:
        """End a connection that never comes to its answer: it would keep everybody else waiting."""
        if self.interim > _MOST_INTERIM:
            self.abort()  # before the exception, which it forgets
            self.set_exception(HttpProcessingError(message="too many interim answers"))
        return self.exception() is not None

    def silent_since(self) -> float:
        """The time since which nothing came that could have come."""
        # While nobody reads, the server is not to blame.
        return self._loop.time() if self._reading_paused else self.heard


class Connector(aiohttp.TCPConnector):
    """A pool of such connections, for round trips and for sessions of aiohttp's."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self._factory = partial(Line, loop=self._loop)

    def _release(self, key: ConnectionKey, protocol: ResponseHandler, *, should_close: bool = False) -> None:
        cast("Line", protocol).is_used = False
        super()._release(key, protocol, should_close=should_close)


class Destination:
    """What requests to one URL have in common. Made once, for the connector reads it anew for each."""

    def __init__(self, method: str, url: str) -> None:
        try:
            target = URL(url)
        except ValueError as error:
            raise aiohttp.InvalidURL(url) from error
        if target.scheme not in ("http", "https") or not target.host:
            raise aiohttp.InvalidURL(url)
        self.request = aiohttp.ClientRequest(method, target, loop=asyncio.get_running_loop())
        self.start = f"{method} {target.raw_path_qs} HTTP/1.1\r\nHost: {self.request.headers['Host']}\r\n"

    @property
    def key(self) -> ConnectionKey:
        return self.request.connection_key


class RoundTrip:
    """A request and its answer, as a context: to leave it in order gives the connection back, any other way
    closes it. Raises aiohttp's errors, `TimeoutError` and `ValueError`."""

    __slots__ = ("_connect", "_connector", "_deadline", "_destination", "_idle_s", "_line", "_loop",
                 "_payload", "_place", "_raw", "_timer", "_total_s", "headers", "status")  # fmt: skip

    def __init__(
        self,
        connector: Connector,
        destination: Destination,
        headers: Mapping[str, str],
        body: bytes,
        *,
        connect_s: float,
        total_s: float,
        idle_s: float,
    ) -> None:
        self._connector = connector
        self._destination = destination
        self._raw = _written(destination.start, headers, body)
        self._connect = connect_s
        self._total_s = total_s
        self._idle_s = idle_s
        self._loop = asyncio.get_running_loop()

    async def __aenter__(self) -> Self:
        self._deadline = self._loop.time() + self._total_s
        while not await self._ask():
            pass  # ends: each was a connection out of the pool, and a new one is never stale
        return self

    async def _ask(self) -> bool:
        """Send the request and read the head of its answer. False: the connection was stale."""
        place = await self._connected()
        line = cast("Line", place.protocol)
        self._place, self._line, self._payload = place, line, None
        sent = line.heard = self._loop.time()
        self._timer = self._loop.call_at(self._due(), self._watch)
        try:
            line.set_response_params(read_until_eof=True, read_bufsize=_READ_AHEAD)
            cast("asyncio.Transport", line.transport).write(self._raw)
            message, payload = await line.read()
            while 100 <= message.code < 200:
                if message.code == 101:
                    raise ValueError("the provider turned to another protocol")
                message, payload = await line.read()
        except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError):
            self._close()
            if line.requests > 1 and not line.is_answered and self._loop.time() - sent < _STALE_S:
                return False
            raise
        except HttpProcessingError as error:
            self._close()
            raise ValueError("the provider's answer is no valid HTTP") from error
        except BaseException:
            self._close()
            raise
        self.status = message.code
        # Names in any case.
        self.headers: Mapping[str, str] = message.headers
        self._payload: StreamReader | None = payload
        return True

    async def _connected(self) -> Connection:
        left = self._deadline - self._loop.time()
        timeout = aiohttp.ClientTimeout(connect=left, sock_connect=min(self._connect, left))
        try:
            return await self._connector.connect(self._destination.request, [], timeout)
        except TimeoutError:
            # The clocks of timers are a little coarse.
            if self._loop.time() > self._deadline - 0.01:
                raise
            raise aiohttp.ConnectionTimeoutError("connecting took too long") from None

    @property
    def content_type(self) -> str:
        return self.headers.get("Content-Type", "").partition(";")[0].strip().lower()

    async def piece(self) -> bytes:
        """What has come of the answer's body and was not read yet. Empty: it has ended."""
        return await cast("StreamReader", self._payload).readany()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        payload = cast("StreamReader", self._payload)
        if kind is not None:
            self._close()
        elif payload.is_eof():
            self._give_back()
        else:
            # A stream has its own end, and that of the answer comes right behind.
            self._timer.cancel()
            self._timer = self._loop.call_later(_LINGER_S, self._close)
            payload.on_eof(self._give_back)

    def _due(self) -> float:
        """When time is up, unless something comes before."""
        if not self._idle_s:
            return self._deadline
        return min(self._deadline, self._line.silent_since() + self._idle_s)

    def _watch(self) -> None:
        # One timer that looks again, not one for each piece that comes.
        due = self._due()
        if due > self._loop.time():
            self._timer = self._loop.call_at(due, self._watch)
            return
        error = TimeoutError()
        self._line.set_exception(error)
        if self._payload is not None:
            self._payload.set_exception(error)

    def _give_back(self) -> None:
        self._timer.cancel()
        transport = self._line.transport
        if transport is None or transport.get_write_buffer_size():
            # Answered before it had all of the request.
            self._place.close()
            return
        self._place.release()

    def _close(self) -> None:
        self._timer.cancel()
        self._place.close()


def _written(start: str, headers: Mapping[str, str], body: bytes) -> bytes:
    lines = "".join([f"{name}: {value}\r\n" for name, value in headers.items()])
    if lines.count("\r") != len(headers) or lines.count("\n") != len(headers) or "\0" in lines:
        raise ValueError("a header holds a line break")
    return f"{start}{lines}Content-Length: {len(body)}\r\n\r\n".encode() + body
