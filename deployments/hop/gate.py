"""How many calls a replica has under way, whichever way they came, and at most how many.

Serve counts only those that come over handles: the rest are counted here together with them, for its
autoscaler (`LiteLLMCaller.record_autoscaling_stats`) and for the limit that both share. Used by the
deployments and by `session.py`.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager


class Gate:
    """``limit``: calls under way at most."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._under_way = 0
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._idle = asyncio.Event()
        self._idle.set()

    @property
    def ongoing(self) -> int:
        """Calls under way and those that wait for a place."""
        return self._under_way + len(self._waiting)

    def try_enter(self) -> bool:
        """Take a place, to be given back with `leave`; False: there is none, or others wait for it."""
        if self._under_way >= self.limit or self._waiting:
            return False
        self._under_way += 1
        self._idle.clear()
        return True

    def leave(self) -> None:
        """Give a place back: to whoever waits longest."""
        while self._waiting:
            following = self._waiting.popleft()
            if not following.done():
                following.set_result(None)
                return
        self._under_way -= 1
        if not self._under_way:
            self._idle.set()

    @asynccontextmanager
    async def turn(self) -> AsyncGenerator[None]:
        """A place, waited for: for calls over handles, which Serve has let in by its own count."""
        if not self.try_enter():
            await self._place()
        try:
            yield
        finally:
            self.leave()

    async def _place(self) -> None:
        given = asyncio.get_running_loop().create_future()
        self._waiting.append(given)
        try:
            await given
        except asyncio.CancelledError:
            if given.done() and not given.cancelled():
                self.leave()
            elif given in self._waiting:
                self._waiting.remove(given)
            raise

    async def idle(self) -> None:
        """Returns when nothing is under way."""
        await self._idle.wait()
