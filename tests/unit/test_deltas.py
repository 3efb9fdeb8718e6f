"""Changes of the configuration travel in pieces, and long work lets others run in between."""

from __future__ import annotations

import asyncio
import time

from deployments.serving.deltas import Packing, unpacked
from voyager_llm.domain.definition import Kind
from voyager_llm.domain.route import RouteDefinition, RouteTarget
from voyager_llm.pace import Pace
from voyager_llm.snapshot import Change, Delta


def delta(number: int, version: int = 2) -> Delta:
    def change(n: int) -> Change:
        route = RouteDefinition(name=f"r{n}", targets=(RouteTarget(model="m"),))
        return Change(Kind.ROUTE, route.name, str(n), route if n % 3 else None)

    return Delta(1, version, tuple(change(n) for n in range(number)), "digest")


async def test_a_change_arrives_as_it_was_sent() -> None:
    packing = Packing()
    for version, number in enumerate((0, 1, 9, 10, 11, 1000), 2):
        sent = delta(number, version)
        assert await unpacked(await packing.packed(sent)) == sent


async def test_a_change_is_packed_once_even_where_the_first_who_asks_leaves() -> None:
    packing, sent = Packing(), delta(2000)
    first = asyncio.create_task(packing.packed(sent))
    await asyncio.sleep(0)
    first.cancel()
    one, two = await asyncio.gather(packing.packed(sent), packing.packed(sent))
    assert one is two
    assert await unpacked(one) == sent


async def test_others_run_while_a_large_change_is_packed_and_unpacked() -> None:
    """Counted in turns, not in time, so that a busy machine changes nothing."""
    turns = 0

    async def other() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    watching = asyncio.create_task(other())
    await unpacked(await Packing().packed(delta(20_000)))
    watching.cancel()
    assert turns > 20


async def test_a_slice_ends_by_itself() -> None:
    pace, turns = Pace(), 0

    async def other() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    watching = asyncio.create_task(other())
    end = time.monotonic() + 0.2
    while time.monotonic() < end:
        await pace.rest()
    watching.cancel()
    assert turns > 10
