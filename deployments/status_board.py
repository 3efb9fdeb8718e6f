"""Health of models as a person reads it: phase, availability, latency. Used by the model RPCs."""

from __future__ import annotations

import time
from datetime import UTC, datetime

from deployments.router import Router
from deployments.secrets import MountedSecrets
from voyager_llm.domain.health import EndpointHealth, Phase
from voyager_llm.report import ModelReport
from voyager_llm.snapshot import SnapshotCell
from voyager_llm.v1 import models_pb2 as pb


class StatusBoard:
    """Reads the health that this replica's router has seen."""

    def __init__(self, snapshots: SnapshotCell, router: Router, secrets: MountedSecrets) -> None:
        self._snapshots = snapshots
        self._router = router
        self._secrets = secrets

    def phase(self, name: str) -> str:
        return self.report(name).phase

    def report(self, name: str) -> ModelReport:
        """A model as this replica sees it; Pending until something was heard of it."""
        model = self._snapshots.current.models.get(name)
        if model is None:
            return ModelReport(phase=Phase.PENDING)
        reference = model.targets[0].secret
        written = self._secrets.written(reference) if reference is not None else 0.0
        missing = reference is not None and not self._secrets.has(reference)
        now = time.monotonic()
        seen = [health for target in model.targets if (health := self._router.health(target)).last_seen]
        if not seen:
            return ModelReport(phase=Phase.PENDING, key_written=written, key_missing=missing)
        best = max(seen, key=lambda health: _RANK[health.phase(now)])
        availability = best.availability()
        return ModelReport(
            phase=_combined(seen, now),
            availability=None if availability is None else round(availability, 3),
            latency_ms=round(best.latency_s * 1000, 3) if best.latency_s else None,
            last_seen=time.time() - (now - max(health.last_seen for health in seen)),
            message=next((health.message for health in seen if health.message), ""),
            key_written=written,
            key_missing=missing,
        )

    def status(self, name: str) -> pb.ModelStatus:
        """The report as the API's message."""
        report = self.report(name)
        status = pb.ModelStatus(phase=report.phase)
        if report.last_seen:
            status.last_health_check.FromDatetime(datetime.fromtimestamp(report.last_seen, UTC))
        if report.availability is not None:
            status.availability = report.availability
        if report.latency_ms is not None:
            status.average_latency_ms = report.latency_ms
        if report.message:
            status.message = report.message
        return status


_RANK = {Phase.PENDING: 0, Phase.UNAVAILABLE: 1, Phase.DEGRADED: 2, Phase.READY: 3}


def _combined(seen: list[EndpointHealth], now: float) -> Phase:
    """Ready when all endpoints are, unavailable when none is, else degraded."""
    phases = {health.phase(now) for health in seen}
    return phases.pop() if len(phases) == 1 else Phase.DEGRADED
