"""The service on Postgres, with callers that scale: what a platform runs, on one machine."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress

import httpx
import pytest

from scripts.fake_provider.running import FakeProvider
from tests.support.postgres import running_postgres
from tests.support.running import RunningService

SCALING = {"caller_target_ongoing": 4, "caller_upscale_delay_s": 1, "caller_downscale_delay_s": 2}


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with running_postgres(tmp_path_factory.mktemp("postgres")) as url:
        yield url


@pytest.fixture
def on_postgres(database: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    service = RunningService(
        tmp_path_factory.mktemp("scaling"), database_url=database, max_caller_replicas=3, **SCALING
    )
    yield service
    service.stop()


async def test_callers_scale_up_and_down(on_postgres: RunningService, provider: FakeProvider) -> None:
    """More ongoing requests start more callers, fewer end them; no request notices."""
    on_postgres.model("scaled", provider.profile("scaled", latency_s=1.0))
    body = {"model": "scaled", "messages": [{"role": "user", "content": "hello"}]}
    outcomes: Counter[int] = Counter()
    done = asyncio.Event()

    async def load(client: httpx.AsyncClient) -> None:
        while not done.is_set():
            outcomes[(await client.post("/v1/chat/completions", json=body)).status_code] += 1

    assert len(on_postgres.replicas("LiteLLMCaller")) == 1
    async with httpx.AsyncClient(base_url=on_postgres.url, timeout=30) as client:
        workers = [asyncio.create_task(load(client)) for _ in range(32)]
        await _until_callers(on_postgres, 3)
        done.set()
        await asyncio.gather(*workers)
        # A trickle while they go: none of its requests may meet a caller that ends.
        done.clear()
        trickle = asyncio.create_task(load(client))
        await _until_callers(on_postgres, 1)
        done.set()
        await trickle
    assert set(outcomes) == {200}


async def _until_callers(service: RunningService, number: int) -> None:
    deadline = time.monotonic() + 90
    while len(await asyncio.to_thread(service.replicas, "LiteLLMCaller")) != number:
        assert time.monotonic() < deadline, f"never {number} callers"
        await asyncio.sleep(0.5)


def test_definitions_outlive_the_whole_service(
    database: str, tmp_path_factory: pytest.TempPathFactory, provider: FakeProvider
) -> None:
    """Every process killed -9 right after a write was acknowledged: the next run has it."""
    first = RunningService(tmp_path_factory.mktemp("first"), database_url=database, topology="fused")
    first.model("kept", provider.profile("kept"), parameters={"max_tokens": 3})
    assert first.http.patch("/api/v1/models/kept", json={"parameters": {"max_tokens": 5}}).status_code == 200
    for process in first.processes():
        with suppress(ProcessLookupError):  # some end with others
            os.kill(process.pid, signal.SIGKILL)
    first.process.kill()
    first.process.wait()
    second = RunningService(tmp_path_factory.mktemp("second"), database_url=database, topology="fused")
    try:
        model = second.http.get("/api/v1/models/kept").json()["model"]
        assert (model["parameters"]["max_tokens"], model["revision"]) == (5, 2)
        body = {"model": "kept", "messages": [{"role": "user", "content": "hello"}]}
        assert second.http.post("/v1/chat/completions", json=body).status_code == 200
    finally:
        second.stop()
