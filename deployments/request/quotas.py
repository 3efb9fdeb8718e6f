"""Rate limits of models, kept before a call: spends slices that the config hub leases.

Most requests are served from the slice at hand, without a hop; a model without limits costs nothing.
Used by `attempt.py`; the limits themselves stand in `voyager_llm/domain/quota.py`.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Mapping

from deployments.request.demand import Demand
from voyager_llm.clock import Clock
from voyager_llm.domain.quota import LEASE_SECONDS, WINDOW_SECONDS, Grant, Lease
from voyager_llm.domain.usage import Usage
from voyager_llm.errors import RateLimited, Standing, Unavailable
from voyager_llm.ports import LeaseSource
from voyager_llm.snapshot import CompiledModel, RuntimeConfig

# Output tokens that a request reserves when neither it nor its model says how many there may be.
_DEFAULT_OUTPUT_TOKENS = 256
# A hub that hangs must not keep those who come later waiting for the same lease.
_LEASE_TIMEOUT_S = 5.0


class Reservation:
    """What one attempt holds of a model's limits: a request, and tokens until it is settled."""

    __slots__ = ("_slice", "_tokens")

    def __init__(self, held: _Slice, tokens: int) -> None:
        self._slice: _Slice | None = held
        held.reserved += 1
        self._tokens = tokens

    def settle(self, usage: Usage) -> None:
        """Give back what was reserved too much, or owe what was used beyond. Once."""
        held, self._slice = self._slice, None
        if held is None:
            return
        held.reserved -= 1
        if self._tokens:
            held.tokens += self._tokens - usage.total_tokens


class _Slice:
    """What is left of a lease."""

    __slots__ = ("expires", "granted", "last", "refill", "requests", "reserved", "tokens", "waiting")

    def __init__(self) -> None:
        self.requests = 0
        self.tokens = 0
        self.expires = 0.0
        # Reservations that are not settled.
        self.reserved = 0
        # Requests that wait for the next lease.
        self.waiting = 0
        self.refill: asyncio.Task[Lease] | None = None
        self.last = Lease(0, 0)
        # (time, requests, tokens) of each lease that still counts; the limit bounds how many there are.
        self.granted: deque[tuple[float, int, int]] = deque()


class Quotas:
    """Reserves from leases; one a router replica."""

    def __init__(self, source: LeaseSource, clock: Clock = time.monotonic) -> None:
        self._source = source
        self._clock = clock
        self._slices: dict[str, _Slice] = {}

    def follow(self, config: RuntimeConfig) -> None:
        """Forget the models that are gone."""
        if len(self._slices) > len(config.models):
            self._slices = {name: held for name, held in self._slices.items() if name in config.models}

    def granted(self) -> Mapping[str, tuple[Grant, ...]]:
        """What was leased lately, by model: a hub that starts anew counts it."""
        now = self._clock()
        return {
            name: tuple(Grant(now - when, requests, tokens) for when, requests, tokens in held.granted)
            for name, held in self._slices.items()
        }

    def standing(self, model: CompiledModel) -> Mapping[str, Standing]:
        """The limits of a model, "requests" and "tokens", as far as this replica knows: since its last lease
        others may have spent too."""
        held = self._slices.get(model.name)
        if held is None:
            return {}
        now = self._clock()
        reset_s = max(0.0, held.granted[-1][0] + WINDOW_SECONDS - now) if held.granted else 0.0
        left = {
            "requests": (model.requests_per_minute, held.requests + held.last.free_requests),
            "tokens": (model.tokens_per_minute, held.tokens + held.last.free_tokens),
        }
        return {
            name: Standing(limit, min(limit, max(0, remaining)), reset_s)
            for name, (limit, remaining) in left.items()
            if limit
        }

    def at_once(self, model: CompiledModel, demand: Demand) -> Reservation | None:
        """Hold one request and its expected tokens out of the slice at hand. None: it has too little left."""
        tokens = _expected(model, demand)
        held = self._slices.setdefault(model.name, _Slice())
        return Reservation(held, tokens) if self._spend(held, model, tokens) else None

    async def reserve(self, model: CompiledModel, demand: Demand) -> Reservation:
        """As `at_once`, and lease more where too little is left.

        Raises `RateLimited`, and `Unavailable` while no lease can be had."""
        tokens = _expected(model, demand)
        held = self._slices.setdefault(model.name, _Slice())
        # Ends: every lease lets at least one waiting request through, or says how long to wait.
        while not self._spend(held, model, tokens):
            lease = await self._refill(held, model, tokens)
            if lease.spent:
                limit = model.requests_per_minute if lease.spent == "requests" else model.tokens_per_minute
                message = f"model {model.name} takes {limit} {lease.spent} a minute, and they are spent"
                raise RateLimited(message, "", lease.retry_after_s)
        return Reservation(held, tokens)

    def reserved(self) -> int:
        """Reservations that are not settled, over all models."""
        return sum(held.reserved for held in self._slices.values())

    def _spend(self, held: _Slice, model: CompiledModel, tokens: int) -> bool:
        if self._clock() >= held.expires:
            held.requests = 0
            held.tokens = min(0, held.tokens)  # a debt outlives the lease
        if model.requests_per_minute and held.requests < 1:
            return False
        if model.tokens_per_minute and held.tokens < tokens:
            return False
        held.requests -= 1
        held.tokens -= tokens
        return True

    async def _refill(self, held: _Slice, model: CompiledModel, tokens: int) -> Lease:
        """Lease another slice; requests that wait for one share it."""
        if held.refill is None:
            held.refill = asyncio.create_task(self._lease(held, model, tokens))
            # All who wait may be gone by the time that it fails.
            held.refill.add_done_callback(_retrieved)
        held.waiting += 1
        try:
            return await asyncio.shield(held.refill)
        finally:
            held.waiting -= 1

    async def _lease(self, held: _Slice, model: CompiledModel, tokens: int) -> Lease:
        try:
            missing = max(0, tokens - held.tokens)
            # Those that come in the same turn of the loop share the lease.
            await asyncio.sleep(0)
            async with asyncio.timeout(_LEASE_TIMEOUT_S):
                lease = await self._source.lease(model.name, max(1, held.waiting), missing)
        except TimeoutError:
            raise Unavailable("the rate limits cannot be read now; try again", "", 1.0) from None
        finally:
            held.refill = None
        held.requests = max(0, held.requests) + lease.requests
        held.tokens += lease.tokens
        now = self._clock()
        held.last = lease
        held.expires = now + LEASE_SECONDS
        while held.granted and held.granted[0][0] <= now - WINDOW_SECONDS:
            held.granted.popleft()
        if lease.requests or lease.tokens:
            held.granted.append((now, lease.requests, lease.tokens))
        return lease


def _expected(model: CompiledModel, demand: Demand) -> int:
    """Tokens to reserve; 0 where the model has no limit of them."""
    if not model.tokens_per_minute:
        return 0
    output = demand.output_tokens or model.max_tokens or _DEFAULT_OUTPUT_TOKENS
    return min(demand.prompt_tokens + output, model.tokens_per_minute)


def _retrieved(task: asyncio.Task[Lease]) -> None:
    if not task.cancelled():
        task.exception()
