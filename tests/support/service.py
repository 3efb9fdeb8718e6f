"""The whole service in one process, without Ray: for tests of everything but the deployment itself."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from deployments.ingress.http import HttpIngress
from deployments.lanes.caller import ProviderCaller
from deployments.prompt_renderer import LocalRenderer
from deployments.replica import Ports, Replica
from evals.scoring import score
from voyager_llm.clock import Clock
from voyager_llm.definitions.catalog import Catalog
from voyager_llm.definitions.store.settled import SettledNames
from voyager_llm.definitions.store.sql import SqlStore
from voyager_llm.domain.quota import Lease, ModelQuota
from voyager_llm.domain.stored_responses import Put, StoredResponse, StoredResponses
from voyager_llm.settings import Settings
from voyager_llm.snapshot import Delta, RuntimeConfig


class LocalLeases:
    """`LeaseSource` in this process."""

    def __init__(self, current: Callable[[], RuntimeConfig], clock: Clock) -> None:
        self._current = current
        self._clock = clock
        self._quotas: dict[str, ModelQuota] = {}

    async def lease(self, model: str, requests: int, tokens: int) -> Lease:
        of = self._current().models[model]
        quota = self._quotas.setdefault(model, ModelQuota(of.requests_per_minute, of.tokens_per_minute))
        return quota.lease(self._clock(), requests, tokens)


class LocalScorer:
    """`Scorer` in this process."""

    async def score(self, pairs: Sequence[tuple[str, str]], measurements: Sequence[str]) -> list[list[float]]:
        return score(pairs, measurements)


class LocalResponses:
    """`ResponseStore` in this process."""

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self.kept = StoredResponses(settings.response_bounds(), clock)

    async def put_responses(self, puts: Sequence[Put]) -> Sequence[bool]:
        return [self.kept.put(put) for put in puts]

    async def get_response(self, owner: str, response_id: str) -> StoredResponse | None:
        return self.kept.get(owner, response_id)

    async def delete_response(self, owner: str, response_id: str) -> bool:
        return self.kept.delete(owner, response_id)


@dataclass
class LocalService:
    """Its parts, and an HTTP client of its ASGI application."""

    catalog: Catalog
    replica: Replica
    caller: ProviderCaller
    ingress: HttpIngress
    http: httpx.AsyncClient
    settled: SettledNames

    async def close(self) -> None:
        await self.http.aclose()
        await self.caller.close()
        await self.catalog.close()
        await self.settled.close()

    async def model(self, name: str, base: str, **fields: Any) -> None:
        """Define a model at an endpoint."""
        endpoints = {"primary": base, **fields.pop("endpoints", {})}
        document = {"name": name, "provider": "custom", "model_name": "fake", "endpoints": endpoints}
        answer = await self.http.post("/api/v1/models", json={**document, **fields})
        assert answer.status_code == 201, answer.text

    async def route(self, name: str, *targets: str, **fields: Any) -> None:
        document = {"name": name, "targets": [{"model": target} for target in targets], **fields}
        answer = await self.http.post("/api/v1/routes", json=document)
        assert answer.status_code == 201, answer.text

    async def chat(self, model: str, **body: Any) -> httpx.Response:
        messages = [{"role": "user", "content": "hello"}]
        return await self.http.post(
            "/v1/chat/completions", json={"model": model, "messages": messages, **body}
        )


class LocalSource:
    """`Source` in this process."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog

    async def since(self, version: int) -> Sequence[Delta]:
        return self._catalog.since(version)


async def start(folder: Path, clock: Clock = time.monotonic, **overrides: Any) -> LocalService:
    """A fresh service that keeps its data in ``folder``."""
    settings = Settings(data_dir=folder, secrets_dir=folder, **overrides)
    replica: Replica

    async def publish(delta: Delta) -> None:
        await replica.apply(delta)

    catalog = Catalog(SqlStore(settings.store_url()), publish)
    caller = ProviderCaller(settings)
    settled = SettledNames(settings.store_url())
    leases = LocalLeases(lambda: replica.snapshots.current, clock)
    responses = LocalResponses(settings, clock)
    ports = Ports(
        caller, LocalRenderer(), catalog, leases, LocalSource(catalog), LocalScorer(), responses, settled
    )
    replica = Replica(settings, ports, clock)
    await catalog.open()
    await settled.open()
    await replica.catch_up()

    async def metrics(_every: bool) -> bytes:
        return replica.meter.text()

    async def reports() -> bytes:
        return b"{}"

    ingress = replica.ingress(lambda: True, metrics, reports)
    transport = httpx.ASGITransport(ingress)  # pyright: ignore[reportArgumentType]
    http = httpx.AsyncClient(transport=transport, base_url="http://service", timeout=30)
    return LocalService(catalog, replica, caller, ingress, http, settled)
