"""Keeps health fresh where no traffic does: probes endpoints that were silent for a while.

Costs no tokens; endpoints that share an address are asked once. Run by `model_router.py`.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from contextlib import suppress

from deployments.router import Router
from voyager_llm.domain.endpoint import Endpoint
from voyager_llm.domain.providers import Lane
from voyager_llm.errors import VoyagerError
from voyager_llm.ports import Caller
from voyager_llm.snapshot import RuntimeConfig, SnapshotCell

log = logging.getLogger(__name__)

_AT_ONCE = 16


class Prober:
    """Probes each silent address about once every ``interval_s`` seconds."""

    def __init__(self, snapshots: SnapshotCell, router: Router, caller: Caller, interval_s: float) -> None:
        self._snapshots = snapshots
        self._router = router
        self._caller = caller
        self._interval_s = interval_s

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
        now = time.monotonic()
        silent = [t for t in endpoints if now - self._router.health(t).last_seen > self._interval_s / 2]
        if not silent:
            return
        error: VoyagerError | None = None
        try:
            await self._caller.probe(silent[0])
        except VoyagerError as fault:
            error = fault
        after = time.monotonic()
        for endpoint in silent:
            health = self._router.health(endpoint)
            if error is None:
                health.succeeded(after, after - now)
            else:
                health.failed(after, error.message, error.retry_after_s)


def _by_address(config: RuntimeConfig) -> dict[tuple[str, str, str], list[Endpoint]]:
    groups: dict[tuple[str, str, str], list[Endpoint]] = {}
    for model in config.models.values():
        for endpoint in model.endpoints:
            if endpoint.lane is not Lane.FULL:
                secret = repr(endpoint.secret) if endpoint.secret else ""
                groups.setdefault((endpoint.provider, endpoint.base_url, secret), []).append(endpoint)
    return groups
