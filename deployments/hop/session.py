"""The replica's end of one connection: runs the calls that arrive over it. Made by `server.py`."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from functools import partial
from typing import Any, Protocol, cast

from deployments.hop import messages, tls
from deployments.hop.frames import (
    HANDSHAKE_BYTES,
    WINDOW_BYTES,
    FrameReader,
    Kind,
    ProtocolError,
    read_number,
)
from deployments.hop.gate import Gate
from deployments.hop.handshake import ReplicaHandshake
from deployments.hop.names import Names
from deployments.hop.outbox import Outbox
from deployments.hop.services import Service
from voyager_llm.domain.completion import StreamEnd
from voyager_llm.errors import Cancelled, UpstreamInvalid, public

log = logging.getLogger(__name__)

Work = Callable[[int, Any, bytes], Awaitable[None]]

# A router says something every few seconds (`channel.PING_SECONDS`), and proves itself at once.
_SILENCE_SECONDS = 30.0
_HANDSHAKE_SECONDS = 5.0
_WRITE_BUFFER_BYTES = 1024 * 1024


class Host(Protocol):
    """What a session needs of the server that it belongs to."""

    service: Service
    gate: Gate
    secret: bytes
    frame_bytes: int
    draining: bool

    def connected(self, session: Session) -> None: ...

    def greeted(self, session: Session) -> None: ...

    def closed(self, session: Session) -> None: ...


class Session(asyncio.Protocol):
    """One router's connection."""

    _transport: asyncio.Transport
    _outbox: Outbox
    _handshake: ReplicaHandshake
    _watch: asyncio.TimerHandle

    def __init__(self, host: Host) -> None:
        self._host = host
        self._loop = asyncio.get_running_loop()
        self._reader = FrameReader(HANDSHAKE_BYTES)
        self._names = Names(host.service.learn)
        self._known = False
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._credits: dict[int, _Credit] = {}
        self._writable = asyncio.Event()
        self._writable.set()
        self._heard = False

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are of no class of asyncio's.
        self._transport = cast("asyncio.Transport", transport)
        self._outbox = Outbox(self._transport)
        self._handshake = ReplicaHandshake(self._host.secret, tls.own_certificate(transport))
        self._transport.set_write_buffer_limits(high=_WRITE_BUFFER_BYTES)
        self._watch = self._loop.call_later(_HANDSHAKE_SECONDS, self._look)
        self._host.connected(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._watch.cancel()
        self._host.closed(self)
        for number in tuple(self._tasks):
            self._cancel(number)

    def pause_writing(self) -> None:
        # The other end reads always, or is gone: what it asks for meanwhile may wait.
        self._writable.clear()
        self._transport.pause_reading()

    def resume_writing(self) -> None:
        self._writable.set()
        self._transport.resume_reading()

    def data_received(self, data: bytes) -> None:
        self._heard = True
        try:
            for kind, number, payload in self._reader.feed(data):
                if self._known:
                    self._take(kind, number, payload)
                else:
                    self._greet(kind, payload)
        except ProtocolError as error:
            log.warning("a connection was closed: %s", error)
            self._transport.abort()

    # For the server

    def send_away(self) -> None:
        """Ask the router to send nothing more, and to close when it has its answers."""
        self._outbox.put(Kind.GOAWAY, 0)

    def close(self) -> None:
        self._outbox.flush()
        self._transport.close()

    def abort(self) -> None:
        self._transport.abort()

    def _greet(self, kind: int, payload: bytes) -> None:
        if kind == Kind.HELLO and not self._handshake.challenged:
            self._outbox.put(Kind.CHALLENGE, 0, self._handshake.challenge(payload))
        elif kind == Kind.PROOF and self._handshake.challenged:
            self._handshake.check(payload)
            self._known = True
            self._reader.limit = self._host.frame_bytes
            self._outbox.put(Kind.READY, 0)
            self._host.greeted(self)
            self._watch.cancel()
            self._watch = self._loop.call_later(_SILENCE_SECONDS, self._look)
        else:
            raise ProtocolError("a call before the proof")

    def _look(self) -> None:
        """Close where nothing was heard: the other end is gone without a word, or never proved itself."""
        if not self._known or not self._heard:
            self._transport.abort()
            return
        self._heard = False
        self._watch = self._loop.call_later(_SILENCE_SECONDS, self._look)

    def _take(self, kind: int, number: int, payload: bytes) -> None:
        if kind == Kind.CALL:
            self._begin(number, payload, self._answer)
        elif kind == Kind.STREAM:
            self._begin(number, payload, self._stream)
        elif kind == Kind.CREDIT:
            if credit := self._credits.get(number):
                credit.add(read_number(payload))
        elif kind == Kind.NAME:
            self._names.learn(number, payload)
        elif kind == Kind.CANCEL:
            self._cancel(number)
        elif kind == Kind.PING:
            self._outbox.put(Kind.PONG, 0)
        else:
            raise ProtocolError(f"a frame of kind {kind}")

    def _begin(self, number: int, payload: bytes, work: Work) -> None:
        named = self._names.thing(read_number(payload))
        if number in self._tasks:
            raise ProtocolError("a second call of one number")
        if self._host.draining or not self._host.gate.try_enter():
            self._outbox.put(Kind.REJECT, number)
            return
        task = self._loop.create_task(self._run(work, number, named, payload[4:]))
        self._tasks[number] = task
        # Not at the end of the task itself, which may be cancelled before it has begun.
        task.add_done_callback(partial(self._ended, number))

    def _cancel(self, number: int) -> None:
        task = self._tasks.pop(number, None)
        if task is not None:
            task.cancel()

    def _ended(self, number: int, task: asyncio.Task[None]) -> None:
        self._host.gate.leave()
        self._credits.pop(number, None)
        if self._tasks.get(number) is task:
            del self._tasks[number]
            if task.cancelled():  # by nobody that was to: who asked waits for an answer
                self._outbox.put(Kind.FAULT, number, messages.pack_error(Cancelled("the call was cancelled")))

    async def _run(self, work: Work, number: int, named: Any, request: bytes) -> None:
        try:
            await work(number, named, request)
        except Exception as error:
            shown = public(error)
            if shown is not error:
                log.exception("a call failed for a reason that is no error of ours")
            self._outbox.put(Kind.FAULT, number, messages.pack_error(shown))

    async def _answer(self, number: int, named: Any, request: bytes) -> None:
        pieces = await self._host.service.answer(named, request)
        self._check_size(sum(map(len, pieces)))
        if not self._writable.is_set():
            await self._writable.wait()
        self._outbox.put(Kind.ANSWER, number, *pieces)

    async def _stream(self, number: int, named: Any, request: bytes) -> None:
        """Takes the next block only when the last one may be sent: what cannot be is left to the provider."""
        credit = self._credits[number] = _Credit()
        async with aclosing(self._host.service.stream(named, request)) as blocks:
            async for block in blocks:
                if isinstance(block, StreamEnd):
                    self._outbox.put(Kind.END, number, messages.pack_end(block))
                    return
                self._check_size(len(block))
                self._outbox.put(Kind.BLOCK, number, block)
                credit.left -= len(block)
                if credit.left <= 0:
                    await credit.more()
                if not self._writable.is_set():
                    await self._writable.wait()
        self._outbox.put(Kind.END, number, messages.pack_end(StreamEnd()))

    def _check_size(self, size: int) -> None:
        if size > self._host.frame_bytes:
            raise UpstreamInvalid(f"the answer is larger than {self._host.frame_bytes} bytes")


class _Credit:
    """Bytes of a stream that may still be sent; the last block may be more."""

    __slots__ = ("_given", "left")

    def __init__(self) -> None:
        self.left = WINDOW_BYTES
        self._given: asyncio.Future[None] | None = None

    def add(self, number: int) -> None:
        self.left += number
        if self.left > 0 and self._given is not None and not self._given.done():
            self._given.set_result(None)

    async def more(self) -> None:
        while self.left <= 0:
            self._given = asyncio.get_running_loop().create_future()
            await self._given
