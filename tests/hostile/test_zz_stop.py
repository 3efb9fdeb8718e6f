"""A stop loses nothing. The last tests on the services that others share: they end them."""

from __future__ import annotations

import signal
from collections.abc import Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import grpc
import httpx
from grpc_health.v1 import health_pb2, health_pb2_grpc

from scripts.fake_provider.running import FakeProvider
from tests.hostile.test_runs import MESSAGES, nothing_is_left
from tests.support.running import RunningService, until
from voyager_llm.v1 import completions_pb2 as completions
from voyager_llm.v1.model_manager_pb2_grpc import ModelManagerStub


def streamed(service: RunningService, model: str) -> str:
    body = {"model": model, "messages": MESSAGES, "stream": True}
    with service.http.stream("POST", "/v1/chat/completions", json=body) as answer:
        return list(answer.iter_lines())[-2]


def streamed_over_grpc(service: RunningService, model: str) -> int:
    request = completions.GenerateCompletionRequest(model_name=model, prompt="hello")
    with grpc.insecure_channel(f"127.0.0.1:{service.grpc_port}") as channel:
        return sum(bool(m.delta) for m in ModelManagerStub(channel).StreamCompletion(request, timeout=60))


Status = health_pb2.HealthCheckResponse


@contextmanager
def watched(service: RunningService) -> Generator[Iterator[health_pb2.HealthCheckResponse]]:
    """Whether it serves, now and whenever that changes: a call without an end, which needs no key."""
    with grpc.insecure_channel(f"127.0.0.1:{service.grpc_port}") as channel:
        news = health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest(), timeout=100)
        assert next(news).status == Status.SERVING
        yield news


def test_a_replacement_does_not_wait_for_those_who_wait_for_news(running: RunningService) -> None:
    before = running.replicas("ModelRouter")
    with watched(running) as news:
        running.process.send_signal(signal.SIGHUP)
        assert [told.status for told in news] == [Status.NOT_SERVING]
        until(lambda: not running.replicas("ModelRouter") & before, "the routers are replaced", 60)
    until(lambda: "replaced" in running.output.splitlines(), "all are replaced", 60)
    until(lambda: running.http.get("/readyz").status_code == 200, "they are ready", 60)


def test_a_stop_finishes_what_runs(running: RunningService, provider: FakeProvider) -> None:
    service = running
    number = signal.SIGTERM if service.replicas("LiteLLMCaller") else signal.SIGINT
    scratch = service.scratch
    service.model("stop-slow", provider.profile("stop-slow", latency_s=10))
    service.model("stop-stream", provider.profile("stop-stream", tokens=50, token_delay_s=0.2))
    with watched(service) as news, ThreadPoolExecutor() as pool:
        under_way: list[Future[Any]] = [
            pool.submit(service.chat, "stop-slow"),
            pool.submit(streamed, service, "stop-stream"),
            pool.submit(streamed_over_grpc, service, "stop-stream"),
        ]
        asked = ("stop-slow", 1), ("stop-stream", 2)
        until(lambda: all(provider.seen(name)["ongoing"] == n for name, n in asked), "all are under way")
        service.process.send_signal(number)
        until(lambda: refuses(service.url), "new connections are refused", 5)
        assert not any(work.done() for work in under_way)
        assert [told.status for told in news] == [Status.NOT_SERVING]
        slow, last_event, tokens = (work.result() for work in under_way)
    assert slow.status_code == 200
    assert last_event == "data: [DONE]"
    assert tokens == 50
    assert service.ended() == 0
    nothing_is_left(service, scratch)
    said = [line.partition(":")[0] for line in service.output.splitlines()]
    assert said[-2:] == ["stopping", "stopped"]


def refuses(url: str) -> bool:
    try:
        httpx.get(f"{url}/healthz", timeout=1)
    except httpx.ConnectError:
        return True
    except httpx.HTTPError:
        return False
    return False
