"""The config hub: the one replica that writes definitions, compiles them and tells everybody.

It is no ingress deployment and its own configuration never changes, so nothing restarts when a definition
does. In a cluster the controller publishes definitions to it as its `user_config`, which Serve delivers in
place. It also hands out the models' rate limits and keeps responses of the Responses API, since it is the one
place that all routers know. The data plane lives without it: routers keep their last snapshot, and writes,
new leases and kept conversations wait.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, TypeVar

from ray import serve
from ray.serve.handle import DeploymentHandle

from deployments.serving.deltas import Packing, Parcel
from deployments.serving.once import Once
from deployments.serving.process import prepare
from deployments.serving.results import as_value
from voyager_llm.definitions.adoption import Adoption
from voyager_llm.definitions.bundle import Bundle, unpack
from voyager_llm.definitions.catalog import Catalog, Publish
from voyager_llm.definitions.kube.client import connect
from voyager_llm.definitions.kube.published import PublishedReader
from voyager_llm.definitions.shards import INDEX
from voyager_llm.definitions.store.kubernetes import KubernetesStore
from voyager_llm.definitions.store.settled import SettledNames
from voyager_llm.definitions.store.sql import SqlStore
from voyager_llm.domain.bulk import Applied, Item, Outcome
from voyager_llm.domain.definition import Kind
from voyager_llm.domain.quota import Lease, ModelQuota
from voyager_llm.domain.record import Record
from voyager_llm.domain.stored_responses import Put, StoredResponse, StoredResponses
from voyager_llm.errors import NotFound, Unavailable, VoyagerError
from voyager_llm.report import Report
from voyager_llm.settings import Settings, settings
from voyager_llm.snapshot import Delta

log = logging.getLogger(__name__)

ROUTER = "ModelRouter"
_BROADCAST_SECONDS = 5.0
# For a piece of a change to be taken, on a busy machine.
_PIECE_SECONDS = 0.02
_REOPEN_SECONDS = 2.0

T = TypeVar("T")


class ConfigHub:
    """Runs the catalog; wrapped by a deployment in `serve_app/app.py`."""

    def __init__(self, app_name: str) -> None:
        prepare()
        self._app_name = app_name
        self._catalog = _catalog(settings(), self._publish)
        self._adoption = Adoption(self._catalog)
        self._adopting: asyncio.Task[None] | None = None
        self._opened = Once(self._catalog.open)
        self._recalled = Once(self._recall)
        self._settled = SettledNames(settings().store_url())
        self._settlements_opened = Once(self._settled.open)
        self._reader: PublishedReader | None = None
        self._packing = Packing()
        self._quotas: dict[str, ModelQuota] = {}
        self._routers: DeploymentHandle[Any] | None = None
        self._responses = StoredResponses(settings().response_bounds(), time.monotonic)

    # The catalog's methods, each by its name. Here and below, an error comes back as a value.

    async def create(self, kind: Kind, given: Mapping[str, Any], author: str) -> Record | VoyagerError:
        return await as_value(self._written(lambda: self._catalog.create(kind, given, author)))

    async def update(
        self, kind: Kind, name: str, patch: Mapping[str, Any], author: str, mask: Sequence[str], etag: str
    ) -> Record | VoyagerError:
        return await as_value(
            self._written(lambda: self._catalog.update(kind, name, patch, author, mask, etag))
        )

    async def rollback(
        self, kind: Kind, name: str, revision: int, version: str, author: str, etag: str
    ) -> Record | VoyagerError:
        return await as_value(
            self._written(lambda: self._catalog.rollback(kind, name, revision, version, author, etag))
        )

    async def delete(self, kind: Kind, name: str, etag: str) -> VoyagerError | None:
        return await as_value(self._deleted(kind, name, etag))

    async def apply(
        self, items: Sequence[Item], author: str, validate_only: bool
    ) -> Sequence[Applied] | VoyagerError:
        return await as_value(self._applied(items, author, validate_only))

    async def get(self, kind: Kind, name: str, revision: int, version: str) -> Record | VoyagerError:
        return await as_value(self._read(lambda: self._catalog.get(kind, name, revision, version)))

    async def page(self, kind: Kind, after: str, limit: int) -> Sequence[Record] | VoyagerError:
        return await as_value(self._read(lambda: self._catalog.page(kind, after, limit)))

    async def history(
        self, kind: Kind, name: str, before: int, limit: int
    ) -> Sequence[Record] | VoyagerError:
        return await as_value(self._read(lambda: self._catalog.history(kind, name, before, limit)))

    async def _read(self, read: Callable[[], Awaitable[T]]) -> T:
        await self._opened()
        return await read()

    async def _written(self, write: Callable[[], Awaitable[Record]]) -> Record:
        record = await self._read(write)
        self._adoption.wrote(record.kind, record.name)
        return record

    async def _deleted(self, kind: Kind, name: str, etag: str) -> None:
        await self._read(lambda: self._catalog.delete(kind, name, etag))
        self._adoption.wrote(kind, name)

    async def _applied(self, items: Sequence[Item], author: str, validate_only: bool) -> Sequence[Applied]:
        applied = await self._read(lambda: self._catalog.apply(items, author, validate_only=validate_only))
        for one in applied:
            if not validate_only and one.outcome is not Outcome.UNCHANGED:
                self._adoption.wrote(one.kind, one.name)
        return applied

    async def reconfigure(self, user_config: Mapping[str, Any]) -> None:
        """Serve brings what the controller published. Never raises: that would restart the replica, and
        the last good configuration is better than none."""
        self._adoption.publish(lambda: self._published(user_config))
        if self._adopting is None:
            self._adopting = asyncio.create_task(self._adopt())

    async def _published(self, user_config: Mapping[str, Any]) -> Bundle:
        """What was published: here, or where this points to. Raises `ValueError`, `KubeError`."""
        if INDEX not in user_config:
            return unpack(user_config)
        if self._reader is None:
            config = settings()
            if not config.namespace:
                raise ValueError("the configuration is in a cluster: set VOYAGER_NAMESPACE to say where")
            self._reader = PublishedReader(connect(config.namespace, config.kubeconfig))
        return await self._reader.read(user_config)

    async def _adopt(self) -> None:
        while True:
            try:
                await self._opened()
                break
            except Exception as error:
                log.warning("what is published waits for the database: %s", error)
                await asyncio.sleep(_REOPEN_SECONDS)
        await self._adoption.run()

    async def since(self, version: int) -> list[Parcel] | VoyagerError:
        """What a router that has ``version`` lacks."""
        return await as_value(self._since(version))

    async def _since(self, version: int) -> list[Parcel]:
        await self._opened()
        return [await self._packing.packed(delta) for delta in self._catalog.since(version)]

    async def lease(self, model: str, requests: int, tokens: int) -> Lease | VoyagerError:
        """A slice of a model's rate limits."""
        return await as_value(self._lease(model, requests, tokens))

    async def _lease(self, model: str, requests: int, tokens: int) -> Lease:
        await self._opened()
        await self._recalled()
        compiled = self._catalog.config.models.get(model)
        if compiled is None:
            raise NotFound(f"no model is named {model!r}", "model")
        quota = self._quotas.setdefault(model, ModelQuota(0, 0))
        # The limits may have changed since; what was handed out stays counted.
        quota.requests.limit = compiled.requests_per_minute
        quota.tokens.limit = compiled.tokens_per_minute
        return quota.lease(time.monotonic(), requests, tokens)

    async def settle(self, name: str) -> bool | VoyagerError:
        """Whether nobody has settled this before."""
        return await as_value(self._settle(name))

    async def _settle(self, name: str) -> bool:
        await self._opened()
        await self._settlements_opened()
        return await self._settled.settle(name)

    async def _recall(self) -> None:
        """Learn from the routers what the hub before this one granted, so that no limit starts afresh. One
        that does not answer may hold much, so nothing is leased before it does or is replaced."""
        try:
            told = await self._broadcast("granted")
        except Exception as error:
            log.warning("no lease yet: the routers do not say what they were granted: %s", error)
            raise Unavailable("the rate limits are being read from the routers; try again", "", 1.0) from None
        now = time.monotonic()
        for model in {name for granted in told for name in granted}:
            grants = [grant for granted in told for grant in granted.get(model, ())]
            self._quotas.setdefault(model, ModelQuota(0, 0)).recall(now, grants)

    async def put_responses(self, puts: Sequence[Put]) -> Sequence[bool]:
        """Keep responses of the Responses API; whether each is kept."""
        return [self._responses.put(put) for put in puts]

    async def get_response(self, owner: str, response_id: str) -> StoredResponse | None:
        return self._responses.get(owner, response_id)

    async def delete_response(self, owner: str, response_id: str) -> bool:
        return self._responses.delete(owner, response_id)

    async def metrics(self) -> Sequence[tuple[str, bytes]] | VoyagerError:
        """Every router replica's metrics: (replica, text)."""
        return await as_value(self._broadcast("metrics_text"))

    async def report(self) -> Report | VoyagerError:
        """Every router replica's report."""
        return await as_value(self._report())

    async def _report(self) -> Report:
        replicas = await self._broadcast("report")
        return Report(
            replicas=tuple(replicas),
            unreadable=tuple(self._catalog.unreadable.values()),
            publication=self._adoption.problem,
        )

    async def _publish(self, delta: Delta) -> None:
        """Tell every router; one that misses it asks by itself, so a failure here loses nothing."""
        try:
            parcel = await self._packing.packed(delta)
            patience = _BROADCAST_SECONDS + _PIECE_SECONDS * len(parcel.pieces)
            await self._broadcast("apply", parcel, timeout_s=patience)
        except Exception:
            log.warning("configuration %s reached not all routers at once", delta.version, exc_info=True)

    async def _broadcast(
        self, method: str, *arguments: Any, timeout_s: float = _BROADCAST_SECONDS
    ) -> Sequence[Any]:
        if self._routers is None:
            self._routers = serve.get_deployment_handle(ROUTER, self._app_name)
        response = self._routers.broadcast(method, *arguments)
        try:
            return await response.results_async(timeout_s=timeout_s)
        except TimeoutError:
            raise Unavailable("not every router replica answers; try again", "", 1.0) from None


def _catalog(config: Settings, publish: Publish) -> Catalog:
    history = SqlStore(config.store_url())
    if not config.namespace:
        return Catalog(history, publish)
    store = KubernetesStore(lambda: connect(config.namespace, config.kubeconfig), history)
    return Catalog(store, publish, history)
