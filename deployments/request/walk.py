"""The way of one request through its plan: which endpoint next, for how long. Used by `attempts.py`.

What a failure allows stands in `voyager_llm/domain/judgement.py`; this keeps what is left of the plan, the
deadline, and whom a later answer would show to be at fault.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace

from deployments.request.routing import Option, Plan
from voyager_llm.clock import Clock
from voyager_llm.domain.completion import Reason, Tried
from voyager_llm.domain.health import EndpointHealth
from voyager_llm.domain.judgement import Again, Chain, Judgement, judge
from voyager_llm.domain.patience import allowance_s
from voyager_llm.domain.retry import full_jitter
from voyager_llm.errors import DeadlineExceeded, VoyagerError

# How often a call is made again whose process was lost: a body that ends processes must not end them all.
_LOST = 3


class Walk:
    """What one request has tried, and may try yet."""

    def __init__(self, plan: Plan, clock: Clock) -> None:
        self._plan = plan
        self._clock = clock
        self._ahead = list(plan.options)
        self._started = 0
        self._lost = 0
        # Endpoints that failed in a way that only an answer to the same request would show to be their fault,
        # each with the seconds for which it asked.
        self._accused: list[tuple[EndpointHealth, float]] = []
        # Attempts that are over.
        self.tried: list[Tried] = []

    def remaining_s(self) -> float:
        """Seconds until the request's deadline."""
        return self._plan.deadline - self._clock()

    def first(self) -> Option:
        return self._ahead.pop(0)

    def allowance_s(self, usual_s: float, output_tokens: int) -> float:
        """Seconds for an attempt that starts now; the arguments are those of `patience.allowance_s`.

        Raises `DeadlineExceeded`."""
        self._started += 1
        remaining = self.remaining_s()
        if remaining <= 0:
            raise DeadlineExceeded("the request's deadline has passed")
        others = bool(self._ahead) and self._started < self._plan.max_attempts
        return allowance_s(remaining, usual_s, output_tokens, others=others)

    def accuse(self, health: EndpointHealth, hint_s: float) -> None:
        """An endpoint failed, unless the request itself is at fault."""
        self._accused.append((health, hint_s))

    def answered(self, witness: EndpointHealth) -> None:
        """The request was answered, so it was good: those who failed before are suspects."""
        now = self._clock()
        for health, hint_s in self._accused:
            if health is not witness:
                health.suspect(now, hint_s)
        self._accused.clear()

    async def after(self, option: Option, error: VoyagerError) -> tuple[Option, Reason] | None:
        """Where to go on after a failure; None: give up and report ``error``. May wait a little."""
        if self._plan.once:
            return None
        judged = judge(error)
        if judged.chain is not Chain.NONE:
            return self._switch(judged.chain)
        if self.remaining_s() <= 0:
            return None
        if judged.elsewhere and self._started < self._plan.max_attempts:
            following = self.sidestep()
            if following is not None:
                return following, Reason.FALLBACK
        return await self._again(option, judged)

    def sidestep(self) -> Option | None:
        """The next option that has not been tried and admits a call."""
        while self._ahead:
            option = self._ahead.pop(0)
            if option.health.admits(self._clock()):
                return option
        return None

    async def _again(self, option: Option, judged: Judgement) -> tuple[Option, Reason] | None:
        if judged.again is Again.FREE:
            self._lost += 1
            if self._lost > _LOST:
                return None
            self._started -= 1
            delay = full_jitter(self._lost - 1) if self._lost > 1 else 0.0
        elif judged.again is Again.PAID:
            if self._started >= self._plan.max_attempts or not option.health.repeats.withdraw():
                return None
            delay = full_jitter(self._started)
        else:
            return None
        if delay >= self.remaining_s():
            return None
        await asyncio.sleep(delay)
        return (option, Reason.REPEAT) if option.health.admits(self._clock()) else None

    def _switch(self, chain: Chain) -> tuple[Option, Reason] | None:
        """Go on with the fallbacks of a chain, once: a second fault of its kind has nowhere else to go."""
        plan = self._plan
        larger = chain is Chain.LARGER_CONTEXT
        options = plan.larger_context if larger else plan.other_policy
        if not options or self.remaining_s() <= 0:
            return None
        self._plan = replace(
            plan,
            larger_context=() if larger else plan.larger_context,
            other_policy=plan.other_policy if larger else (),
            max_attempts=plan.max_attempts + len(options),
            hedge_after_s=0.0,
        )
        self._ahead = list(options)
        following = self.sidestep()
        return None if following is None else (following, Reason.FALLBACK)
