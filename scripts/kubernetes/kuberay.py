"""Stands in for KubeRay where no kubelet runs: submits a RayService's configuration, and writes its status.

It does what KubeRay's operator does with a running cluster: when the `serveConfigV2` string differs from the
one submitted last, it is PUT to the dashboard; what Serve says becomes the status. Used by tests and the
demo.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import httpx

from scripts.kubernetes.ray_cluster import RayCluster
from voyager_llm.kube.client import KubeApi, KubeError, Path

log = logging.getLogger(__name__)

_POLL_S = 0.5
_SERVE = "/api/serve/applications/"


class KubeRayStandIn:
    """Serves one RayService with one running Ray cluster."""

    def __init__(self, api: KubeApi, name: str, cluster: RayCluster) -> None:
        self._api = api
        self._name = name
        self._path = Path("/apis/ray.io/v1", "rayservices", api.namespace)
        self._client = httpx.AsyncClient(
            base_url=cluster.dashboard,
            headers={"authorization": f"Bearer {cluster.token}"},
            timeout=30,
            trust_env=False,
        )
        self._submitted = ""
        # How often a configuration was PUT.
        self.submissions = 0

    async def run(self) -> None:
        """For ever; cancel to stop."""
        try:
            while True:
                try:
                    await self.step()
                except (KubeError, httpx.HTTPError) as error:
                    log.info("tried again: %s", error)
                await asyncio.sleep(_POLL_S)
        finally:
            await self._client.aclose()

    async def step(self) -> None:
        """Submit what is new, and write the status where it differs."""
        service = await self._api.get(self._path, self._name)
        text: str = service["spec"].get("serveConfigV2") or ""
        if text and text != self._submitted:
            answer = await self._client.put(
                _SERVE, content=text, headers={"content-type": "application/json"}
            )
            answer.raise_for_status()
            self._submitted = text
            self.submissions += 1
        details: dict[str, Any] = (await self._client.get(_SERVE)).json()
        applications = {
            name: {"status": found.get("status", ""), "message": found.get("message", "")}
            for name, found in (details.get("applications") or {}).items()
        }
        status = {
            "observedGeneration": service["metadata"]["generation"],
            "activeServiceStatus": {"applicationStatuses": applications},
        }
        before: dict[str, Any] = service.get("status") or {}
        if {name: before.get(name) for name in status} != status:
            await self._api.merge(self._path, self._name, {"status": status}, "status")
