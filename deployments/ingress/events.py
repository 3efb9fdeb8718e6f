"""A stream of server-sent events to one client, which hears from us while it waits.

Proxies and SDKs take a connection for dead that is silent for long, and a model may think for minutes before
it says anything. So after each so many seconds of silence a comment goes out, which clients ignore;
the answer's head goes before it where it is not out yet (`docs/decisions/0024-keep-alive.md`). Used by
`answering.py`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress

from deployments.ingress.asgi import Header, Send, end_events, send_block, start_events

COMMENT = b": keep-alive\n\n"


class EventStream:
    """Use it as an async context manager, in which the stream is waited for, too. ``headers`` are those of an
    answer whose head goes out while nothing more is known; ``every_s`` 0: no comment is ever sent."""

    __slots__ = ("_beat", "_every_s", "_headers", "_last", "_loop", "_send", "_timer", "has_begun")

    def __init__(self, send: Send, headers: Sequence[Header], every_s: float) -> None:
        self._send = send
        self._headers = headers
        self._every_s = every_s
        self._loop = asyncio.get_running_loop()
        self._last = 0.0
        self._timer: asyncio.TimerHandle | None = None
        # The comment that is being sent.
        self._beat: asyncio.Task[None] | None = None
        # Whether the answer's head is out: from then on a failure is told inside the stream.
        self.has_begun = False

    async def __aenter__(self) -> EventStream:
        self._last = self._loop.time()
        if self._every_s:
            self._timer = self._loop.call_later(self._every_s, self._look)
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self._beat is not None:
            self._beat.cancel()
            await asyncio.wait([self._beat])

    async def begin(self, headers: Sequence[Header]) -> None:
        """Send the answer's head, unless it is out."""
        await self._quiet()
        if not self.has_begun:
            self.has_begun = True
            self._last = self._loop.time()
            await start_events(self._send, headers)

    async def send(self, block: bytes) -> None:
        """Send whole events."""
        await self._quiet()
        self._last = self._loop.time()
        await send_block(self._send, block)

    async def end(self) -> None:
        await self._quiet()
        if self._timer is not None:
            self._timer.cancel()
        await end_events(self._send)

    async def _quiet(self) -> None:
        """Wait for a comment that is on its way: nothing may be sent into the middle of it."""
        if self._beat is not None:
            await asyncio.wait([self._beat])

    def _look(self) -> None:
        """Has there been silence for long enough? Look again when there may have been."""
        rest = self._last + self._every_s - self._loop.time()
        if rest <= 0 and self._beat is None:
            self._last = self._loop.time()
            starts, self.has_begun = not self.has_begun, True
            self._beat = self._loop.create_task(self._comment(starts))
        self._timer = self._loop.call_later(rest if rest > 0 else self._every_s, self._look)

    async def _comment(self, starts: bool) -> None:
        """``starts``: the answer's head goes before it."""
        try:
            with suppress(OSError):  # the client is gone: whoever answers it is told so
                if starts:
                    await start_events(self._send, self._headers)
                await send_block(self._send, COMMENT)
        finally:
            self._beat = None
