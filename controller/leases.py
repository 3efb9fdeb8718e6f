"""Leader election by a Lease: of several controllers one acts, the others wait.

The protocol of client-go: the holder renews; who finds the lease unrenewed for its whole duration, by its
own clock, takes it. A holder that cannot renew stops acting before another one may start. Used by
`reconciler.py`. See k8s.io/client-go/tools/leaderelection.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from voyager_llm.definitions.kube.client import KubeApi, KubeError, Object, Path

log = logging.getLogger(__name__)

DURATION_S = 15.0
_RENEW_S = 3.0
# A holder trusts its lease for less than others wait, so that clocks may run a little apart.
_TRUST_S = 10.0


class Leadership:
    """One candidate for one Lease."""

    def __init__(
        self, api: KubeApi, name: str, identity: str, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._api = api
        self._name = name
        self._identity = identity
        self._clock = clock
        self._path = Path("/apis/coordination.k8s.io/v1", "leases", api.namespace)
        self._renewed_at = float("-inf")
        # The lease as it was seen last, and when it was first seen so.
        self._seen: tuple[Any, Any] = (None, None)
        self._seen_at = 0.0

    def held(self) -> bool:
        """Whether this candidate may act now."""
        return self._clock() - self._renewed_at < _TRUST_S

    async def run(self) -> None:
        """For ever; cancel to stop."""
        while True:
            try:
                await self.attempt()
            except KubeError as error:
                log.info("the lease could not be renewed: %s", error)
            await asyncio.sleep(_RENEW_S * random.uniform(0.8, 1.2))

    async def attempt(self) -> bool:
        """Acquire or renew once. Raises `KubeError`."""
        started = self._clock()
        try:
            lease = await self._api.get(self._path, self._name)
        except KubeError as error:
            if error.status != 404:
                raise
            lease = await self._created()
            if lease is None:
                return False
        spec: Object = lease.get("spec") or {}
        holder = spec.get("holderIdentity")
        if holder not in (None, "", self._identity) and not self._expired(spec):
            return False
        transitions = spec.get("leaseTransitions") or 0
        if holder != self._identity:
            transitions += 1
            spec = {**spec, "acquireTime": _micro_time()}
            log.warning("%s leads from now on", self._identity)
        lease["spec"] = {
            **spec,
            "holderIdentity": self._identity,
            "leaseDurationSeconds": int(DURATION_S),
            "renewTime": _micro_time(),
            "leaseTransitions": transitions,
        }
        try:
            await self._api.replace(self._path, lease)
        except KubeError as error:
            if error.status == 409:
                return False  # another candidate was faster
            raise
        self._renewed_at = started
        return True

    async def release(self) -> None:
        """Let another candidate take over at once."""
        if not self.held():
            return
        self._renewed_at = float("-inf")
        lease = await self._api.get(self._path, self._name)
        if lease["spec"].get("holderIdentity") == self._identity:
            lease["spec"]["holderIdentity"] = ""
            await self._api.replace(self._path, lease)

    async def _created(self) -> Object | None:
        try:
            return await self._api.create(self._path, {"metadata": {"name": self._name}, "spec": {}})
        except KubeError as error:
            if error.status == 409:
                return None
            raise

    def _expired(self, spec: Object) -> bool:
        """Whether the lease stood unchanged for its whole duration, by this machine's clock."""
        seen = (spec.get("holderIdentity"), spec.get("renewTime"))
        if seen != self._seen:
            self._seen, self._seen_at = seen, self._clock()
        return self._clock() - self._seen_at >= (spec.get("leaseDurationSeconds") or DURATION_S)


def _micro_time() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
