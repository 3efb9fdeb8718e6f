"""What has come of one stream and was not read yet: bounded, as the other end has credit for so much.

Made by `channel.py`, read by `caller.py`.
"""

from __future__ import annotations

import asyncio
from typing import Protocol

from deployments.hop.frames import WINDOW_BYTES
from voyager_llm.domain.completion import StreamEnd


class Source(Protocol):
    """The channel that the stream comes over."""

    def credit(self, number: int, size: int) -> None: ...

    def cancel(self, number: int) -> None: ...


class Inbox:
    """Of one stream."""

    __slots__ = ("_blocks", "_end", "_news", "_read", "_source", "began", "number")

    def __init__(self, source: Source) -> None:
        self.number = 0
        # Whether a block has been read.
        self.began = False
        self._source = source
        self._blocks: list[bytes] = []
        self._end: StreamEnd | Exception | None = None
        self._news: asyncio.Future[None] | None = None
        # Bytes read since the last credit was given.
        self._read = 0

    def put(self, block: bytes) -> None:
        self._blocks.append(block)
        self._wake()

    def end(self, end: StreamEnd) -> None:
        self._end = end
        self._wake()

    def fail(self, error: Exception) -> None:
        self._end = error
        self._wake()

    def _wake(self) -> None:
        if self._news is not None and not self._news.done():
            self._news.set_result(None)

    async def get(self) -> bytes | StreamEnd:
        """All blocks that have come, joined, or the end; waits for one of them. Raises what `fail` was given,
        after the blocks that came before."""
        while not self._blocks:
            if isinstance(self._end, StreamEnd):
                return self._end
            if self._end is not None:
                raise self._end
            self._news = asyncio.get_running_loop().create_future()
            await self._news
        block = self._blocks[0] if len(self._blocks) == 1 else b"".join(self._blocks)
        self._blocks.clear()
        self.began = True
        self._read += len(block)
        if self._read >= WINDOW_BYTES // 2:
            self._source.credit(self.number, self._read)
            self._read = 0
        return block

    def close(self) -> None:
        """Nobody reads on: cancels the call where it is not over."""
        self._source.cancel(self.number)
