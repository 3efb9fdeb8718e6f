"""Ten thousand models in one request, with the whole service running: how long, and who waits meanwhile."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest
import yaml

from scripts.fake_provider.running import FakeProvider
from tests.support.running import ROOT, RunningService, until
from voyager_llm.v1 import bulk_pb2, models_pb2
from voyager_llm.v1.model_manager_pb2_grpc import ModelManagerStub

MODELS = 10_000


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    running = RunningService(tmp_path_factory.mktemp("bulk"), router_replicas=2)
    yield running
    running.stop()


def definition(number: int, base: str) -> dict[str, Any]:
    """A model with every field that the specification's has."""
    return {
        "name": f"model-{number}", "provider": "custom", "model_name": f"fake-{number % 50}",
        "version": "2024-01-01", "capabilities": ["text_generation", "code_generation", "reasoning"],
        "parameters": {"max_tokens": 4096, "temperature": 0.7, "top_p": 1.0},
        "cost": {"input_token_cost": 0.00003, "output_token_cost": 0.00006, "currency": "USD"},
        "rate_limits": {"requests_per_minute": 500, "tokens_per_minute": 40_000},
        "endpoints": {"primary": base, "backup": f"{base}/backup"},
    }  # fmt: skip


def _manifest(found: dict[str, Any]) -> dict[str, Any]:
    head = {"apiVersion": "llm.voyager.io/v1", "kind": "ModelDefinition"}
    return {**head, "metadata": {"name": found.pop("name")}, "spec": found}


class Load:
    """Another client, which completes one request after the other. Seconds of each, and what failed."""

    def __init__(self, service: RunningService, model: str) -> None:
        self._service = service
        self._model = model
        self._done = asyncio.Event()
        self.seconds: list[float] = []
        self.failed: list[str] = []

    async def run(self) -> None:
        body = {"model": self._model, "messages": [{"role": "user", "content": "hello"}]}
        async with httpx.AsyncClient(base_url=self._service.url, timeout=30) as client:
            while not self._done.is_set():
                started = time.monotonic()
                answer = await client.post("/v1/chat/completions", json=body)
                self.seconds.append(time.monotonic() - started)
                if answer.status_code != 200:
                    self.failed.append(answer.text)

    def stop(self) -> None:
        self._done.set()

    def told(self) -> str:
        ordered = sorted(self.seconds)
        share = [ordered[int(len(ordered) * q)] * 1000 for q in (0.5, 0.99)]
        return f"p50 {share[0]:.0f} ms, p99 {share[1]:.0f} ms, longest {ordered[-1] * 1000:.0f} ms"


@pytest.mark.timeout(400)
async def test_ten_thousand_models_by_the_command_line(
    service: RunningService, provider: FakeProvider, tmp_path: Path, figures: Callable[[str], None]
) -> None:
    base = provider.profile("bulk")
    manifests = tmp_path / "models.yaml"
    manifests.write_text(
        yaml.dump_all((_manifest(definition(n, base)) for n in range(MODELS)), Dumper=yaml.CSafeDumper)
    )
    async with httpx.AsyncClient(base_url=service.url, timeout=30) as client:
        steady = {**definition(0, base), "name": "steady", "rate_limits": {}}
        assert (await client.post("/api/v1/models", json=steady)).status_code == 201
    quiet, busy, again = (Load(service, "steady") for _ in range(3))
    await _during(quiet, asyncio.sleep(2))
    took, output = await _during(busy, _apply(service, manifests))
    assert f"{MODELS} created, 0 updated, 0 unchanged" in output
    repeated, output = await _during(again, _apply(service, manifests))
    assert f"0 created, 0 updated, {MODELS} unchanged" in output
    figures(
        f"{MODELS} models by the command line: {took:.1f} s, once more: {repeated:.1f} s. "
        f"A client meanwhile: {busy.told()} (once more: {again.told()}; alone: {quiet.told()})"
    )
    assert not quiet.failed + busy.failed + again.failed
    assert took < 20
    assert max(busy.seconds) < 1.0
    async with httpx.AsyncClient(base_url=service.url, timeout=30) as client:
        body = {"model": "model-9999", "messages": [{"role": "user", "content": "hello"}]}
        for _ in range(8):  # each replica, most likely
            assert (await client.post("/v1/chat/completions", json=body)).status_code == 200


async def test_ten_thousand_models_by_grpc(
    service: RunningService, provider: FakeProvider, figures: Callable[[str], None]
) -> None:
    """All are changed at once."""
    base = provider.profile("bulk")
    request = bulk_pb2.ApplyDefinitionsRequest(
        models=[
            models_pb2.Model(
                name=f"model-{n}", provider="custom", model_name="changed",
                endpoints={"primary": base}, capabilities=["json"],
            )
            for n in range(MODELS)
        ]
    )  # fmt: skip
    async with grpc.aio.insecure_channel(f"127.0.0.1:{service.grpc_port}") as channel:
        started = time.monotonic()
        answer = await ModelManagerStub(channel).ApplyDefinitions(request, timeout=60)
        took = time.monotonic() - started
    figures(f"{MODELS} models by gRPC, {request.ByteSize() / 1e6:.1f} MB: {took:.1f} s")
    assert answer.created + answer.updated == MODELS
    assert took < 20
    async with httpx.AsyncClient(base_url=service.url, timeout=30) as client:
        versions: set[int] = set()

        def both_hold_it() -> bool:
            report = httpx.get(f"{service.url}/statusz", timeout=30).json()
            versions.update(replica["version"] for replica in report["replicas"])
            return len({replica["version"] for replica in report["replicas"]}) == 1

        until(both_hold_it, "both replicas hold the same configuration")
        found = (await client.get("/api/v1/models/model-17")).json()["model"]
        assert found["model_name"] == "changed"


async def _during(load: Load, work: Any) -> Any:
    running = asyncio.create_task(load.run())
    try:
        return await work
    finally:
        load.stop()
        await running


async def _apply(service: RunningService, manifests: Path) -> tuple[float, str]:
    """Seconds, and what was printed."""
    started = time.monotonic()
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "serve_app.cli", "apply", "-f", str(manifests),
        cwd=ROOT, env={**os.environ, "VOYAGER_URL": service.url, "COLUMNS": "160"},
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    output, _ = await process.communicate()
    assert process.returncode == 0, output[-2000:].decode()
    return time.monotonic() - started, output.decode()
