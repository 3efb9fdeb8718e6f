"""The router's end of one connection: many calls at a time to one replica. Kept up by `peers.py`."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import TypeVar, cast

from deployments.hop import messages, tls
from deployments.hop.frames import HANDSHAKE_BYTES, FrameReader, Kind, ProtocolError, pack_number
from deployments.hop.handshake import RouterHandshake
from deployments.hop.inbox import Inbox
from deployments.hop.names import Numbers
from deployments.hop.outbox import Outbox

log = logging.getLogger(__name__)

T = TypeVar("T")

PING_SECONDS = 5.0
# So many pings without a word, and the other end is taken for gone.
_SILENT_PINGS = 3


class RejectedError(Exception):
    """The replica is full or stops: the call has not begun there."""


class LostError(Exception):
    """The connection broke while the call was under way."""


class UnfitError(Exception):
    """Too large for the direct path."""


class Channel(asyncio.Protocol):
    """Calls are made only while it is `free`."""

    _transport: asyncio.Transport
    _outbox: Outbox

    def __init__(self, secret: bytes, limit: int, frame_bytes: int) -> None:
        """``limit``: of calls under way; ``frame_bytes``: of one frame, either way."""
        self._loop = asyncio.get_running_loop()
        self._secret = secret
        self._limit = limit
        self._frame_bytes = frame_bytes
        self._reader = FrameReader(HANDSHAKE_BYTES)
        self._numbers = Numbers()
        # Comes back to a number after days.
        self._last = 0
        self._under_way: dict[int, asyncio.Future[bytes] | Inbox] = {}
        self._silent_pings = 0
        self._ping: asyncio.TimerHandle | None = None
        self._open = False
        self._writable = True
        # Whether the replica wants no more calls, or nobody here has more for it.
        self.leaving = False
        self.ready: asyncio.Future[None] = self._loop.create_future()
        self.closed: asyncio.Future[None] = self._loop.create_future()

    @property
    def load(self) -> int:
        """Calls under way."""
        return len(self._under_way)

    @property
    def free(self) -> bool:
        """Whether it takes a call now."""
        return self._open and self._writable and len(self._under_way) < self._limit

    async def answer(self, thing: T, pack: Callable[[T], bytes], *request: bytes) -> bytes:
        """Call about a frozen ``thing``, which ``pack`` makes bytes of where the other end does not know it.

        Raises what the stage raises, `RejectedError`, `LostError` and `UnfitError`. Cancelled, it cancels
        the call."""
        future: asyncio.Future[bytes] = self._loop.create_future()
        number = self._begin(Kind.CALL, future, self._number_of(thing, pack), request)
        try:
            return await future
        finally:
            self.cancel(number)

    def stream(self, thing: T, pack: Callable[[T], bytes], *request: bytes) -> Inbox:
        """Begin a stream; see `answer`. Whoever reads the inbox raises these, and ends with `Inbox.close`."""
        inbox = Inbox(self)
        inbox.number = self._begin(Kind.STREAM, inbox, self._number_of(thing, pack), request)
        return inbox

    def cancel(self, number: int) -> None:
        """End a call that nobody waits for any more; nothing where it is over."""
        if self._under_way.pop(number, None) is not None:
            self._outbox.put(Kind.CANCEL, number)
            self._close_if_done()

    def credit(self, number: int, size: int) -> None:
        """So many bytes of a stream were read."""
        if number in self._under_way:
            self._outbox.put(Kind.CREDIT, number, pack_number(size))

    def leave(self) -> None:
        """Take no more calls, and close after the last one."""
        self.leaving = True
        self._open = False
        self._close_if_done()

    def abort(self) -> None:
        self._transport.abort()

    def _number_of(self, thing: T, pack: Callable[[T], bytes]) -> int:
        known = self._numbers.known(thing)
        if known is not None:
            return known
        packed = pack(thing)
        self._check_size(len(packed))
        number = self._numbers.give(thing, len(packed))
        self._outbox.put(Kind.NAME, number, packed)
        return number

    def _begin(
        self, kind: Kind, waiter: asyncio.Future[bytes] | Inbox, thing: int, request: tuple[bytes, ...]
    ) -> int:
        self._check_size(sum(map(len, request)) + 4)
        number = self._last = (self._last + 1) & 0xFFFFFFFF
        self._under_way[number] = waiter
        self._outbox.put(kind, number, pack_number(thing), *request)
        return number

    def _check_size(self, size: int) -> None:
        if size > self._frame_bytes:
            raise UnfitError

    def _close_if_done(self) -> None:
        if self.leaving and not self._under_way:
            self._outbox.flush()
            self._transport.close()

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are of no class of asyncio's.
        self._transport = cast("asyncio.Transport", transport)
        self._outbox = Outbox(self._transport)
        self._handshake = RouterHandshake(self._secret, tls.seen_certificate(transport))
        self._outbox.put(Kind.HELLO, 0, self._handshake.hello)

    def connection_lost(self, exc: Exception | None) -> None:
        self._open = False
        if self._ping is not None:
            self._ping.cancel()
        under_way, self._under_way = self._under_way, {}
        for waiter in under_way.values():
            _fail(waiter, LostError())
        if not self.ready.done():
            self.ready.set_exception(ConnectionError("closed before it was ready"))
        self.closed.set_result(None)

    def pause_writing(self) -> None:
        self._writable = False

    def resume_writing(self) -> None:
        self._writable = True

    def data_received(self, data: bytes) -> None:
        self._silent_pings = 0
        try:
            for kind, number, payload in self._reader.feed(data):
                if self.ready.done():
                    self._take(kind, number, payload)
                else:
                    self._greet(kind, payload)
        except Exception as error:  # whatever a payload was that cannot be read
            log.warning("a connection to a replica was closed: %s", error)
            self._transport.abort()

    def _greet(self, kind: int, payload: bytes) -> None:
        if kind == Kind.CHALLENGE:
            self._outbox.put(Kind.PROOF, 0, self._handshake.answer(payload))
            return
        if kind != Kind.READY:
            raise ProtocolError(f"a frame of kind {kind} before it was ready")
        self._reader.limit = self._frame_bytes
        self._open = not self.leaving
        self.ready.set_result(None)
        self._look()

    def _look(self) -> None:
        """Ask the other end for a word; gone is who leaves several in a row unanswered.

        Counted, not timed: a process that was held still itself judges nobody by that time."""
        if self._silent_pings >= _SILENT_PINGS:
            log.warning("a replica does not answer on its connection")
            self._transport.abort()
            return
        self._silent_pings += 1
        self._outbox.put(Kind.PING, 0)
        self._ping = self._loop.call_later(PING_SECONDS, self._look)

    def _take(self, kind: int, number: int, payload: bytes) -> None:
        if kind == Kind.BLOCK:
            inbox = self._under_way.get(number)
            if isinstance(inbox, Inbox):
                inbox.put(payload)
        elif kind == Kind.GOAWAY:
            self.leave()
        elif kind != Kind.PONG:
            waiter = self._under_way.pop(number, None)
            if waiter is not None:
                _settle(waiter, kind, payload)
                self._close_if_done()


def _settle(waiter: asyncio.Future[bytes] | Inbox, kind: int, payload: bytes) -> None:
    """End a call with the frame that ends it."""
    if kind == Kind.FAULT:
        _fail(waiter, messages.read_error(payload))
    elif kind == Kind.REJECT:
        _fail(waiter, RejectedError())
    elif isinstance(waiter, Inbox):
        if kind != Kind.END:
            raise ProtocolError(f"a stream that ends with a frame of kind {kind}")
        waiter.end(messages.read_end(payload))
    elif kind != Kind.ANSWER:
        raise ProtocolError(f"a call that ends with a frame of kind {kind}")
    elif not waiter.done():
        waiter.set_result(payload)


def _fail(waiter: asyncio.Future[bytes] | Inbox, error: Exception) -> None:
    if isinstance(waiter, Inbox):
        waiter.fail(error)
    elif not waiter.done():
        waiter.set_exception(error)
