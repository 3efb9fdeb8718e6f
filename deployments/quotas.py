"""Rate limits of models, kept before a call: spends slices that the config hub leases.

Most requests are served from the slice at hand, without a hop; a model without limits costs nothing.
Used by `attempts.py`; the limits themselves stand in `voyager_llm/domain/quota.py`.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass

from voyager_llm.domain.completion import Usage
from voyager_llm.domain.quota import LEASE_SECONDS
from voyager_llm.errors import RateLimited
from voyager_llm.ports import LeaseSource
from voyager_llm.snapshot import CompiledModel

# Output tokens that a request reserves when neither it nor its model says how many there may be.
_DEFAULT_OUTPUT_TOKENS = 256


@dataclass(frozen=True, slots=True)
class Reservation:
    """What one attempt holds of a model's limits."""

    model: str
    tokens: int


class _Slice:
    """What is left of a lease."""

    __slots__ = ("expires", "refill", "requests", "tokens", "waiting")

    def __init__(self) -> None:
        self.requests = 0
        self.tokens = 0
        self.expires = 0.0
        # Requests that wait for the next lease.
        self.waiting = 0
        self.refill: asyncio.Task[float] | None = None


class Quotas:
    """Reserves from leases; one a router replica."""

    def __init__(self, source: LeaseSource) -> None:
        self._source = source
        self._slices: dict[str, _Slice] = {}

    async def reserve(self, model: CompiledModel, prompt_tokens: int, asked: int) -> Reservation | None:
        """Hold one request and its expected tokens. None: the model has no limits.

        ``asked``: output tokens that the request allows (0: it does not say). Raises `RateLimited`."""
        if not model.requests_per_minute and not model.tokens_per_minute:
            return None
        tokens = 0
        if model.tokens_per_minute:
            tokens = prompt_tokens + (asked or model.max_tokens or _DEFAULT_OUTPUT_TOKENS)
            tokens = min(tokens, model.tokens_per_minute)
        held = self._slices.setdefault(model.name, _Slice())
        # Ends: every lease lets at least one waiting request through, or says how long to wait.
        while not self._spend(held, model, tokens):
            wait = await self._refill(held, model, tokens)
            if wait > 0:
                raise RateLimited(f"the rate limit of model {model.name} is reached", "", wait)
        return Reservation(model.name, tokens)

    def settle(self, reservation: Reservation | None, usage: Usage | None) -> None:
        """Give back what was reserved too much, or owe what was used beyond; no usage: keep all."""
        if reservation is None or usage is None or not reservation.tokens:
            return
        held = self._slices.get(reservation.model)
        if held is not None:
            held.tokens += reservation.tokens - usage.total_tokens

    @staticmethod
    def _spend(held: _Slice, model: CompiledModel, tokens: int) -> bool:
        if time.monotonic() >= held.expires:
            held.requests = 0
            held.tokens = min(0, held.tokens)  # a debt outlives the lease
        if model.requests_per_minute and held.requests < 1:
            return False
        if model.tokens_per_minute and held.tokens < tokens:
            return False
        held.requests -= 1
        held.tokens -= tokens
        return True

    async def _refill(self, held: _Slice, model: CompiledModel, tokens: int) -> float:
        """Lease another slice; requests that wait for one share it. Seconds to wait, or 0."""
        if held.refill is None:
            held.refill = asyncio.create_task(self._lease(held, model, tokens))
        held.waiting += 1
        try:
            return await asyncio.shield(held.refill)
        finally:
            held.waiting -= 1

    async def _lease(self, held: _Slice, model: CompiledModel, tokens: int) -> float:
        try:
            missing = max(0, tokens - held.tokens)
            # Those that come in the same turn of the loop share the lease.
            await asyncio.sleep(0)
            lease = await self._source.lease(model.name, max(1, held.waiting), missing)
        finally:
            held.refill = None
        held.requests = max(0, held.requests) + lease.requests
        held.tokens += lease.tokens
        held.expires = time.monotonic() + LEASE_SECONDS
        return lease.retry_after_s
