"""Bytes of request bodies that one replica may hold: of each body, and of all of them together.

Room for a body is taken before it is read, as much as it declares, and given back when its request is over:
until then it is kept, to be sent to another endpoint. Large bodies have three quarters of the budget, so that
small ones, which are most, find room however many large ones there are. Used by `http.py` and `asgi.py`.
"""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass

from voyager_llm.errors import Overloaded
from voyager_llm.settings import Settings

# Bodies over this are large.
LARGE_BYTES = 1024 * 1024
# Of requests that hold no files: definitions, and whatever else is not a completion.
_SMALL_REQUEST_BYTES = 8 * 1024 * 1024
# How long a body waits for others to be given back.
_PATIENCE_S = 2.0


@dataclass(frozen=True, slots=True)
class BodyLimits:
    """Of a request's body: size, seconds in all, seconds without a byte of it."""

    max_bytes: int
    total_s: float
    pause_s: float

    @classmethod
    def of(cls, settings: Settings, *, files: bool) -> BodyLimits:
        """``files``: of a request that may hold some."""
        most = settings.max_body_bytes if files else min(settings.max_body_bytes, _SMALL_REQUEST_BYTES)
        return cls(most, settings.body_timeout_s, settings.client_timeout_s)


class BodyBudget:
    """What the bodies of one replica take together."""

    def __init__(self, most_bytes: int, patience_s: float = _PATIENCE_S) -> None:
        self._most = most_bytes
        self._most_large = most_bytes * 3 // 4
        self._patience_s = patience_s
        self._waiting: deque[asyncio.Future[None]] = deque()
        self.held = 0
        self._held_large = 0

    def hold(self) -> Hold:
        """For one request: nothing yet."""
        return Hold(self)

    def take(self, size: int) -> bool:
        """Whether there was room."""
        large = size if size > LARGE_BYTES else 0
        if self.held + size > self._most or self._held_large + large > self._most_large:
            return False
        self.held += size
        self._held_large += large
        return True

    def give_back(self, size: int) -> None:
        self.held -= size
        if size > LARGE_BYTES:
            self._held_large -= size
        while self._waiting:
            waiting = self._waiting.popleft()
            if not waiting.done():
                waiting.set_result(None)

    async def wait_for(self, size: int) -> None:
        """Take it as soon as there is room. Raises `Overloaded`."""
        try:
            async with asyncio.timeout(self._patience_s):
                while not self.take(size):
                    room = asyncio.get_running_loop().create_future()
                    self._waiting.append(room)
                    await room
        except TimeoutError:
            raise Overloaded("the service holds too many large requests now; try again", "", 1.0) from None


class Hold:
    """What one request's body has of the budget; ``is_read`` once all of it has come."""

    __slots__ = ("_budget", "_size", "is_read")

    def __init__(self, budget: BodyBudget) -> None:
        self._budget = budget
        self._size = 0
        self.is_read = False

    async def grow(self, size: int) -> None:
        """Have ``size`` bytes in all, where it has less. Raises `Overloaded`, and has nothing then."""
        if size <= self._size:
            return
        self.give_back()
        if not self._budget.take(size):
            await self._budget.wait_for(size)
        self._size = size

    def shrink(self, size: int) -> None:
        """Have ``size`` bytes, where it has more."""
        if size < self._size:
            self.give_back()
            # There is room: more was given back just now, and whoever waits for it has not run yet.
            self._budget.take(size)
            self._size = size

    def give_back(self) -> None:
        """Have nothing. May be called again."""
        size, self._size = self._size, 0
        if size:
            self._budget.give_back(size)
