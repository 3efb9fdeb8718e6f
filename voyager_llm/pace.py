"""Long work on an event loop, in slices, so that whatever else runs there waits for milliseconds at most.

Threads would not help: Python runs one at a time, and hands over after longer than a slice. Used for bulk
writes, for large publications and for large changes of the configuration.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Sequence
from typing import TypeVar

T = TypeVar("T")

_SLICE_SECONDS = 0.002


class Pace:
    """Make one for a piece of work, and await `rest` between its steps."""

    __slots__ = ("_until",)

    def __init__(self) -> None:
        self._until = time.monotonic() + _SLICE_SECONDS

    async def rest(self) -> None:
        """Let others run, if the slice is used up."""
        if time.monotonic() >= self._until:
            await asyncio.sleep(0)
            self._until = time.monotonic() + _SLICE_SECONDS


def chunks(things: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    """The things, ``size`` at a time."""
    return (things[start : start + size] for start in range(0, len(things), size))
