"""The config hub: the one replica that writes definitions, compiles them and tells everybody.

It is no ingress deployment and its own configuration never changes, so nothing restarts when a definition
does. It also hands out the models' rate limits, since it is the one place that all routers know. The data
plane lives without it: routers keep their last snapshot, and only writes and new leases wait.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Sequence
from typing import Any

from ray import serve
from ray.serve.handle import DeploymentHandle

from deployments.results import as_value
from voyager_llm.catalog import Catalog
from voyager_llm.domain.quota import Lease, ModelQuota
from voyager_llm.errors import NotFound, VoyagerError
from voyager_llm.settings import settings
from voyager_llm.snapshot import Delta
from voyager_llm.store.sql import SqlStore

log = logging.getLogger(__name__)

ROUTER = "ModelRouter"
_BROADCAST_SECONDS = 5.0
_METHODS = frozenset({"create", "update", "delete", "rollback", "get", "page", "history"})


class ConfigHub:
    """Runs the catalog; wrapped by a deployment in `serve_app/app.py`."""

    def __init__(self, app_name: str) -> None:
        self._app_name = app_name
        self._catalog = Catalog(SqlStore(settings().store_url()), self._publish)
        self._opening: asyncio.Task[None] | None = None
        self._quotas: dict[str, ModelQuota] = {}
        self._routers: DeploymentHandle[Any] | None = None

    async def invoke(self, method: str, arguments: tuple[Any, ...]) -> Any:
        """One method of the catalog; an error comes back as a value."""
        if method not in _METHODS:
            return NotFound(f"the catalog has no method {method}")
        await self._opened()
        return await as_value(getattr(self._catalog, method)(*arguments))

    async def since(self, version: int) -> list[Delta]:
        """What a router that has ``version`` lacks."""
        await self._opened()
        return self._catalog.since(version)

    async def lease(self, model: str, requests: int, tokens: int) -> Lease | VoyagerError:
        """A slice of a model's rate limits."""
        await self._opened()
        compiled = self._catalog.config.models.get(model)
        if compiled is None:
            return NotFound(f"no model is named {model!r}", "model")
        quota = self._quotas.setdefault(model, ModelQuota(0, 0))
        # The limits may have changed since; what was handed out stays counted.
        quota.requests.limit = compiled.requests_per_minute
        quota.tokens.limit = compiled.tokens_per_minute
        return quota.lease(time.monotonic(), requests, tokens)

    async def metrics(self) -> Sequence[tuple[str, bytes]]:
        """Every router replica's metrics: (replica, text)."""
        return await self._broadcast("metrics_text")

    async def _opened(self) -> None:
        if self._opening is None:
            self._opening = asyncio.create_task(self._catalog.open())
        try:
            await asyncio.shield(self._opening)
        except Exception:
            self._opening = None  # the database may be back by the next call
            raise

    async def _publish(self, delta: Delta) -> None:
        """Tell every router; one that misses it asks by itself, so a failure here loses nothing."""
        try:
            await self._broadcast("apply", delta)
        except Exception:
            log.warning("configuration %s reached not all routers at once", delta.version, exc_info=True)

    async def _broadcast(self, method: str, *arguments: Any) -> Sequence[Any]:
        if self._routers is None:
            self._routers = serve.get_deployment_handle(ROUTER, self._app_name)
        response = self._routers.broadcast(method, *arguments)
        return await response.results_async(timeout_s=_BROADCAST_SECONDS)
