"""Many of the largest bodies at once: what they take together is bounded, and nobody small waits for them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import suppress

import httpx
import orjson
import psutil
import pytest

from scripts.fake_provider.running import FakeProvider
from tests.support.running import RunningService, until

MB = 1024 * 1024
LARGEST = 50 * MB
BUDGET = 256 * MB
# Three quarters of the budget.
AT_ONCE = 3
CLIENTS = 12
# Of one body in one process: as it came, parsed, as it is sent on, and on its way out.
COPIES = 6
# Whose memory it is in: the router's, and with `split` a caller's.
PROCESSES = {"fused": 1, "split": 2}
SMALL = {"messages": [{"role": "user", "content": "hello"}]}


@pytest.fixture(scope="module", params=["split", "fused"])
def topology(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="module")
def roomy(topology: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    """With the limits that everybody has."""
    service = RunningService(tmp_path_factory.mktemp(topology), topology=topology)
    yield service
    service.stop()


def request_with_a_file(model: str) -> bytes:
    file = {"type": "file", "file": {"filename": "a.pdf", "file_data": "A" * (LARGEST - 1000)}}
    return orjson.dumps({"model": model, "messages": [{"role": "user", "content": [file]}]})


def megabytes(running: RunningService) -> float:
    """Of the processes that bodies come through."""
    found = 0
    for process in running.processes("ServeReplica:voyager:"):
        with suppress(psutil.Error):
            found += process.memory_info().rss
    return found / MB


async def test_the_largest_bodies_are_bounded_in_their_sum(
    roomy: RunningService, topology: str, provider: FakeProvider, figures: Callable[[str], None]
) -> None:
    base = provider.profile("large", hang=True)
    roomy.model("large", base)
    roomy.model("small", provider.profile("small"))
    before = most = megabytes(roomy)
    slowest = 0.0
    body = request_with_a_file("large")
    async with httpx.AsyncClient(base_url=roomy.url, timeout=60) as http:
        asked = [asyncio.create_task(http.post("/v1/chat/completions", content=body)) for _ in range(CLIENTS)]
        refused: set[asyncio.Task[httpx.Response]] = set()
        deadline = time.monotonic() + 60
        while len(refused) < CLIENTS - AT_ONCE or provider.seen("large")["ongoing"] < AT_ONCE:
            assert time.monotonic() < deadline, (len(refused), provider.seen("large")["ongoing"])
            began = time.monotonic()
            answer = await http.post("/v1/chat/completions", json={"model": "small", **SMALL})
            assert answer.status_code == 200, answer.text
            slowest = max(slowest, time.monotonic() - began)
            most = max(most, megabytes(roomy))
            refused = {task for task in asked if task.done()}
            await asyncio.sleep(0.02)
        assert provider.seen("large")["most_ongoing"] == AT_ONCE
        for task in refused:
            answer = task.result()
            assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
        for task in asked:
            task.cancel()
        await asyncio.wait(asked)
    figures(f"{CLIENTS} bodies of 50 MB: {most - before:.0f} MB more at most, {before:.0f} before")
    figures(f"the slowest small request of the process that sends them took {slowest * 1000:.0f} ms")
    assert most - before < AT_ONCE * COPIES * PROCESSES[topology] * LARGEST / MB
    until(lambda: provider.seen("large")["ongoing"] == 0, "the clients that left are noticed")
    provider.profile("large")
    answer = roomy.http.post("/v1/chat/completions", content=body)
    assert answer.status_code == 200, answer.text


def test_a_body_over_the_limit_is_refused(roomy: RunningService) -> None:
    too_large = {"model": "none", "messages": [{"role": "user", "content": "x" * LARGEST}]}
    answer = roomy.http.post("/v1/chat/completions", json=too_large)
    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "request_too_large")


def test_a_definition_may_not_be_as_large(roomy: RunningService) -> None:
    answer = roomy.http.post("/api/v1/models", json={"name": "x" * 9 * MB})
    assert answer.status_code == 413


def test_a_body_that_does_not_say_how_long_it_gets_is_bounded_too(
    roomy: RunningService, provider: FakeProvider
) -> None:
    def pieces(size: int) -> Iterator[bytes]:
        yield b'{"model":"chunked","messages":[{"role":"user","content":"'
        for _ in range(size // MB):
            yield b"x" * MB
        yield b'"}]}'

    roomy.model("chunked", provider.profile("chunked"))
    good = roomy.http.post("/v1/chat/completions", content=pieces(40 * MB))
    assert good.status_code == 200, good.text
    try:
        refused = roomy.http.post("/v1/chat/completions", content=pieces(60 * MB)).status_code
    except httpx.HTTPError:
        refused = 413  # the connection was closed while the rest was still being sent
    assert refused == 413
