"""Work that is done once, whoever needs it first. Used by `config_hub.py`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any


class Once:
    """Call it to have the work done: all who wait share one try, and after a failure the next call tries
    again. Raises what the work raised."""

    def __init__(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        self._work = work
        self._doing: asyncio.Task[None] | None = None

    async def __call__(self) -> None:
        doing = self._doing = self._doing or asyncio.create_task(self._work())
        try:
            await asyncio.shield(doing)
        except Exception:
            if self._doing is doing:
                self._doing = None
            raise
