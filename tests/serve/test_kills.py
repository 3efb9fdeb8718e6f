"""A caller or router that is killed fails no request that had not begun to answer, and blames no provider."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Iterator

import httpx
import pytest

from scripts.fake_provider.running import FakeProvider
from tests.support.running import RunningService, until

UNDER_WAY = 100


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    """One router and one caller: nobody else can take over."""
    service = RunningService(tmp_path_factory.mktemp("alone"), topology="split")
    yield service
    service.stop()


@pytest.mark.parametrize("deployment", ["LiteLLMCaller", "ModelRouter"])
async def test_a_hundred_under_way_outlive_a_kill(
    alone: RunningService, provider: FakeProvider, deployment: str
) -> None:
    name = f"killed-{deployment.lower()}"
    alone.model(name, provider.profile(name, latency_s=2.0))
    body = {"model": name, "messages": [{"role": "user", "content": "hello"}]}
    async with httpx.AsyncClient(
        base_url=alone.url, timeout=60, limits=httpx.Limits(max_connections=UNDER_WAY)
    ) as client:
        calls = [
            asyncio.create_task(client.post("/v1/chat/completions", json=body)) for _ in range(UNDER_WAY)
        ]
        await asyncio.to_thread(until, lambda: provider.seen(name)["requests"] >= UNDER_WAY, "all under way")
        (process,) = alone.replicas(deployment)
        os.kill(process, signal.SIGKILL)
        answers = await asyncio.gather(*calls)
        assert [answer.status_code for answer in answers] == [200] * UNDER_WAY, {
            answer.text for answer in answers if answer.status_code != 200
        }
        after = await client.post("/v1/chat/completions", json=body)
        assert after.status_code == 200, "nobody's health was touched"
