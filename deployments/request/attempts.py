"""Walks a plan until an endpoint answers: the next one after a failure, or a second one beside one that is
late. A stream may move on until its first block, never after. Used by `pipeline.py`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

from deployments.request.attempt import Attempt, Line, Wanted
from deployments.request.routing import Option, Plan
from deployments.request.walk import Walk
from voyager_llm.domain.completion import Reason
from voyager_llm.errors import Unavailable, VoyagerError


async def open_attempt(line: Line, walk: Walk, plan: Plan, wanted: Wanted) -> Attempt:
    """An attempt that has begun to answer; whoever gets it must leave it. Raises the error of the last one
    when none answered."""
    if plan.hedge_after_s:
        return await _hedged(line, walk, wanted, plan.hedge_after_s)
    return await _until_answered(line, walk, wanted, walk.first(), Reason.FIRST)


async def _until_answered(line: Line, walk: Walk, wanted: Wanted, option: Option, reason: Reason) -> Attempt:
    while True:
        attempt = Attempt(line, walk, option, wanted, reason)
        try:
            await attempt.open()
            return attempt
        except VoyagerError as error:
            following = await walk.after(option, error)
            if following is None:
                raise
            option, reason = following


async def _hedged(line: Line, walk: Walk, wanted: Wanted, delay_s: float) -> Attempt:
    """Start a second attempt when the first is late; the first answer wins, the other is cancelled."""
    race = _Race()

    def start(option: Option, reason: Reason) -> None:
        race.enter(_until_answered(line, walk, wanted, option, reason))

    try:
        start(walk.first(), Reason.FIRST)
        await race.wait(delay_s)
        if race.is_open() and (other := walk.sidestep()) and other.health.repeats.withdraw():
            start(other, Reason.HEDGE)
        return await race.winner()
    except BaseException:
        await race.abandon()
        raise


class _Race:
    """Attempts beside each other. Whoever answers after the first one closes itself."""

    def __init__(self) -> None:
        self._running: set[asyncio.Task[None]] = set()
        self._winner: Attempt | None = None
        self._fault: Exception | None = None

    def enter(self, opening: Coroutine[Any, Any, Attempt]) -> None:
        self._running.add(asyncio.create_task(self._run(opening)))

    def is_open(self) -> bool:
        return self._winner is None and bool(self._running)

    async def wait(self, timeout_s: float | None) -> None:
        """Until one of them is over."""
        done, self._running = await asyncio.wait(
            self._running, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED
        )
        for task in done:
            task.result()

    async def winner(self) -> Attempt:
        """The first that answered. Raises the first fault where none does."""
        while self.is_open():
            await self.wait(None)
        await self._cancel()
        if self._winner is None:
            raise self._fault or Unavailable("no endpoint answered")
        return self._winner

    async def abandon(self) -> None:
        """The request is over before the race."""
        winner, self._winner = self._winner, None
        await self._cancel()
        if winner is not None:
            await winner.aclose()

    async def _run(self, opening: Coroutine[Any, Any, Attempt]) -> None:
        try:
            attempt = await opening
        except Exception as error:
            self._fault = self._fault or error
            return
        if self._winner is None:
            self._winner = attempt
        else:
            await attempt.aclose()

    async def _cancel(self) -> None:
        for task in self._running:
            task.cancel()
        if self._running:
            await asyncio.wait(self._running)
