"""Responses on their way into the store: kept before their clients can name them, and in nobody's way.

An answer is told whole when its response is kept, so that its id can be used at once, at any replica; a store
that is slow or away costs a moment, and the response then says that it is not kept. What comes while the
store is being told goes along together next time. Used by `api.py`.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass

from voyager_llm.domain.stored_responses import Put
from voyager_llm.errors import VoyagerError
from voyager_llm.ports import ResponseStore

log = logging.getLogger(__name__)

# How long an answer waits at most.
_PATIENCE_S = 1.0
# Of those that wait for the store.
_MOST = 1024
_MOST_BYTES = 64 * 1024 * 1024
# Of one message: Ray Serve takes four MiB.
_MESSAGE_BYTES = 3 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class _Waiting:
    put: Put
    kept: asyncio.Future[bool]


class Keeper:
    """Of one router replica."""

    def __init__(self, store: ResponseStore) -> None:
        self._store = store
        self._waiting: list[_Waiting] = []
        self._bytes = 0
        self._writing: asyncio.Task[None] | None = None
        # When the store was told last.
        self._told_at = 0.0

    async def keep(self, put: Put) -> bool:
        """Whether it is kept. Raises nothing."""
        size = put.response.size
        if size > _MESSAGE_BYTES or len(self._waiting) >= _MOST or self._bytes + size > _MOST_BYTES:
            return False
        loop = asyncio.get_running_loop()
        if self._writing is not None and loop.time() - self._told_at > _PATIENCE_S:
            return False  # it hangs: whoever waits behind the first would wait in vain
        kept: asyncio.Future[bool] = loop.create_future()
        self._waiting.append(_Waiting(put, kept))
        self._bytes += size
        if self._writing is None:
            self._told_at = loop.time()
            self._writing = loop.create_task(self._write())
        try:
            async with asyncio.timeout(_PATIENCE_S):
                return await kept
        except TimeoutError:
            return False

    async def _write(self) -> None:
        try:
            while self._waiting:
                batch = self._next()
                self._told_at = asyncio.get_running_loop().time()
                answers = await self._written([waiting.put for waiting in batch])
                for waiting, kept in zip(batch, answers, strict=True):
                    if not waiting.kept.done():
                        waiting.kept.set_result(kept)
        finally:
            self._writing = None

    def _next(self) -> list[_Waiting]:
        """As many as one message takes, in their order."""
        size = count = 0
        for waiting in self._waiting:
            size += waiting.put.response.size
            if count and size > _MESSAGE_BYTES:
                break
            count += 1
        batch, self._waiting = self._waiting[:count], self._waiting[count:]
        self._bytes -= sum(waiting.put.response.size for waiting in batch)
        return batch

    async def _written(self, puts: Sequence[Put]) -> Sequence[bool]:
        try:
            return await self._store.put_responses(puts)
        except VoyagerError as error:
            log.warning("%s responses are not kept: %s", len(puts), error)
        except Exception:
            log.exception("%s responses are not kept", len(puts))
        return [False] * len(puts)
