"""Embeddings of several requests in one call: every request gets its own answer, usage and errors."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deployments.lanes.batching import MOST_TEXTS, shared
from scripts.fake_provider.running import FakeProvider
from tests.support.service import LocalService, start


@pytest.fixture
async def batching(tmp_path: Path) -> AsyncIterator[LocalService]:
    service = await start(tmp_path, embedding_batch_wait_s=0.05)
    yield service
    await service.close()


async def embed(service: LocalService, text: object, **body: object) -> httpx.Response:
    return await service.http.post("/v1/embeddings", json={"model": "m", "input": text, **body})


async def test_each_gets_its_own(batching: LocalService, provider: FakeProvider) -> None:
    await batching.model("m", provider.profile("batched"))
    texts = ["a" * (n + 1) for n in range(20)]
    answers = await asyncio.gather(*(embed(batching, text) for text in texts))
    for text, answer in zip(texts, answers, strict=True):
        document = answer.json()
        assert [row["embedding"][0] for row in document["data"]] == [len(text)]
        assert [row["index"] for row in document["data"]] == [0]
    assert provider.seen("batched")["requests"] == 1
    billed = sum(answer.json()["usage"]["prompt_tokens"] for answer in answers)
    assert billed == sum(len(text) for text in texts)


async def test_only_what_differs_in_text_alone_is_joined(
    batching: LocalService, provider: FakeProvider
) -> None:
    await batching.model("m", provider.profile("apart"))
    await asyncio.gather(
        embed(batching, "x", dimensions=8),
        embed(batching, "y", dimensions=16),
        embed(batching, ["z"], dimensions=16),
        embed(batching, ["p", "q"], dimensions=16),  # a list of its own
    )
    assert provider.seen("apart")["requests"] == 3


async def test_a_full_batch_leaves_room_for_the_next(batching: LocalService, provider: FakeProvider) -> None:
    await batching.model("m", provider.profile("many"))
    answers = await asyncio.gather(*(embed(batching, f"text {n}") for n in range(MOST_TEXTS + 10)))
    assert {answer.status_code for answer in answers} == {200}
    assert provider.seen("many")["requests"] == 2


async def test_nobody_pays_for_another_text(batching: LocalService, provider: FakeProvider) -> None:
    await batching.model("m", provider.profile("refuses", refuse_text="BAD"))
    answers = await asyncio.gather(*(embed(batching, text) for text in ("good", "BAD", "fine")))
    assert [answer.status_code for answer in answers] == [200, 400, 200]


async def test_an_outage_is_everybodys(batching: LocalService, provider: FakeProvider) -> None:
    await batching.model("m", provider.profile("down", status=500))
    answers = await asyncio.gather(*(embed(batching, text) for text in ("a", "b")))
    assert {answer.status_code for answer in answers} == {503}


async def test_who_leaves_does_not_take_the_others_along(
    batching: LocalService, provider: FakeProvider
) -> None:
    await batching.model("m", provider.profile("leaver", latency_s=0.2))
    leaving = asyncio.create_task(embed(batching, "gone"))
    staying = asyncio.create_task(embed(batching, "here"))
    await asyncio.sleep(0.1)
    leaving.cancel()
    assert (await staying).json()["data"][0]["embedding"][0] == 4


@given(st.integers(0, 10_000), st.lists(st.integers(0, 5000), min_size=1, max_size=64))
def test_the_parts_sum_to_the_whole(total: int, weights: list[int]) -> None:
    parts = shared(total, weights)
    assert sum(parts) == total
    heavy = [weight + 1 for weight in weights]
    for part, weight in zip(parts, heavy, strict=True):
        assert abs(part - total * weight / sum(heavy)) < 1
