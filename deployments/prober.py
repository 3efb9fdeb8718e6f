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
from voyager_llm.domain.providers import Lane
from voyager_llm.errors import VoyagerError
from voyager_llm.ports import Caller
from voyager_llm.snapshot import RuntimeConfig, SnapshotCell, Target

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

        async def one(targets: list[Target]) -> None:
            async with gate:
                await self._probe(targets)

        await asyncio.gather(*(one(targets) for targets in groups.values()))

    async def _probe(self, targets: list[Target]) -> None:
        now = time.monotonic()
        silent = [t for t in targets if now - self._router.health(t).last_seen > self._interval_s / 2]
        if not silent:
            return
        error: VoyagerError | None = None
        try:
            await self._caller.probe(silent[0])
        except VoyagerError as fault:
            error = fault
        after = time.monotonic()
        for target in silent:
            health = self._router.health(target)
            if error is None:
                health.succeeded(after, after - now)
            else:
                health.failed(after, error.message, error.retry_after_s)


def _by_address(config: RuntimeConfig) -> dict[tuple[str, str, str], list[Target]]:
    groups: dict[tuple[str, str, str], list[Target]] = {}
    for model in config.models.values():
        for target in model.targets:
            if target.lane is not Lane.FULL:
                secret = repr(target.secret) if target.secret else ""
                groups.setdefault((target.provider, target.base_url, secret), []).append(target)
    return groups
