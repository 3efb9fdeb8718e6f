"""Blocks of a stream, joined: for streams that cross to a router over a handle (`litellm_caller.py`)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

from voyager_llm.domain.completion import StreamEnd
from voyager_llm.errors import public

# What may be pending: beyond it no block is taken, and the provider has to wait.
MOST_BYTES = 256 * 1024


async def coalesced(
    blocks: AsyncGenerator[bytes | StreamEnd], pause_s: float
) -> AsyncGenerator[bytes | StreamEnd]:
    """The first block at once, later ones joined over ``pause_s`` seconds. Events stay whole."""
    first = await anext(blocks, StreamEnd())
    yield first
    if isinstance(first, StreamEnd):
        return
    inbox = _Inbox(blocks)
    gathering = asyncio.create_task(inbox.gather())
    try:
        while inbox.end is None or inbox.pending:
            if block := await inbox.take(pause_s):
                yield block
        yield inbox.end
    finally:
        gathering.cancel()
        # The blocks' generator is closed by whoever made it, which it cannot be while this one runs it.
        await asyncio.wait([gathering])


class _Inbox:
    """Blocks that have come but were not sent on yet; so many that they have `MOST_BYTES` and one more."""

    def __init__(self, blocks: AsyncGenerator[bytes | StreamEnd]) -> None:
        self._blocks = blocks
        self._news = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()
        self._bytes = 0
        self.pending: list[bytes] = []
        self.end: StreamEnd | None = None

    async def gather(self) -> None:
        end = StreamEnd()
        try:
            async for block in self._blocks:
                if isinstance(block, StreamEnd):
                    end = block
                    break
                self.pending.append(block)
                self._bytes += len(block)
                self._news.set()
                if self._bytes >= MOST_BYTES:
                    self._room.clear()
                    await self._room.wait()
        except Exception as error:
            end = StreamEnd(None, public(error))
        self.end = end
        self._news.set()

    async def take(self, pause_s: float) -> bytes:
        """What is pending, after a pause that lets more of it come."""
        await self._news.wait()
        if self.end is None and self._room.is_set():
            await asyncio.sleep(pause_s)
        if self.end is None:
            self._news.clear()
        block = b"".join(self.pending)
        self.pending.clear()
        self._bytes = 0
        self._room.set()
        return block
