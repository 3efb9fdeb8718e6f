"""Work that is done once: shared by all who wait, tried again after a failure, ended by nobody who leaves."""

from __future__ import annotations

import asyncio

from deployments.serving.once import Once


class Work:
    def __init__(self, *failures: int) -> None:
        self.tries = 0
        self._failures = failures
        self.go = asyncio.Event()

    async def __call__(self) -> None:
        self.tries += 1
        await self.go.wait()
        if self.tries in self._failures:
            raise ValueError("not this time")


async def test_all_who_wait_share_one_try() -> None:
    work = Work()
    once = Once(work)
    waiting = [asyncio.create_task(once()) for _ in range(5)]
    await asyncio.sleep(0)
    waiting[0].cancel()
    work.go.set()
    await asyncio.gather(*waiting[1:])
    await once()
    assert work.tries == 1


async def test_after_a_failure_the_next_call_tries_again() -> None:
    work = Work(1)
    work.go.set()
    once = Once(work)
    failed = await asyncio.gather(once(), once(), return_exceptions=True)
    assert [type(result) for result in failed] == [ValueError, ValueError]
    await once()
    assert work.tries == 2
