"""The direct path between real replicas: callers that are killed and replaced, clients that do not read."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import threading
import time
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress

import grpc
import httpx
import psutil
import pytest

from scripts.fake_provider.running import FakeProvider
from tests.support.running import RunningService, until
from voyager_llm.v1.completions_pb2 import GenerateCompletionRequest
from voyager_llm.v1.model_manager_pb2_grpc import ModelManagerStub


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    running = RunningService(
        tmp_path_factory.mktemp("hop"),
        topology="split",
        caller_replicas=2,
        max_caller_replicas=2,
        fast_drain=0,
    )
    yield running
    running.stop()


def chat(model: str, *, stream: bool = False) -> dict[str, object]:
    return {"model": model, "messages": [{"role": "user", "content": "hello"}], "stream": stream}


def _outcome(answer: httpx.Response) -> str:
    return "200" if answer.status_code == 200 else answer.json()["error"]["code"]


@asynccontextmanager
async def load(service: RunningService, model: str, workers: int) -> AsyncGenerator[Counter[str]]:
    """Calls and streams, until the block ends: what came of them."""
    outcomes: Counter[str] = Counter()
    done = asyncio.Event()

    async def call(client: httpx.AsyncClient) -> None:
        while not done.is_set():
            outcomes[_outcome(await client.post("/v1/chat/completions", json=chat(model)))] += 1

    async def stream(client: httpx.AsyncClient) -> None:
        while not done.is_set():
            answer = await client.post("/v1/chat/completions", json=chat(model, stream=True))
            whole = answer.text.endswith("data: [DONE]\n\n")
            broken = "stream with an error event" if '"error"' in answer.text else "stream cut off"
            outcomes["stream" if whole else broken if answer.status_code == 200 else _outcome(answer)] += 1

    async with httpx.AsyncClient(base_url=service.url, timeout=60) as client:
        tasks = [asyncio.create_task(call(client)) for _ in range(workers)]
        tasks += [asyncio.create_task(stream(client)) for _ in range(workers)]
        yield outcomes
        done.set()
        await asyncio.gather(*tasks)


async def _until(true: Callable[[], object], what: str, timeout_s: float = 60.0) -> None:
    await asyncio.to_thread(until, true, what, timeout_s)


def connections(service: RunningService, deployment: str) -> int:
    """Those of routers to replicas of a deployment, over the direct path."""
    # A socket that listens has the same name as those that it accepted: there is one in each replica.
    return sum(
        sum("/hop-" in str(socket.laddr) for socket in psutil.Process(pid).net_connections("unix")) - 1
        for pid in service.replicas(deployment)
    )


def _figure(service: RunningService, series: str) -> float:
    """Of the one router."""
    for line in service.http.get("/metrics").text.splitlines():
        if line.startswith(f"{series} "):
            return float(line.rpartition(" ")[2])
    raise AssertionError(f"no series {series}")


def test_routers_connect_to_every_replica(service: RunningService) -> None:
    until(lambda: connections(service, "LiteLLMCaller") == 2, "to both callers", 30)
    until(lambda: connections(service, "PromptRenderer") == 1, "to the renderer", 30)


def test_metrics_tell_which_way_calls_went(service: RunningService, provider: FakeProvider) -> None:
    service.model("direct", provider.profile("direct"))
    until(lambda: connections(service, "LiteLLMCaller") == 2, "to both callers", 30)
    over_handle = 'voyager_hop_calls_over_handle_total{deployment="LiteLLMCaller"}'
    before = _figure(service, over_handle)
    for _ in range(5):
        assert service.chat("direct").status_code == 200
    assert _figure(service, 'voyager_hop_connected_replicas{deployment="LiteLLMCaller"}') == 2
    assert _figure(service, over_handle) == before


async def test_a_caller_that_is_killed_takes_only_its_own_calls_with_it(
    service: RunningService, provider: FakeProvider
) -> None:
    service.model("killed", provider.profile("killed", latency_s=0.05, tokens=20, token_delay_s=0.02))
    before = service.replicas("LiteLLMCaller")
    async with load(service, "killed", 8) as outcomes:
        await _until(lambda: outcomes["200"] > 50 and outcomes["stream"] > 8, "load")
        os.kill(min(before), signal.SIGKILL)
        killed = time.monotonic()
        calls = outcomes["200"]
        await _until(lambda: outcomes["200"] > calls + 50, "calls go on", 10)
        went_on = time.monotonic() - killed
        await _until(lambda: len(service.replicas("LiteLLMCaller") - before) == 1, "it is replaced")
        await _until(lambda: connections(service, "LiteLLMCaller") == 2, "the new one is connected")
    assert went_on < 5
    # What had begun cannot be made again; everything else was, and no provider was blamed.
    assert set(outcomes) <= {"200", "stream", "stream with an error event"}, outcomes
    assert outcomes["stream with an error event"] <= 8, outcomes


async def test_a_rolling_update_loses_nothing(service: RunningService, provider: FakeProvider) -> None:
    service.model("rolled", provider.profile("rolled", latency_s=0.05, tokens=20, token_delay_s=0.05))
    before = service.replicas("LiteLLMCaller") | service.replicas("PromptRenderer")
    async with load(service, "rolled", 8) as outcomes:
        await _until(lambda: outcomes["200"] > 20, "load")
        service.process.send_signal(signal.SIGHUP)
        now = service.replicas
        await _until(
            lambda: not before & (now("LiteLLMCaller") | now("PromptRenderer")), "all are replaced", 150
        )
        await _until(lambda: connections(service, "LiteLLMCaller") == 2, "the new ones are connected")
    assert set(outcomes) == {"200", "stream"}, outcomes


class FloodingProvider:
    """Streams without an end, as fast as they are taken."""

    def __init__(self) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.base = f"http://127.0.0.1:{self._socket.getsockname()[1]}/v1"
        self.ongoing = 0
        self.sent = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def stop(self) -> None:
        self._socket.close()

    def _accept(self) -> None:
        with suppress(OSError):  # it was stopped
            while True:
                threading.Thread(target=self._flood, args=self._socket.accept()[:1], daemon=True).start()

    def _flood(self, client: socket.socket) -> None:
        event = b'data: {"choices": [{"index": 0, "delta": {"content": "%s"}}]}\n\n' % (b"flood " * 1000)
        with suppress(OSError), client:  # whoever took it went away
            client.recv(65536)
            client.sendall(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n")
            self.ongoing += 1
            try:
                while True:
                    client.sendall(event)
                    self.sent += len(event)
            finally:
                self.ongoing -= 1


def test_a_client_that_does_not_read_fills_no_memory(service: RunningService, provider: FakeProvider) -> None:
    """Nobody takes anything of its streams: the caller stops to take them from the provider."""
    flood = FloodingProvider()
    service.model("flood", flood.base)
    service.model("beside", provider.profile("beside"))
    pids = service.replicas("LiteLLMCaller") | service.replicas("ModelRouter")
    before = {pid: psutil.Process(pid).memory_info().rss for pid in pids}
    request = b'{"model": "flood", "stream": true, "messages": [{"role": "user", "content": "hello"}]}'
    head = b"POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\ncontent-length: %d\r\n\r\n" % len(request)
    clients = [socket.create_connection(("127.0.0.1", service.http_port)) for _ in range(5)]
    try:
        for client in clients:
            client.sendall(head + request)
        until(lambda: flood.ongoing == 5, "all are under way")
        until(lambda: _rests(flood), "the provider has to wait", 60)
        grown = {pid: psutil.Process(pid).memory_info().rss - before[pid] for pid in pids}
        assert max(grown.values()) < 50e6, grown
        assert service.chat("beside").status_code == 200
    finally:
        for client in clients:
            client.close()
    until(lambda: flood.ongoing == 0, "the streams are closed at the provider")
    flood.stop()


def test_a_grpc_client_that_does_not_read_stops_no_other(
    service: RunningService, provider: FakeProvider
) -> None:
    flood = FloodingProvider()
    service.model("unread", flood.base)
    service.model("read", provider.profile("read"))
    with _stub(service) as slow, _stub(service) as other:
        unread = slow.StreamCompletion(GenerateCompletionRequest(model_name="unread", prompt="hello"))
        next(iter(unread))
        until(lambda: _rests(flood), "the provider has to wait", 60)
        request = GenerateCompletionRequest(model_name="read", prompt="hello")
        assert other.GenerateCompletion(request, timeout=5).completion
        unread.cancel()
    until(lambda: flood.ongoing == 0, "the stream is closed at the provider")
    flood.stop()


@contextmanager
def _stub(service: RunningService) -> Iterator[ModelManagerStub]:
    """On a connection of its own."""
    options = [("grpc.use_local_subchannel_pool", 1)]
    with grpc.insecure_channel(f"127.0.0.1:{service.grpc_port}", options) as channel:
        yield ModelManagerStub(channel)


def _rests(flood: FloodingProvider) -> bool:
    """Whether nothing was taken for a second."""
    sent = flood.sent
    time.sleep(1)
    return flood.sent == sent


def test_no_log_holds_a_secret_of_the_direct_path(service: RunningService) -> None:
    """What replicas announce goes through Serve's controller, and into no file."""
    logs = service.scratch / "ray" / "session_latest" / "logs"
    texts = [path.read_text(errors="replace") for path in logs.rglob("*") if path.is_file()]
    assert any("Got updated replicas" in text or "started successfully" in text for text in texts)
    assert not any("'secret':" in text or '"secret":' in text for text in texts)
