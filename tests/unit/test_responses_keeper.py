"""The keeper delays no answer for long, tells the store of many at once, and holds no more than it may."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from deployments.ingress.openai.responses import keeper
from deployments.ingress.openai.responses.keeper import Keeper
from tests.support.virtual_time import run
from voyager_llm.clock import Clock
from voyager_llm.domain.stored_responses import Put, StoredResponse
from voyager_llm.errors import Unavailable


class Store:
    """`ResponseStore` that takes its time; refuses where it is ``away``."""

    def __init__(self, delay_s: float = 0.0, *, away: bool = False) -> None:
        self.delay_s = delay_s
        self.away = away
        self.told: list[int] = []

    async def put_responses(self, puts: Sequence[Put]) -> Sequence[bool]:
        self.told.append(len(puts))
        await asyncio.sleep(self.delay_s)
        if self.away:
            raise Unavailable("it is starting again")
        return [True] * len(puts)

    async def get_response(self, owner: str, response_id: str) -> StoredResponse | None:
        return None

    async def delete_response(self, owner: str, response_id: str) -> bool:
        return False


def put(size: int = 10) -> Put:
    return Put("ada", StoredResponse("resp_1", (b"[]",), b"[]", b"x" * size))


def test_what_comes_meanwhile_goes_together() -> None:
    async def scenario(clock: Clock) -> None:
        store = Store(0.1)
        kept = Keeper(store)
        assert await asyncio.gather(*(kept.keep(put()) for _ in range(50))) == [True] * 50
        assert len(store.told) <= 2
        assert sum(store.told) == 50

    run(scenario)


def test_a_message_is_never_too_large() -> None:
    async def scenario(clock: Clock) -> None:
        store = Store(0.1)
        kept = Keeper(store)
        assert await asyncio.gather(*(kept.keep(put(1_000_000)) for _ in range(8))) == [True] * 8
        assert max(store.told) <= 3
        assert await kept.keep(put(4_000_000)) is False

    run(scenario)


def test_a_store_that_hangs_costs_a_second_once() -> None:
    async def scenario(clock: Clock) -> None:
        store = Store(60)
        kept = Keeper(store)
        began = clock()
        assert await asyncio.gather(*(kept.keep(put()) for _ in range(20))) == [False] * 20
        assert 0.9 < clock() - began < 1.1
        await asyncio.sleep(0.1)
        began = clock()
        assert await kept.keep(put()) is False
        assert clock() == began
        store.delay_s = 0
        await asyncio.sleep(70)
        assert await kept.keep(put()) is True

    run(scenario)


def test_a_store_that_is_away_is_asked_again() -> None:
    async def scenario(clock: Clock) -> None:
        store = Store(away=True)
        kept = Keeper(store)
        assert await kept.keep(put()) is False
        store.away = False
        assert await kept.keep(put()) is True

    run(scenario)


def test_what_waits_is_bounded() -> None:
    async def scenario(clock: Clock) -> None:
        kept = Keeper(Store(0.5))
        most = keeper._MOST  # pyright: ignore[reportPrivateUsage]
        answers = await asyncio.gather(*(kept.keep(put()) for _ in range(most + 50)))
        assert answers.count(False) >= 49

    run(scenario)
