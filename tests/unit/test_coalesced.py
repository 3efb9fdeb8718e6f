"""Streams that cross to a router over a handle: blocks are joined, in order, and few are pending."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

from hypothesis import given
from hypothesis import strategies as st

from deployments.serving import coalesced as module
from deployments.serving.coalesced import coalesced
from voyager_llm.domain.completion import StreamEnd
from voyager_llm.domain.usage import Usage
from voyager_llm.errors import Internal

END = StreamEnd(Usage(1, 1))


async def blocks_of(sizes: list[int], taken: list[int]) -> AsyncGenerator[bytes | StreamEnd]:
    for size in sizes:
        taken.append(size)
        yield b"d" * size
    yield END


@given(st.lists(st.integers(1, 2 * module.MOST_BYTES), max_size=20))
def test_blocks_come_whole_and_in_order(sizes: list[int]) -> None:
    async def read() -> list[bytes | StreamEnd]:
        return [block async for block in coalesced(blocks_of(sizes, []), 0.001)]

    *blocks, end = asyncio.run(read())
    assert end == END
    assert sum(len(block) for block in blocks if isinstance(block, bytes)) == sum(sizes)
    assert not sizes or blocks[0] == b"d" * sizes[0]


async def test_who_does_not_read_lets_few_be_taken() -> None:
    taken: list[int] = []
    async with aclosing(coalesced(blocks_of([1024] * 10_000, taken), 0.0)) as joined:
        for _ in range(2):
            await anext(joined)
        # Enough turns of the event loop for all of them, were they taken.
        for _ in range(20_000):
            await asyncio.sleep(0)
        assert sum(taken) <= 2 * module.MOST_BYTES + 2048


async def test_a_stream_that_is_closed_ends_its_source() -> None:
    ended = asyncio.Event()

    async def endless() -> AsyncGenerator[bytes | StreamEnd]:
        try:
            while True:
                yield b"d"
                await asyncio.sleep(0.001)
        finally:
            ended.set()

    async with aclosing(endless()) as source, aclosing(coalesced(source, 0.001)) as joined:
        for _ in range(3):
            await anext(joined)
    assert ended.is_set()


async def test_a_fault_of_ours_ends_the_stream_with_an_error() -> None:
    async def broken() -> AsyncGenerator[bytes | StreamEnd]:
        yield b"d"
        raise ValueError("no error of ours")

    *_, end = [block async for block in coalesced(broken(), 0.0)]
    assert isinstance(end, StreamEnd)
    assert isinstance(end.error, Internal)
