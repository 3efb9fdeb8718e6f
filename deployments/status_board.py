"""Health of models as a person reads it: phase, availability, latency. Used by the model RPCs."""

from __future__ import annotations

import time
from datetime import UTC, datetime

from deployments.router import Router
from voyager_llm.domain.health import EndpointHealth, Phase
from voyager_llm.snapshot import SnapshotCell
from voyager_llm.v1 import models_pb2 as pb


class StatusBoard:
    """Reads the health that this replica's router has seen."""

    def __init__(self, snapshots: SnapshotCell, router: Router) -> None:
        self._snapshots = snapshots
        self._router = router

    def phase(self, name: str) -> str:
        return self.status(name).phase

    def status(self, name: str) -> pb.ModelStatus:
        """The status of a model; Pending until something was heard of it."""
        model = self._snapshots.current.models.get(name)
        now = time.monotonic()
        seen = [] if model is None else [self._router.health(target) for target in model.targets]
        seen = [health for health in seen if health.last_seen]
        if not seen:
            return pb.ModelStatus(phase=Phase.PENDING)
        best = max(seen, key=lambda health: _RANK[health.phase(now)])
        status = pb.ModelStatus(phase=_combined(seen, now))
        status.last_health_check.FromDatetime(_wall_time(max(h.last_seen for h in seen), now))
        if (availability := best.availability()) is not None:
            status.availability = round(availability, 3)
        if best.latency_s:
            status.average_latency_ms = round(best.latency_s * 1000, 3)
        if message := next((h.message for h in seen if h.message), ""):
            status.message = message
        return status


_RANK = {Phase.PENDING: 0, Phase.UNAVAILABLE: 1, Phase.DEGRADED: 2, Phase.READY: 3}


def _combined(seen: list[EndpointHealth], now: float) -> Phase:
    """Ready when all endpoints are, unavailable when none is, else degraded."""
    phases = {health.phase(now) for health in seen}
    return phases.pop() if len(phases) == 1 else Phase.DEGRADED


def _wall_time(monotonic: float, now: float) -> datetime:
    return datetime.fromtimestamp(time.time() - (now - monotonic), UTC)
