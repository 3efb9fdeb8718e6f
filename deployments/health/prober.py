"""Keeps health fresh where no traffic does: probes endpoints that were silent for a while.

Costs no tokens; endpoints that share an address are asked once. Run by `model_router.py`.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from contextlib import suppress

from deployments.request.endpoints import EndpointTable
from voyager_llm.clock import Clock
from voyager_llm.domain.endpoint import Endpoint
from voyager_llm.domain.health import EndpointHealth
from voyager_llm.domain.judgement import hold_against
from voyager_llm.domain.operation import Operation
from voyager_llm.domain.providers import Lane
from voyager_llm.errors import VoyagerError
from voyager_llm.ports import Caller
from voyager_llm.snapshot import RuntimeConfig, SnapshotCell

log = logging.getLogger(__name__)

_AT_ONCE = 16


class Prober:
    """Probes each silent address about once every ``interval_s`` seconds."""

    def __init__(
        self,
        snapshots: SnapshotCell,
        endpoints: EndpointTable,
        caller: Caller,
        interval_s: float,
        clock: Clock = time.monotonic,
    ) -> None:
        self._snapshots = snapshots
        self._endpoints = endpoints
        self._caller = caller
        self._interval_s = interval_s
        self._clock = clock

    async def run(self) -> None:
        """For ever; cancel to stop."""
        while True:
            with suppress(Exception):
                await self.round()
            # Jitter, so that replicas do not ask in step.
            await asyncio.sleep(self._interval_s * random.uniform(0.75, 1.25))

    async def round(self) -> None:
        """Probe every silent address once."""
        gate = asyncio.Semaphore(_AT_ONCE)
        groups = _by_address(self._snapshots.current)

        async def one(endpoints: list[Endpoint]) -> None:
            async with gate:
                await self._probe(endpoints)

        await asyncio.gather(*(one(endpoints) for endpoints in groups.values()))

    async def _probe(self, endpoints: list[Endpoint]) -> None:
        asked = self._clock()
        silent = [endpoint for endpoint in endpoints if self._is_silent(endpoint, asked)]
        if not silent:
            return
        error: VoyagerError | None = None
        try:
            await self._caller.probe(silent[0])
        except VoyagerError as fault:
            error = fault
        now = self._clock()
        for endpoint in silent:
            for health in self._healths(endpoint):
                if error is None:
                    health.reached()
                    health.succeeded(now)
                elif hold_against(health, error, now):
                    # Nobody's request is to blame for what a probe meets, so it needs no witness.
                    health.suspect(now, error.retry_after_s)

    def _is_silent(self, endpoint: Endpoint, now: float) -> bool:
        seen = max((health.last_seen for health in self._endpoints.known(endpoint)), default=0.0)
        return now - seen > self._interval_s / 2

    def _healths(self, endpoint: Endpoint) -> list[EndpointHealth]:
        return self._endpoints.known(endpoint) or [self._endpoints.health(endpoint, Operation.CHAT)]


def _by_address(config: RuntimeConfig) -> dict[tuple[str, str, str], list[Endpoint]]:
    groups: dict[tuple[str, str, str], list[Endpoint]] = {}
    for model in config.models.values():
        for endpoint in model.endpoints:
            if endpoint.lane is not Lane.FULL:
                secret = repr(endpoint.secret) if endpoint.secret else ""
                groups.setdefault((endpoint.provider, endpoint.base_url, secret), []).append(endpoint)
    return groups
