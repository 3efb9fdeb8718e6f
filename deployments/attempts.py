"""The attempts of one request: which endpoint next, for how long, and what each one showed.

Walks a plan until an endpoint answers: other endpoints on an outage, larger models when the prompt does
not fit, other ones when a content policy refuses; each retry is paid out of a budget. A stream may move
on until its first block, never after. Used by `pipeline.py`.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

from deployments.meter import Meter
from deployments.quotas import Quotas, Reservation
from deployments.router import Option, Plan, Router
from voyager_llm.domain.completion import Answer, Call, StreamEnd, Usage
from voyager_llm.domain.retry import (
    RetryBudget,
    full_jitter,
    is_outage,
    may_repeat,
    needs_larger_context,
    needs_other_policy,
)
from voyager_llm.errors import (
    DeadlineExceeded,
    RateLimited,
    UpstreamInvalid,
    UpstreamTimeout,
    VoyagerError,
)
from voyager_llm.ports import Caller
from voyager_llm.settings import Settings

# Builds the call of one option; the argument is the seconds that it may take.
MakeCall = Callable[[Option, float], Call]

# A pause in a stream longer than this means that the provider hangs.
IDLE_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Demand:
    """What a request takes of a model's rate limits, as far as is known before: tokens."""

    prompt_tokens: int
    output_tokens: int


@dataclass(frozen=True, slots=True)
class Answered:
    """The option that answered, its answer, and how many calls it took in all."""

    option: Option
    answer: Answer
    attempts: int


class Itinerary:
    """Which option comes next, for one request."""

    def __init__(self, plan: Plan, router: Router, budget: RetryBudget) -> None:
        self._plan = plan
        self._router = router
        self._budget = budget
        self._ahead = list(plan.options)
        self._deadline = time.monotonic() + plan.timeout_s
        self.attempts = 0

    def first(self) -> Option:
        return self._ahead.pop(0)

    async def after(self, option: Option, error: VoyagerError) -> Option | None:
        """The next option after a failure; None: give up and report ``error``. May wait a little."""
        if needs_larger_context(error):
            return self._switch(self._plan.larger_context)
        if needs_other_policy(error):
            return self._switch(self._plan.other_policy)
        if not is_outage(error) or self.attempts >= self._plan.max_attempts or self.remaining() <= 0:
            return None
        if not self._budget.withdraw():
            return None
        following = self.sidestep()
        if following is not None or not may_repeat(error):
            return following
        delay = full_jitter(self.attempts)
        if delay >= self.remaining():
            return None
        await asyncio.sleep(delay)
        return option if self._router.health(option.endpoint).admits(time.monotonic()) else None

    def sidestep(self) -> Option | None:
        """The next option that has not been tried and admits a call."""
        while self._ahead:
            option = self._ahead.pop(0)
            if self._router.health(option.endpoint).admits(time.monotonic()):
                return option
        return None

    def _switch(self, options: Sequence[Option]) -> Option | None:
        """Go on with another chain; what led here counts neither as outage nor against the budget."""
        if not options or self.remaining() <= 0:
            return None
        self._ahead = list(options)
        # A second fault of the same kind has nowhere else to go.
        self._plan = Plan(
            (), self._without(self._plan.larger_context, options),
            self._without(self._plan.other_policy, options),
            self._plan.timeout_s, self._plan.max_attempts + len(options), 0.0,
        )  # fmt: skip
        return self._ahead.pop(0)

    @staticmethod
    def _without(chain: tuple[Option, ...], used: Sequence[Option]) -> tuple[Option, ...]:
        return () if chain == tuple(used) else chain

    def remaining(self) -> float:
        """Seconds until the request's deadline."""
        return self._deadline - time.monotonic()

    def share(self) -> float:
        """Seconds for the next attempt: an equal part for every option that is still ahead, and all
        that is left for the last, since a time-out is never repeated on the same endpoint.

        Raises `DeadlineExceeded`."""
        remaining = self.remaining()
        if remaining <= 0:
            raise DeadlineExceeded("the request's deadline has passed")
        left = max(1, min(len(self._ahead) + 1, self._plan.max_attempts - self.attempts))
        return remaining / left


class Attempts:
    """Runs plans against a caller."""

    def __init__(
        self, caller: Caller, router: Router, quotas: Quotas, meter: Meter, settings: Settings
    ) -> None:
        self._caller = caller
        self._router = router
        self._quotas = quotas
        self._meter = meter
        self._budget = RetryBudget(settings.retry_budget_share)

    async def call(self, plan: Plan, make: MakeCall, demand: Demand) -> Answered:
        """Raises the error of the last attempt when none answered."""
        self._budget.deposit()
        itinerary = Itinerary(plan, self._router, self._budget)
        option: Option = itinerary.first()
        if plan.hedge_after_s:
            return await self._hedged(itinerary, option, make, demand, plan.hedge_after_s)
        return await self._until_answered(itinerary, option, make, demand)

    async def _until_answered(
        self, itinerary: Itinerary, option: Option, make: MakeCall, demand: Demand
    ) -> Answered:
        while True:
            try:
                answer = await self._attempt(itinerary, option, make, demand)
                return Answered(option, answer, itinerary.attempts)
            except VoyagerError as error:
                following = await itinerary.after(option, error)
                if following is None:
                    raise
                option = following

    async def _attempt(self, itinerary: Itinerary, option: Option, make: MakeCall, demand: Demand) -> Answer:
        held = await self._quotas.reserve(option.model, demand.prompt_tokens, demand.output_tokens)
        health = self._router.health(option.endpoint)
        call = make(option, itinerary.share())
        itinerary.attempts += 1
        started = time.monotonic()
        health.start(started)
        try:
            answer = await self._caller.call(call)
        except VoyagerError as error:
            self._judge(option, error)
            self._quotas.settle(held, Usage())
            raise
        else:
            now = time.monotonic()
            health.succeeded(now, now - started)
            self._meter.attempt(option.endpoint.key, "ok")
            self._quotas.settle(held, answer.usage)
            return answer
        finally:
            health.release()

    async def _hedged(
        self, itinerary: Itinerary, option: Option, make: MakeCall, demand: Demand, delay_s: float
    ) -> Answered:
        """Start a second attempt when the first is late; the first answer wins, the other is
        cancelled."""
        first = asyncio.create_task(self._until_answered(itinerary, option, make, demand))
        running = {first}
        try:
            done, _ = await asyncio.wait(running, timeout=delay_s)
            other = None
            if not done and self._budget.withdraw():
                other = itinerary.sidestep()
            if other is not None:
                running.add(asyncio.create_task(self._until_answered(itinerary, other, make, demand)))
            while True:
                done, running = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
                answered = next((task for task in done if task.exception() is None), None)
                if answered is not None:
                    return answered.result()
                if not running:
                    return first.result() if first in done else next(iter(done)).result()
        finally:
            for task in running:
                task.cancel()
                with suppress(asyncio.CancelledError, VoyagerError):
                    await task

    async def stream(self, plan: Plan, make: MakeCall, demand: Demand) -> Opened:
        """Open a stream and wait for its first block. Raises the last attempt's error."""
        self._budget.deposit()
        itinerary = Itinerary(plan, self._router, self._budget)
        option: Option | None = itinerary.first()
        while True:
            try:
                return await self._open(itinerary, option, make, demand)
            except VoyagerError as error:
                option = await itinerary.after(option, error)
                if option is None:
                    raise

    async def _open(self, itinerary: Itinerary, option: Option, make: MakeCall, demand: Demand) -> Opened:
        held = await self._quotas.reserve(option.model, demand.prompt_tokens, demand.output_tokens)
        health = self._router.health(option.endpoint)
        share = itinerary.share()
        call = make(option, share)
        itinerary.attempts += 1
        started = time.monotonic()
        health.start(started)
        blocks = self._caller.stream(call)
        try:
            async with asyncio.timeout(share):
                first = await anext(blocks)
            if isinstance(first, StreamEnd):
                raise first.error or UpstreamInvalid("the provider's stream holds nothing")
        except BaseException as error:
            await blocks.aclose()
            fault = _as_fault(error, share)
            if fault is not None:
                self._judge(option, fault)
            self._quotas.settle(held, Usage())
            health.release()
            if fault is None or fault is error:
                raise
            raise fault from None
        now = time.monotonic()
        health.succeeded(now, now - started)
        self._meter.attempt(option.endpoint.key, "ok")
        return Opened(option, itinerary.attempts, now - started, first, blocks, held)

    def close(self, opened: Opened, end: StreamEnd) -> None:
        """Account for a stream that is over, however it ended."""
        self._router.health(opened.option.endpoint).release()
        self._quotas.settle(opened.held, end.usage)
        if end.error is not None:
            self._judge(opened.option, end.error)

    def _judge(self, option: Option, error: VoyagerError) -> None:
        now = time.monotonic()
        health = self._router.health(option.endpoint)
        self._meter.attempt(option.endpoint.key, error.code)
        if isinstance(error, RateLimited):
            health.limited(now, error.retry_after_s)
        elif is_outage(error):
            health.failed(now, error.message, error.retry_after_s)


@dataclass(frozen=True, slots=True)
class Opened:
    """A stream whose first block has come. Belongs to whoever must `Attempts.close` it."""

    option: Option
    attempts: int
    first_block_s: float
    first: bytes
    rest: AsyncGenerator[bytes | StreamEnd]
    held: Reservation | None


def _as_fault(error: BaseException, share: float) -> VoyagerError | None:
    """The endpoint's fault behind an exception; None when it is not the endpoint's."""
    if isinstance(error, VoyagerError):
        return error
    if isinstance(error, TimeoutError):
        return UpstreamTimeout(f"the provider did not begin to answer within {share:.3g} s")
    if isinstance(error, StopAsyncIteration):
        return UpstreamInvalid("the provider's stream holds nothing")
    return None
