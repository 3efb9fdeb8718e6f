"""Health of models as a person reads it: phase, availability, latency. Used by the model RPCs."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime

from deployments.request.endpoints import EndpointTable
from deployments.secrets.source import Secrets
from voyager_llm.domain.health import EndpointHealth, Phase
from voyager_llm.domain.model import SecretRef
from voyager_llm.report import ModelReport
from voyager_llm.snapshot import CompiledModel, SnapshotCell
from voyager_llm.v1 import models_pb2 as pb

# Models reported before requests have their turn.
_AT_ONCE = 128


class StatusBoard:
    """Reads the health that this replica's router has seen."""

    def __init__(self, snapshots: SnapshotCell, endpoints: EndpointTable, secrets: Secrets) -> None:
        self._snapshots = snapshots
        self._endpoints = endpoints
        self._secrets = secrets

    def phase(self, name: str) -> str:
        return self.report(name).phase

    async def reports(self) -> dict[str, ModelReport]:
        """Every model's report. Lets requests through in between: there may be thousands of models."""
        models = self._snapshots.current.models
        keys: dict[SecretRef, float | None] = {}
        found: dict[str, ModelReport] = {}
        for number, (name, model) in enumerate(models.items()):
            reference = model.endpoints[0].secret
            if reference is not None and reference not in keys:
                keys[reference] = await self._secrets.written(reference)
            written = keys[reference] if reference is not None else 0.0
            found[name] = self._report(model).model_copy(
                update={"key_written": written or 0.0, "key_missing": written is None}
            )
            if number % _AT_ONCE == _AT_ONCE - 1:
                await asyncio.sleep(0)
        return found

    def report(self, name: str) -> ModelReport:
        """A model as this replica sees it; Pending until something was heard of it."""
        model = self._snapshots.current.models.get(name)
        return ModelReport(phase=Phase.PENDING) if model is None else self._report(model)

    def _report(self, model: CompiledModel) -> ModelReport:
        now = time.monotonic()
        seen = [
            best
            for endpoint in model.endpoints
            if (best := _best(self._endpoints.known(endpoint), now)) is not None
        ]
        if not seen:
            return ModelReport(phase=Phase.PENDING)
        best = max(seen, key=lambda health: _RANK[health.phase(now)])
        availability = best.availability()
        return ModelReport(
            phase=_combined(seen, now),
            availability=None if availability is None else round(availability, 3),
            latency_ms=round(best.latency_s * 1000, 3) if best.latency_s else None,
            last_seen=time.time() - (now - max(health.last_seen for health in seen)),
            message=next((health.message for health in seen if health.message), ""),
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


def _best(healths: list[EndpointHealth], now: float) -> EndpointHealth | None:
    """How an endpoint fares: an operation that it does not have says nothing against it."""
    seen = [health for health in healths if health.last_seen]
    return max(seen, key=lambda health: _RANK[health.phase(now)], default=None)


_RANK = {Phase.PENDING: 0, Phase.UNAVAILABLE: 1, Phase.DEGRADED: 2, Phase.READY: 3}


def _combined(seen: list[EndpointHealth], now: float) -> Phase:
    """Ready when all endpoints are, unavailable when none is, else degraded."""
    phases = {health.phase(now) for health in seen}
    return phases.pop() if len(phases) == 1 else Phase.DEGRADED
