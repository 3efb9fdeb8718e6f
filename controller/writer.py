"""Writes statuses: what turned at once, figures every five minutes, a flapping provider not at every turn.

Used by `reconciler.py`; what a status says is decided in `status.py`.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from typing import Any

from controller.cluster import MANAGER, Observed, path_of
from controller.status import Status, View, status_of, timestamp
from voyager_llm.definitions.crd.conditions import ConditionType, Reason
from voyager_llm.definitions.crd.resources import API_VERSION, Resource
from voyager_llm.definitions.kube.client import KubeApi, KubeError, Object, Path

log = logging.getLogger(__name__)

# Figures alone are written this often.
FIGURES_S = 300.0
# After health turned, it may turn again in the status only after this long.
HEALTH_HOLD_S = 30.0
_AT_ONCE = 8

_FIGURES = frozenset(
    {"availability", "average_latency_ms", "last_health_check", "usage_count", "key", "available_targets"}
)
_HEALTH = frozenset({ConditionType.AVAILABLE, ConditionType.READY})


class StatusWriter:
    """Knows what each object's status says, and when it was written."""

    def __init__(self, api: KubeApi, clock: Callable[[], float]) -> None:
        self._api = api
        self._clock = clock
        # By uid: the status in the cluster as far as known, and when it was written here.
        self._known: dict[str, tuple[Status, float]] = {}

    async def write(self, observed: Observed, view: View) -> int:
        """Apply every status that is due. Returns how many. Raises `KubeError` when the server is away."""
        now = self._clock()
        due: list[tuple[Resource, Object, Status]] = []
        alive: set[str] = set()
        for resource, manifest in observed.each():
            uid = manifest["metadata"]["uid"]
            alive.add(uid)
            known, written_at = self._known.get(uid, (manifest.get("status") or {}, 0.0))
            if (resource.definition, manifest["metadata"]["name"]) not in view.compiled.verdicts:
                continue  # nothing could be compiled yet
            status = status_of(resource.definition, {**manifest, "status": known}, view)
            if _due(known, status, now - written_at):
                due.append((resource, manifest, status))
        for uid in self._known.keys() - alive:
            del self._known[uid]
        gate = asyncio.Semaphore(_AT_ONCE)
        results = await asyncio.gather(*(self._apply(gate, *job) for job in due))
        return sum(results)

    async def _apply(
        self, gate: asyncio.Semaphore, resource: Resource, manifest: Object, status: Status
    ) -> bool:
        metadata = manifest["metadata"]
        body = {
            "apiVersion": API_VERSION,
            "kind": resource.kind,
            "metadata": {"name": metadata["name"], "uid": metadata["uid"]},
            "status": status,
        }
        async with gate:
            try:
                # The status is ours alone, whoever wrote one by hand.
                await self._api.apply(
                    path_of(resource, self._api.namespace), body, MANAGER, subresource="status", force=True
                )
            except KubeError as error:
                if error.status not in (404, 409, 422):
                    raise
                # Deleted meanwhile, or older than the schema: the others go on.
                log.warning("the status of %s %s was refused: %s", resource.kind, metadata["name"], error)
                return False
        before = self._known.get(metadata["uid"], (manifest.get("status") or {}, 0.0))[0]
        self._known[metadata["uid"]] = (status, self._clock())
        await self._announce(resource, manifest, before, status)
        return True

    async def _announce(self, resource: Resource, manifest: Object, before: Status, after: Status) -> None:
        """An Event when Ready turned. One that cannot be written is not worth a retry."""
        old = {c["type"]: c["status"] for c in before.get("conditions") or ()}
        for condition in after["conditions"]:
            if condition["type"] != ConditionType.READY or old.get("Ready") == condition["status"]:
                continue
            if not old and condition["reason"] == Reason.PENDING:
                continue  # every new object begins so
            try:
                await self._api.create(
                    Path("/apis/events.k8s.io/v1", "events", self._api.namespace),
                    _event(resource, manifest, condition, timestamp(self._clock())),
                )
            except KubeError as error:
                log.info("an event was not written: %s", error)


def _due(known: Status, status: Status, age_s: float) -> bool:
    if _without(known, _FIGURES) == _without(status, _FIGURES):
        return known != status and age_s >= FIGURES_S
    only_health = _steady(known) == _steady(status)
    return not only_health or not _heard(known) or age_s >= HEALTH_HOLD_S


def _heard(status: Status) -> bool:
    """Whether health was known: what is heard first is told at once."""
    conditions = status.get("conditions") or ()
    return any(c["type"] == ConditionType.AVAILABLE and c["status"] != "Unknown" for c in conditions)


def _without(status: Status, names: frozenset[str]) -> Status:
    return {name: value for name, value in status.items() if name not in names}


def _steady(status: Status) -> Any:
    """The status without all that health alone may turn."""
    conditions = [c for c in status.get("conditions") or () if c["type"] not in _HEALTH]
    return {**_without(status, _FIGURES | {"phase"}), "conditions": conditions}


def _event(resource: Resource, manifest: Object, condition: Mapping[str, Any], now: str) -> dict[str, Any]:
    metadata = manifest["metadata"]
    ready = condition["status"] == "True"
    return {
        "metadata": {"generateName": f"{metadata['name'][:200]}-"},
        "eventTime": now.replace("Z", ".000000Z"),
        "reportingController": MANAGER,
        "reportingInstance": MANAGER,
        "action": "Reconcile",
        "reason": condition["reason"],
        "type": "Normal" if ready else "Warning",
        "note": (condition["message"] or f"Ready is {condition['status']}")[:1000],
        "regarding": {
            "apiVersion": API_VERSION,
            "kind": resource.kind,
            "name": metadata["name"],
            "namespace": metadata["namespace"],
            "uid": metadata["uid"],
        },
    }
