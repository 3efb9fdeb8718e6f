"""HTTP through HAProxy and Serve: completions, configuration under load, limits over replicas, faults."""

from __future__ import annotations

import asyncio
import re
import signal
import time
from collections import Counter
from typing import Any
from uuid import uuid4

import httpx
import orjson
import psutil
import pytest

from scripts.fake_provider.running import FakeProvider
from tests.support.running import RunningService, until


def fresh(prefix: str) -> str:
    return f"{prefix}-{uuid4().hex[:8]}"


def chat(model: str, **body: Any) -> dict[str, Any]:
    return {"model": model, "messages": [{"role": "user", "content": "hello"}], **body}


def test_health_documents_and_metrics(running: RunningService) -> None:
    for path in ("/healthz", "/readyz", "/docs", "/openapi.json"):
        assert running.http.get(path).status_code == 200
    answer = running.http.get("/healthz", headers={"x-trace-id": "of-mine"})
    assert answer.headers["x-request-id"] == answer.headers["x-voyager-trace-id"] == "of-mine"
    assert "voyager_completions_ongoing 0" in running.http.get("/metrics").text
    text = running.http.get("/metrics?replicas=all").text
    assert len(replicas_in(text)) == 2
    assert "This replica alone" not in text
    assert len(running.http.get("/statusz").json()["replicas"]) == 2


def replicas_in(text: str) -> set[str]:
    return set(re.findall(r'replica="([^"]*)"', text))


def test_a_hub_that_hangs_delays_nobody(running: RunningService, provider: FakeProvider) -> None:
    """Stopped, not killed: nothing says that it is gone, so only deadlines help."""
    name = fresh("hung")
    running.model(name, provider.profile(name))
    (pid,) = running.replicas("ConfigHub")
    hub = psutil.Process(pid)
    hub.suspend()
    try:
        assert running.chat(name).status_code == 200
        began = time.monotonic()
        path = f"/api/v1/models/{name}"
        late = running.http.patch(path, json={"version": "2"}, headers={"x-voyager-timeout-ms": "800"})
        assert (late.status_code, late.json()["details"][0]["reason"]) == (504, "DEADLINE_EXCEEDED")
        assert time.monotonic() - began < 3
        began = time.monotonic()
        text = running.http.get("/metrics?replicas=all").text
        assert text.startswith("# This replica alone: the config hub does not answer")
        assert len(replicas_in(text)) == 1
        report = running.http.get("/statusz").json()
        assert len(report["replicas"]) == 1
        assert "does not answer" in report["incomplete"]
        assert time.monotonic() - began < 12
        began = time.monotonic()
        refused = running.http.get(path)
        assert refused.status_code == 503
        assert "does not answer within 10 s; try again" in refused.json()["message"]
        assert int(refused.headers["retry-after"]) > 0
        assert time.monotonic() - began < 15
    finally:
        hub.resume()
    until(lambda: running.http.get(path).status_code == 200, "the hub answers again", 60)


def test_a_definition_is_there_for_every_replica_at_once(
    running: RunningService, provider: FakeProvider
) -> None:
    """What a create answered is seen by whichever replica the next requests reach."""
    for _ in range(5):
        name = fresh("seen")
        running.model(name, provider.profile("seen"))
        for _ in range(8):
            with httpx.Client(base_url=running.url) as client:
                assert client.post("/v1/chat/completions", json=chat(name)).status_code == 200


def test_a_rendered_prompt(running: RunningService, provider: FakeProvider) -> None:
    name = fresh("rendered")
    running.model(name, provider.profile(name))
    prompt = {
        "name": name, "version": "1.0.0", "template": "Say {{ word | upper }}",
        "parameters": [{"name": "word", "required": True}],
    }  # fmt: skip
    assert running.http.post("/api/v1/prompts", json=prompt).status_code == 201
    body = {"model": f"prompt:{name}", "target": name, "variables": {"word": "hello"}}
    assert running.http.post("/v1/chat/completions", json=body).status_code == 200
    assert provider.seen(name)["last_body"]["messages"][0]["content"] == "Say HELLO"
    wrong = running.http.post("/v1/chat/completions", json={**body, "variables": {}})
    assert (wrong.status_code, wrong.json()["error"]["param"]) == (400, "variables.word")


def test_errors_cross_the_deployments_as_they_are(running: RunningService, provider: FakeProvider) -> None:
    name = fresh("error")
    running.model(name, provider.profile(name, status=429, retry_after="9"))
    answer = running.http.post("/v1/chat/completions", json=chat(name))
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "9")
    assert answer.json()["error"]["code"] == "upstream_rate_limited"


async def test_a_hundred_changes_under_load(running: RunningService, provider: FakeProvider) -> None:
    """No request fails and no replica restarts while the configuration changes a hundred times."""
    name, other = fresh("steady"), fresh("changing")
    base = provider.profile(name)
    running.model(name, base)
    before = running.replicas("")
    outcomes: Counter[int] = Counter()
    done = asyncio.Event()

    async def load(client: httpx.AsyncClient) -> None:
        while not done.is_set():
            answer = await client.post("/v1/chat/completions", json=chat(name))
            outcomes[answer.status_code] += 1

    async with httpx.AsyncClient(base_url=running.url, timeout=30) as client:
        workers = [asyncio.create_task(load(client)) for _ in range(8)]
        created = await client.post(
            "/api/v1/models",
            json={"name": other, "provider": "custom", "model_name": "a", "endpoints": {"primary": base}},
        )
        assert created.status_code == 201
        for i in range(98):
            path = f"/api/v1/models/{name if i % 2 else other}"
            changed = await client.patch(path, json={"parameters": {"max_tokens": 10 + i}})
            assert changed.status_code == 200, changed.text
        assert (await client.delete(f"/api/v1/models/{other}")).status_code == 200
        done.set()
        await asyncio.gather(*workers)
    assert set(outcomes) == {200}
    assert outcomes[200] > 100
    assert running.replicas("") == before


def test_an_invalid_change_keeps_the_last_good_one(running: RunningService, provider: FakeProvider) -> None:
    name = fresh("good")
    running.model(name, provider.profile(name), parameters={"max_tokens": 7})
    refused = running.http.patch(f"/api/v1/models/{name}", json={"parameters": {"max_tokens": -1}})
    assert refused.status_code == 400
    assert "max_tokens" in refused.json()["message"]
    assert running.http.post("/v1/chat/completions", json=chat(name)).status_code == 200
    assert provider.seen(name)["last_body"]["max_tokens"] == 7


async def test_the_rate_limit_holds_over_all_replicas(
    running: RunningService, provider: FakeProvider
) -> None:
    name = fresh("limited")
    running.model(name, provider.profile(name), rate_limits={"requests_per_minute": 30})
    async with httpx.AsyncClient(base_url=running.url, timeout=30) as client:
        answers = await asyncio.gather(
            *(client.post("/v1/chat/completions", json=chat(name)) for _ in range(100))
        )
    counted = Counter(answer.status_code for answer in answers)
    assert counted[200] + counted[429] == 100
    # Never more than the limit; a replica may hold back what it leased and did not spend.
    assert 20 <= counted[200] <= 30
    assert provider.seen(name)["requests"] == counted[200]


async def test_many_streams_at_once(running: RunningService, provider: FakeProvider) -> None:
    """500 concurrent streams: every event arrives whole, in order, once."""
    name = fresh("streams")
    running.model(name, provider.profile(name, tokens=10, token_delay_s=0.05, latency_s=0.5))
    limits = httpx.Limits(max_connections=500)

    async def one(client: httpx.AsyncClient) -> str:
        text = ""
        async with client.stream("POST", "/v1/chat/completions", json=chat(name, stream=True)) as answer:
            assert answer.status_code == 200
            lines = [line async for line in answer.aiter_lines() if line]
        assert lines[-1] == "data: [DONE]"
        for line in lines[:-1]:
            text += orjson.loads(line.removeprefix("data: "))["choices"][0]["delta"].get("content", "")
        return text

    async with httpx.AsyncClient(base_url=running.url, timeout=120, limits=limits) as client:
        texts = await asyncio.gather(*(one(client) for _ in range(500)))
    expected = "Hello from the fake provider.Hello from the fake"
    assert Counter(texts) == {expected: 500}
    assert provider.seen(name)["most_ongoing"] > 250


async def test_a_client_that_leaves_cancels_the_provider(
    running: RunningService, provider: FakeProvider
) -> None:
    name = fresh("leaves")
    running.model(name, provider.profile(name, tokens=400, token_delay_s=0.05))
    async with (
        httpx.AsyncClient(base_url=running.url, timeout=30) as client,
        client.stream("POST", "/v1/chat/completions", json=chat(name, stream=True)) as answer,
    ):
        await anext(answer.aiter_lines())
    for _ in range(60):
        if provider.seen(name)["aborted"]:
            break
        await asyncio.sleep(0.1)
    assert provider.seen(name)["aborted"] == 1


def test_a_body_of_several_megabytes_passes(running: RunningService, provider: FakeProvider) -> None:
    """Multipart images are large; the limit is the service's own, not a hop's."""
    name = fresh("large")
    running.model(name, provider.profile(name))
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64," + "A" * 30_000_000}}
    messages = [{"role": "user", "content": [{"type": "text", "text": "see"}, image]}]
    answer = running.http.post("/v1/chat/completions", json={"model": name, "messages": messages})
    assert answer.status_code == 200, answer.text
    too_large = running.http.post("/v1/chat/completions", json=chat(name, x="y" * 53_000_000))
    assert (too_large.status_code, too_large.json()["error"]["code"]) == (413, "request_too_large")


def test_the_hub_may_die(running: RunningService, provider: FakeProvider) -> None:
    """Killed at any moment: requests go on, what was acknowledged is still there, writes come back."""
    name = fresh("survives")
    running.model(name, provider.profile(name))
    (pid,) = running.replicas("ConfigHub")
    psutil.Process(pid).kill()
    for _ in range(20):
        assert running.http.post("/v1/chat/completions", json=chat(name)).status_code == 200
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            if running.http.get(f"/api/v1/models/{name}").status_code == 200:
                break
        except httpx.HTTPError:
            pass
        time.sleep(0.5)
    model = running.http.get(f"/api/v1/models/{name}").json()["model"]
    assert model["name"] == name
    # Routers that outlived the hub take what the new one publishes.
    after = fresh("after")
    running.model(after, provider.profile("after"))
    for _ in range(8):
        with httpx.Client(base_url=running.url) as client:
            assert client.post("/v1/chat/completions", json=chat(after)).status_code == 200


def test_a_limit_outlives_the_hub(running: RunningService, provider: FakeProvider) -> None:
    """The hub that hands out limits is killed at its busiest; the next one goes on counting."""
    name, limit = fresh("kept"), 20
    running.model(name, provider.profile(name), rate_limits={"requests_per_minute": limit})
    path = f"/api/v1/models/{name}"
    began = time.monotonic()
    while running.chat(name).status_code == 200:
        pass
    spent = provider.seen(name)["requests"]
    (pid,) = running.replicas("ConfigHub")
    psutil.Process(pid).kill()
    until(lambda: running.replicas("ConfigHub") not in (set(), {pid}), "another hub", 60)
    until(lambda: running.http.get(path).status_code == 200, "the hub answers", 60)
    answers: Counter[int] = Counter()
    for _ in range(limit):
        with httpx.Client(base_url=running.url, timeout=30) as client:
            answers[client.post("/v1/chat/completions", json=chat(name)).status_code] += 1
    minutes = 1 + int(time.monotonic() - began) // 60
    assert provider.seen(name)["requests"] <= limit * minutes
    assert spent > limit / 2
    assert answers[429] > limit / 2


async def test_a_rolling_update_loses_nothing(running: RunningService, provider: FakeProvider) -> None:
    """Every replica is replaced under load; requests and streams end as they should."""
    name = fresh("rolling")
    running.model(name, provider.profile(name, tokens=12, token_delay_s=0.05))
    before = running.replicas("ModelRouter")
    outcomes: Counter[str] = Counter()
    done = asyncio.Event()

    async def whole(client: httpx.AsyncClient) -> None:
        while not done.is_set():
            answer = await client.post("/v1/chat/completions", json=chat(name))
            outcomes[f"whole {answer.status_code}"] += 1
            await asyncio.sleep(0.01)

    async def streamed(client: httpx.AsyncClient) -> None:
        while not done.is_set():
            answer = await client.post("/v1/chat/completions", json=chat(name, stream=True))
            outcomes[f"streamed {answer.text.rstrip().endswith('data: [DONE]')}"] += 1

    async with httpx.AsyncClient(base_url=running.url, timeout=60) as client:
        workers = [asyncio.create_task(work(client)) for work in (whole, whole, streamed, streamed, streamed)]
        running.process.send_signal(signal.SIGHUP)
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline:
            await asyncio.sleep(1)
            now = await asyncio.to_thread(running.replicas, "ModelRouter")
            if len(now) == 2 and not now & before:
                break
        done.set()
        await asyncio.gather(*workers)
    assert not running.replicas("ModelRouter") & before
    assert set(outcomes) == {"whole 200", "streamed True"}, outcomes


def test_scores(running: RunningService) -> None:
    pairs = [{"output": f"answer {i}", "reference": f"answer {i}"} for i in range(600)]
    metrics = [{"name": "coverage", "weight": 1.0, "measurement": "keyword_coverage"}]
    scored = running.http.post("/api/v1/scores", json={"pairs": pairs, "metrics": metrics})
    assert [row["score"] for row in scored.json()["scores"]] == [1.0] * 600


@pytest.mark.parametrize("path", ["/v1/models", "/api/v1/models"])
def test_only_loopback_is_listened_on(running: RunningService, path: str) -> None:
    """Everything a client can reach, and HAProxy's own pages, are on 127.0.0.1."""
    for process in running.processes("haproxy"):
        for connection in process.net_connections(kind="tcp"):
            if connection.status == psutil.CONN_LISTEN:
                assert connection.laddr.ip == "127.0.0.1", connection
    assert running.http.get(path).status_code == 200
