"""Clients that leave, say nothing or take too much: others are served."""

from __future__ import annotations

import asyncio
import contextlib
import json
import resource
import socket
import statistics
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass

import grpc
import httpx
import openai
import psutil
import pytest

from scripts.fake_provider.running import FakeProvider
from tests.hostile.conftest import BODY_SECONDS, CLIENT_SECONDS, HEAD_SECONDS, PER_CLIENT
from tests.hostile.http2 import CALL, OPENED, PREFACE, frame
from tests.support.running import RunningService
from voyager_llm.v1 import completions_pb2, models_pb2
from voyager_llm.v1.model_manager_pb2_grpc import ModelManagerStub

MESSAGES = [{"role": "user", "content": "hello"}]
UNKNOWN = {"model": "none", "messages": MESSAGES}
NOTICED_SECONDS = 1.0
ATTACKERS = [f"127.0.0.{n}" for n in range(2, 7)]


@pytest.fixture(scope="session", autouse=True)
def files() -> None:
    """Thousands of sockets at both ends."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def until(condition: Callable[[], bool], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def haproxy(running: RunningService) -> list[psutil.Process]:
    return running.processes(name="haproxy")


def cpu_seconds(running: RunningService) -> float:
    return sum(p.cpu_times().user + p.cpu_times().system for p in haproxy(running))


# Clients that leave.


def whole_sdk(running: RunningService) -> None:
    """openai-python, which sends head and body in two packets; it gives up."""
    client = openai.OpenAI(base_url=f"{running.url}/v1", api_key="-", max_retries=0, timeout=1.0)
    with client, pytest.raises(openai.APITimeoutError):
        client.chat.completions.create(model="leaving", messages=MESSAGES)  # pyright: ignore


def streamed_sdk(running: RunningService) -> None:
    with openai.OpenAI(base_url=f"{running.url}/v1", api_key="-", max_retries=0, timeout=30) as client:
        stream = client.chat.completions.create(model="leaving", messages=MESSAGES, stream=True)  # pyright: ignore
        next(iter(stream))
        stream.close()


async def async_sdk(running: RunningService) -> None:
    async with openai.AsyncOpenAI(base_url=f"{running.url}/v1", api_key="-", max_retries=0) as client:
        call = client.chat.completions.create(model="leaving", messages=MESSAGES)  # pyright: ignore
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(call, 1.0)


def raw(running: RunningService, *, pieces: int, stream: bool, padding: int = 0) -> None:
    """A socket, the request in so many packets; closed when the provider has been called for a second."""
    messages = [*MESSAGES, {"role": "user", "content": "u" * padding}]
    document = {"model": "leaving", "messages": messages, "stream": stream}
    body = json.dumps(document).encode()
    head = f"POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\ncontent-length: {len(body)}\r\n\r\n".encode()
    whole = head + body
    cuts = [0, len(head), *(len(head) + len(body) * n // pieces for n in range(1, pieces))]
    parts = (
        [whole[a:b] for a, b in zip(cuts, [*cuts[1:], len(whole)], strict=True)] if pieces > 1 else [whole]
    )
    with socket.create_connection(("127.0.0.1", running.http_port)) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for part in parts:
            connection.sendall(part)
            time.sleep(0.05)
        time.sleep(0.8)


def cancelled_call(running: RunningService) -> None:
    with grpc.insecure_channel(f"127.0.0.1:{running.grpc_port}") as channel:
        request = completions_pb2.GenerateCompletionRequest(model_name="leaving", prompt="hello")
        call = ModelManagerStub(channel).GenerateCompletion.future(request, timeout=30)
        time.sleep(0.8)
        call.cancel()


LEAVING: dict[str, tuple[dict[str, float | int | bool], Callable[[RunningService], object]]] = {
    "sdk, whole": ({"hang": True}, whole_sdk),
    "sdk, streamed": ({"tokens": 500, "token_delay_s": 0.1}, streamed_sdk),
    "async sdk, whole": ({"hang": True}, lambda running: asyncio.run(async_sdk(running))),
    "one packet, whole": ({"hang": True}, lambda r: raw(r, pieces=1, stream=False)),
    "two packets, whole": ({"hang": True}, lambda r: raw(r, pieces=2, stream=False)),
    "two packets, streamed": ({"tokens": 500, "token_delay_s": 0.1}, lambda r: raw(r, pieces=2, stream=True)),
    "gRPC": ({"hang": True}, cancelled_call),
    "large, nine packets": ({"hang": True}, lambda r: raw(r, pieces=9, stream=False, padding=300_000)),
}


@pytest.mark.parametrize("case", LEAVING)
def test_a_client_that_leaves_is_noticed_within_a_second(
    running: RunningService, provider: FakeProvider, case: str
) -> None:
    behaviour, leave = LEAVING[case]
    base = provider.profile("leaving", **behaviour)
    if running.http.get("/api/v1/models/leaving").status_code == 404:
        running.model("leaving", base)
    leave(running)
    assert until(lambda: provider.seen("leaving")["aborted"] == 1, NOTICED_SECONDS), provider.seen("leaving")
    assert provider.seen("leaving")["ongoing"] == 0
    before = cpu_seconds(running)
    time.sleep(1)
    assert cpu_seconds(running) - before < 0.2, "HAProxy spins"


def test_a_client_that_waits_in_silence_is_not_cut_off(
    running: RunningService, provider: FakeProvider
) -> None:
    """For longer than any of the time-outs: before the answer, and between two tokens of it."""
    longest = max(HEAD_SECONDS, CLIENT_SECONDS, BODY_SECONDS) + 1
    running.model("slow", provider.profile("slow", latency_s=longest))
    running.model("halting", provider.profile("halting", tokens=2, token_delay_s=CLIENT_SECONDS + 1))
    with openai.OpenAI(base_url=f"{running.url}/v1", api_key="-", max_retries=0, timeout=60) as client:
        whole = client.chat.completions.create(model="slow", messages=MESSAGES)  # pyright: ignore
        assert whole.choices[0].message.content  # pyright: ignore
        streamed = client.chat.completions.create(model="halting", messages=MESSAGES, stream=True)  # pyright: ignore
        texts = [chunk.choices[0].delta.content for chunk in streamed if chunk.choices]  # pyright: ignore
        assert len(list(filter(None, texts))) == 2


# Clients that take too much.


@dataclass(frozen=True)
class Attack:
    """Many connections, all of which send the same and then nothing."""

    grpc: bool
    sends: bytes
    connections: int = 4200


POST = b"POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\n"

ATTACKS = {
    "silent": Attack(False, b""),
    "half a head": Attack(False, POST),
    "no body": Attack(False, POST + b"content-length: 1000\r\n\r\n"),
    "half a body": Attack(False, POST + b"content-length: 100000\r\n\r\n" + b" " * 50_000, 3000),
    "chunks without end": Attack(False, POST + b"transfer-encoding: chunked\r\n\r\n5\r\nab"),
    "idle": Attack(False, b"GET /healthz HTTP/1.1\r\nhost: a\r\n\r\n"),
    "gRPC, silent": Attack(True, b""),
    "gRPC, half a preface": Attack(True, PREFACE[:10]),
    "gRPC, no call": Attack(True, OPENED),
    "gRPC, half a frame": Attack(True, OPENED + b"\0\1\0\0"),
    "gRPC, half a head": Attack(True, OPENED + frame(1, 0, 1, CALL)),
    "gRPC, half a message": Attack(
        True, OPENED + frame(1, 4, 1, CALL) + frame(0, 0, 1, b"\0\0\1\0\0" + b"a" * 9000)
    ),
    "gRPC, a hundred calls each": Attack(
        True, OPENED + b"".join(frame(1, 4, 2 * n + 1, CALL) for n in range(100)), 500
    ),
}


@contextlib.contextmanager
def under(attack: Attack, running: RunningService) -> Generator[list[socket.socket]]:
    """From several addresses, none of which others use."""
    port = running.grpc_port if attack.grpc else running.http_port
    with contextlib.ExitStack() as held:
        connections: list[socket.socket] = []
        for n in range(attack.connections):
            with contextlib.suppress(OSError):
                source = (ATTACKERS[n % len(ATTACKERS)], 0)
                connection = socket.create_connection(("127.0.0.1", port), 5, source_address=source)
                connections.append(held.enter_context(connection))
                connection.setblocking(False)
                connection.send(attack.sends)
        yield connections


@pytest.mark.parametrize("name", ATTACKS)
def test_others_are_served_meanwhile(
    running: RunningService, name: str, figures: Callable[[str], None]
) -> None:
    attack = ATTACKS[name]
    with under(attack, running), grpc.insecure_channel(f"127.0.0.1:{running.grpc_port}") as channel:
        stub = ModelManagerStub(channel)
        waits: list[float] = []
        for _ in range(10):
            started = time.monotonic()
            with httpx.Client(base_url=running.url, timeout=5) as client:
                assert client.post("/v1/chat/completions", json=UNKNOWN).status_code == 404
            stub.ListModels(models_pb2.ListModelsRequest(), timeout=5)
            waits.append(time.monotonic() - started)
    figures(
        f"{name}: both answered in {statistics.median(waits) * 1000:.0f} ms, at most {max(waits) * 1000:.0f}"
    )
    assert max(waits) < 5
    assert statistics.median(waits) < 1


@pytest.mark.parametrize(
    "name", [name for name in ATTACKS if name not in ("idle", "gRPC, a hundred calls each")]
)
def test_an_unfinished_request_is_given_up(running: RunningService, name: str) -> None:
    attack = ATTACKS[name]
    port = running.grpc_port if attack.grpc else running.http_port
    with socket.create_connection(("127.0.0.1", port), 5, source_address=(ATTACKERS[0], 0)) as connection:
        connection.sendall(attack.sends)
        connection.settimeout(HEAD_SECONDS + CLIENT_SECONDS + 2)
        received = b""
        with contextlib.suppress(ConnectionResetError):
            while piece := connection.recv(65536):
                received += piece
                if name == "gRPC, half a message" and b"408" in received:
                    break  # The call ends, its connection may go on.
    if not attack.grpc:
        assert received.startswith(b"HTTP/1.1 408"), received


def test_one_address_has_its_share_of_connections_and_no_more(running: RunningService) -> None:
    with contextlib.ExitStack() as held:
        connections: list[socket.socket] = []
        for _ in range(PER_CLIENT + 200):
            with contextlib.suppress(ConnectionResetError):
                source = (ATTACKERS[0], 0)
                connection = socket.create_connection(
                    ("127.0.0.1", running.http_port), 5, source_address=source
                )
                connections.append(held.enter_context(connection))
        assert until(lambda: sum(not refused(connection) for connection in connections) <= PER_CLIENT, 1)
        assert not refused(connections[0])
        assert running.http.get("/healthz").status_code == 200


def refused(connection: socket.socket) -> bool:
    """Closed by the other end."""
    try:
        return connection.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT) == b""
    except BlockingIOError:
        return False
    except (ConnectionResetError, TimeoutError):
        return True


def test_a_body_that_drips_is_given_up_in_the_end(running: RunningService) -> None:
    """Each byte in time, the whole not."""
    with socket.create_connection(("127.0.0.1", running.http_port), 5) as connection:
        connection.sendall(POST + b"content-length: 1000000\r\n\r\n" + b" " * 40_000)
        connection.settimeout(0.5)
        started = time.monotonic()
        answer = b""
        while b"did not come within" not in answer and time.monotonic() - started < BODY_SECONDS + 3:
            with contextlib.suppress(BrokenPipeError):
                connection.sendall(b" ")
            with contextlib.suppress(TimeoutError):
                answer += connection.recv(4096)
    assert answer.startswith(b"HTTP/1.1 408")
    assert b"did not come within" in answer
    assert time.monotonic() - started > BODY_SECONDS - 1


@pytest.mark.parametrize("declared", [True, False], ids=["declared", "in chunks"])
def test_a_body_over_the_limit_is_refused_in_words(running: RunningService, declared: bool) -> None:
    size = 60_000_000
    head = b"content-length: %d\r\n\r\n" % size if declared else b"transfer-encoding: chunked\r\n\r\n"
    with socket.create_connection(("127.0.0.1", running.http_port), 20) as connection:
        connection.sendall(POST + head)
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            for _ in range(size // 50_000):
                connection.sendall(
                    (b"" if declared else b"c350\r\n") + b" " * 50_000 + (b"" if declared else b"\r\n")
                )
        answer = b""
        while b"larger than" not in answer and (piece := connection.recv(4096)):
            answer += piece
    assert answer.startswith(b"HTTP/1.1 413")
    assert b"larger than 52428800 bytes" in answer
    assert running.http.get("/healthz").status_code == 200


@pytest.mark.parametrize("compression", [grpc.Compression.NoCompression, grpc.Compression.Gzip])
def test_a_message_over_the_limit_is_refused_in_words(
    running: RunningService, compression: grpc.Compression
) -> None:
    options = [("grpc.max_send_message_length", -1)]
    channel = grpc.insecure_channel(f"127.0.0.1:{running.grpc_port}", options, compression)
    with channel, pytest.raises(grpc.RpcError) as refusal:
        ModelManagerStub(channel).GetModel(models_pb2.GetModelRequest(name="x" * 20_000_000), timeout=20)
    assert refusal.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert "message larger than max" in (refusal.value.details() or "")


@pytest.mark.parametrize("name", ["x-request-id", "x-session-id", "serve-multiplexed-model-id", "x-trace-id"])
def test_a_header_that_is_no_text_is_no_fault_of_ours(running: RunningService, name: str) -> None:
    """Serve reads some headers before our ingress does, as UTF-8."""
    with socket.create_connection(("127.0.0.1", running.http_port), timeout=10) as connection:
        request = (
            f"GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{name}: ".encode() + b"\xff\r\n\r\n"
        )
        connection.sendall(request)
        status = connection.recv(4096).split(b" ", 2)[1]
    assert status in (b"200", b"400")
