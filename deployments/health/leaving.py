"""Whether a router is to go: because the run is being stopped, or because Serve takes the replica out.

Whoever waits for news without an end (`Watch` of ``grpc.health.v1``) is told so and sent away then: it would
count as a request under way, and hold up the end. Watched by `model_router.py`; a stop is told by
`serve_app/drain.py`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

from voyager_llm.settings import scratch_folder

_MARK = "stopping"
_PERIOD_SECONDS = 0.5


def tell(scratch: Path) -> None:
    """Tell the routers of a run, whose folder this is, that it is being stopped."""
    (scratch / _MARK).touch()


class Leaving:
    """Set once, for good. ``is_taken_out`` asks Serve."""

    def __init__(self, is_taken_out: Callable[[], Awaitable[bool]]) -> None:
        self._is_taken_out = is_taken_out
        scratch = scratch_folder()
        self._mark = scratch / _MARK if scratch else None
        self._told = asyncio.Event()

    def holds(self) -> bool:
        return self._told.is_set()

    async def wait(self, seconds: float) -> None:
        """Until it holds, so many seconds at most."""
        try:
            async with asyncio.timeout(seconds):
                await self._told.wait()
        except TimeoutError:
            return

    async def watch(self) -> None:
        """Run until it holds."""
        while not self._told.is_set():
            if self._is_stopping() or await self._is_taken_out():
                self._told.set()
            await asyncio.sleep(_PERIOD_SECONDS)

    def _is_stopping(self) -> bool:
        return self._mark is not None and self._mark.exists()
