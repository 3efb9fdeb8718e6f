"""Whether a router replica can answer requests as far as others are needed for it. For `model_router.py`.

A router goes on without the config hub, with the definitions that it holds, but not without a caller and a
renderer where these are deployments of their own. And it outlives the raylet that started it: then nothing
that fails is replaced any more, and calls to other deployments may hang.
"""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import Awaitable, Callable, Sequence

log = logging.getLogger(__name__)

_PERIOD_SECONDS = 2.0
# Serve replaces a lost replica within a few seconds: silence is judged after two periods and a time-out.
_TIMEOUT_SECONDS = 3.0
_SILENCE_SECONDS = 8.0


class Readiness:
    """Asks the other stages, and for the clients' key, now and then. ``pings`` raise when one is missing."""

    def __init__(self, pings: Sequence[Callable[[], Awaitable[None]]]) -> None:
        self._pings = pings
        # Ray's workers are children of their raylet; when it dies, they are given to another parent.
        self._raylet = os.getppid()
        self._heard = float("-inf")

    def holds(self) -> bool:
        """Whether the raylet lives and every other stage has answered lately."""
        if os.getppid() != self._raylet:
            return False
        return not self._pings or time.monotonic() - self._heard < _SILENCE_SECONDS

    async def watch(self) -> None:
        """Run for ever."""
        while self._pings:
            try:
                async with asyncio.timeout(_TIMEOUT_SECONDS):
                    await asyncio.gather(*(ping() for ping in self._pings))
                self._heard = time.monotonic()
            except Exception as error:
                log.warning("not ready: %s", str(error) or type(error).__name__)
            await asyncio.sleep(_PERIOD_SECONDS)
