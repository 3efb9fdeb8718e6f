"""Bodies are bounded in their sum: large ones wait for each other, small ones do not wait for them."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deployments.ingress.bodies import LARGE_BYTES, BodyBudget, Hold
from voyager_llm.errors import Overloaded

MB = 1024 * 1024
BUDGET = 16 * MB


async def held(budget: BodyBudget, size: int) -> Hold:
    hold = budget.hold()
    await hold.grow(size)
    return hold


async def test_small_bodies_find_room_however_many_large_ones_there_are() -> None:
    budget = BodyBudget(BUDGET, patience_s=0.05)
    large = [await held(budget, 4 * MB) for _ in range(3)]
    with pytest.raises(Overloaded) as refused:
        await held(budget, 2 * MB)
    assert refused.value.retry_after_s == 1
    small = [await held(budget, LARGE_BYTES) for _ in range(4)]
    assert budget.held == BUDGET
    with pytest.raises(Overloaded):
        await held(budget, 1)
    for hold in [*large, *small]:
        hold.give_back()
        hold.give_back()
    assert budget.held == 0


async def test_a_body_waits_until_another_is_given_back() -> None:
    budget = BodyBudget(BUDGET, patience_s=30)
    first = await held(budget, 12 * MB)
    second = asyncio.create_task(held(budget, 12 * MB))
    third = asyncio.create_task(held(budget, 12 * MB))
    await asyncio.sleep(0)
    assert not second.done()
    first.give_back()
    hold = await second
    assert not third.done()
    hold.give_back()
    (await third).give_back()
    assert budget.held == 0


async def test_whoever_stops_waiting_takes_nothing() -> None:
    budget = BodyBudget(BUDGET, patience_s=30)
    first = await held(budget, 12 * MB)
    waiting = asyncio.create_task(held(budget, 12 * MB))
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.wait([waiting])
    first.give_back()
    assert budget.held == 0
    (await held(budget, 12 * MB)).give_back()


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 20 * MB)), max_size=40))
def test_the_sum_never_passes_the_budget_and_comes_back_to_nothing(steps: list[tuple[int, int]]) -> None:
    async def run() -> None:
        budget = BodyBudget(BUDGET, patience_s=0)
        holds = [budget.hold() for _ in range(5)]
        for which, size in steps:
            if which == 5:
                holds[size % 5].shrink(size)
            else:
                try:
                    await holds[which].grow(size)
                except Overloaded:
                    holds[which].give_back()
            assert 0 <= budget.held <= BUDGET
        for hold in holds:
            hold.give_back()
        assert budget.held == 0

    asyncio.run(run())
