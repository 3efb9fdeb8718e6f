"""The whole service in one process, without Ray: for tests of everything but the deployment itself."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from deployments.attempts import Attempts
from deployments.caller import ProviderCaller
from deployments.ingress.http import HttpIngress
from deployments.ingress.identity import Authenticator
from deployments.ingress.openai.api import OpenAIApi
from deployments.ingress.rest.transcoder import Transcoder
from deployments.ingress.rpc.service import ModelManagerService
from deployments.meter import Meter
from deployments.pipeline import Pipeline
from deployments.prompt_renderer import LocalRenderer
from deployments.quotas import Quotas
from deployments.router import Router
from deployments.secrets.places import secrets_of
from deployments.status_board import StatusBoard
from evals.scoring import score
from voyager_llm.catalog import Catalog
from voyager_llm.domain.quota import Lease, ModelQuota
from voyager_llm.settings import Settings
from voyager_llm.snapshot import Delta, SnapshotCell
from voyager_llm.store.sql import SqlStore


class LocalLeases:
    """`LeaseSource` in this process."""

    def __init__(self, cell: SnapshotCell) -> None:
        self._cell = cell
        self._quotas: dict[str, ModelQuota] = {}

    async def lease(self, model: str, requests: int, tokens: int) -> Lease:
        of = self._cell.current.models[model]
        quota = self._quotas.setdefault(model, ModelQuota(of.requests_per_minute, of.tokens_per_minute))
        return quota.lease(time.monotonic(), requests, tokens)


class LocalScorer:
    """`Scorer` in this process."""

    async def score(self, pairs: Sequence[tuple[str, str]], measurements: Sequence[str]) -> list[list[float]]:
        return score(pairs, measurements)


@dataclass
class LocalService:
    """Its parts, and an HTTP client of its ASGI application."""

    catalog: Catalog
    snapshots: SnapshotCell
    router: Router
    pipeline: Pipeline
    service: ModelManagerService
    caller: ProviderCaller
    meter: Meter
    ingress: HttpIngress
    http: httpx.AsyncClient

    async def close(self) -> None:
        await self.http.aclose()
        await self.caller.close()
        await self.catalog.close()

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


async def start(folder: Path, **overrides: Any) -> LocalService:
    """A fresh service that keeps its data in ``folder``."""
    settings = Settings(data_dir=folder, secrets_dir=folder, **overrides)
    cell = SnapshotCell()

    async def publish(delta: Delta) -> None:
        cell.apply(delta)

    catalog = Catalog(SqlStore(settings.store_url()), publish)
    await catalog.open()
    for delta in catalog.since(0):
        cell.apply(delta)
    meter = Meter()
    router = Router(settings)
    caller = ProviderCaller(settings)
    attempts = Attempts(caller, router, Quotas(LocalLeases(cell)), meter, settings)
    pipeline = Pipeline(cell, LocalRenderer(), router, attempts, meter, settings)
    service = ModelManagerService(
        catalog, pipeline, LocalScorer(), StatusBoard(cell, router, secrets_of(settings))
    )

    async def metrics() -> bytes:
        return meter.text()

    async def reports() -> bytes:
        return b"{}"

    ingress = HttpIngress(
        OpenAIApi(pipeline, cell),
        Transcoder(service),
        Authenticator(settings, secrets_of(settings)),
        lambda: True,
        metrics,
        reports,
        settings,
    )
    transport = httpx.ASGITransport(ingress)  # pyright: ignore[reportArgumentType]
    http = httpx.AsyncClient(transport=transport, base_url="http://service", timeout=30)
    return LocalService(catalog, cell, router, pipeline, service, caller, meter, ingress, http)
