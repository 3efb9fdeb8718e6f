"""Where the configuration goes: a RayService, whose KubeRay submits it, or Serve's own REST API.

Never both for one cluster: KubeRay would overwrite what the API was told. Used by `reconciler.py`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path as FilePath
from typing import Any, Protocol

import httpx
import orjson

from controller.cluster import MANAGER
from controller.serve_config import APPLICATION
from voyager_llm.definitions.crd.conditions import Reason
from voyager_llm.definitions.crd.resources import ALLOW_EMPTY
from voyager_llm.definitions.kube.client import KubeApi, KubeError, Object, Path

_SERVE = "/api/serve/applications/"
_TIMEOUT_S = 15.0


class PublishError(Exception):
    """The configuration could not be published; ``reason`` goes into conditions."""

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(reason, message)
        self.reason = reason
        self.message = message


@dataclass(frozen=True, slots=True)
class Target:
    """What is published now, and whether it runs."""

    text: str
    running: bool
    message: str
    # Whether somebody said that no models at all are meant.
    allow_empty: bool


class Publisher(Protocol):
    """A place that a configuration is published to."""

    async def read(self) -> Target:
        """Raises `PublishError`."""
        ...

    async def publish(self, text: str) -> None:
        """Raises `PublishError`. What was published before stays in force then."""
        ...

    async def close(self) -> None: ...


class RayServicePublisher:
    """Applies `spec.serveConfigV2` of a RayService, as its only owner."""

    def __init__(self, api: KubeApi, name: str) -> None:
        self._api = api
        self._name = name
        self._path = Path("/apis/ray.io/v1", "rayservices", api.namespace)

    async def read(self) -> Target:
        service = await self._service()
        status: Object = service.get("status") or {}
        observed = status.get("observedGeneration", 0) >= service["metadata"].get("generation", 0)
        application = _application(status, "activeServiceStatus")
        annotations = service["metadata"].get("annotations") or {}
        return Target(
            text=service["spec"].get("serveConfigV2") or "",
            running=observed and application.get("status") == "RUNNING",
            # A new cluster is pending until it serves.
            message=_state(application or _application(status, "pendingServiceStatus"))
            if observed
            else "KubeRay has not seen it yet",
            allow_empty=annotations.get(ALLOW_EMPTY) == "true",
        )

    async def publish(self, text: str) -> None:
        service = await self._service()
        body = {
            "apiVersion": "ray.io/v1",
            "kind": "RayService",
            # With its uid, so that a service deleted just now is not made anew.
            "metadata": {"name": self._name, "uid": service["metadata"]["uid"]},
            "spec": {"serveConfigV2": text},
        }
        try:
            await self._api.apply(self._path, body, MANAGER)
        except KubeError as error:
            if error.status == 409:
                raise PublishError(
                    Reason.PUBLISH_CONFLICT,
                    f"another writer owns serveConfigV2 of RayService {self._name}: {error.message}",
                ) from None
            raise PublishError(Reason.PUBLISH_FAILED, str(error)) from None

    async def close(self) -> None:
        """Nothing of its own is open."""

    async def _service(self) -> Object:
        try:
            return await self._api.get(self._path, self._name)
        except KubeError as error:
            text = f"there is no RayService {self._name}" if error.status == 404 else str(error)
            raise PublishError(Reason.PUBLISH_FAILED, text) from None


def _application(status: Object, cluster: str) -> Object:
    """Our application on one of a RayService's two clusters; empty where it is not."""
    applications: Any = (status.get(cluster) or {}).get("applicationStatuses") or {}
    return applications.get(APPLICATION) or {}


class ServeRestPublisher:
    """PUTs to the REST API of a Ray cluster's dashboard, where no KubeRay runs."""

    def __init__(self, url: str, token_file: str = "") -> None:
        self._token_file = token_file
        self._client = httpx.AsyncClient(base_url=url, timeout=_TIMEOUT_S, trust_env=False)
        # The API returns a configuration in another form than it was given.
        self._published = ""

    async def read(self) -> Target:
        details = await self._ask("GET")
        application: Any = (details.get("applications") or {}).get(APPLICATION) or {}
        deployed = application.get("deployed_app_config")
        text = orjson.dumps({"applications": [deployed]}).decode() if deployed else ""
        return Target(
            text=self._published if deployed and self._published else text,
            running=application.get("status") == "RUNNING",
            message=_state(application),
            allow_empty=False,
        )

    async def publish(self, text: str) -> None:
        await self._ask("PUT", text)
        self._published = text

    async def close(self) -> None:
        await self._client.aclose()

    async def _ask(self, method: str, text: str = "") -> dict[str, Any]:
        try:
            answer = await self._client.request(method, _SERVE, content=text or None, headers=self._headers())
        except (httpx.HTTPError, OSError) as error:
            raise PublishError(
                Reason.PUBLISH_FAILED, f"Serve's REST API cannot be reached: {type(error).__name__}"
            ) from None
        if answer.is_error:
            raise PublishError(Reason.PUBLISH_FAILED, f"Serve's REST API answered {answer.status_code}")
        return answer.json() if method == "GET" else {}

    def _headers(self) -> dict[str, str]:
        # Read each time: the file changes when the token is rotated.
        headers = {"content-type": "application/json"}
        if self._token_file:
            headers["authorization"] = f"Bearer {FilePath(self._token_file).read_text().strip()}"
        return headers


def _state(application: Object) -> str:
    """How an application fares, for people; empty when it runs."""
    state = application.get("status", "NOT_STARTED")
    if state == "RUNNING":
        return ""
    return f"the application is {state}: {application.get('message', '')}".rstrip(": ")
