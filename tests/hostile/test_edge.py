"""Strangers before HAProxy: what they can take, memory and places, and what refuses them. No cluster."""

from __future__ import annotations

import contextlib
import resource
import socket
import time
from collections.abc import Callable, Generator, Iterator
from pathlib import Path

import grpc
import psutil
import pytest

from serve_app.connection_limits import ConnectionLimits, files_allowed
from serve_app.processes import lives
from tests.hostile.http2 import CALL, OPENED, frame
from tests.support.edge import Edge, running_edge
from tests.support.running import until
from voyager_llm.settings import Settings

IDLE_SECONDS = 2.0
HEAD_SECONDS = 3.0
LIMITS = ConnectionLimits.of(Settings(), files_allowed())
ONE = ["127.0.0.1"]
KEY = '{"name": "clients", "key": "key"}'
AT_ONCE_S = 2.0
# With what a busy machine adds.
REPLACED_S = 6.0


@pytest.fixture(scope="module", autouse=True)
def files() -> None:
    """Thousands of sockets at both ends."""
    hard = files_allowed()
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


@pytest.fixture(scope="module")
def edge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Edge]:
    """With the limits that everybody has, but in time."""
    folder = tmp_path_factory.mktemp("edge")
    with running_edge(
        folder, idle_timeout_s=IDLE_SECONDS, head_timeout_s=HEAD_SECONDS, client_timeout_s=HEAD_SECONDS
    ) as running:
        yield running


def addresses(number: int) -> list[str]:
    return [f"127.0.{n // 250 + 1}.{n % 250 + 1}" for n in range(number)]


@contextlib.contextmanager
def connections(
    port: int, sources: list[str], each: int, sends: bytes = b""
) -> Generator[list[socket.socket]]:
    """So many of each address, as far as they are taken. They have hardly a buffer to receive with."""
    with contextlib.ExitStack() as held:
        taken: list[socket.socket] = []
        for n in range(each * len(sources)):
            with contextlib.suppress(OSError):
                connection = held.enter_context(socket.socket())
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
                connection.bind((sources[n % len(sources)], 0))
                connection.settimeout(1)
                connection.connect(("127.0.0.1", port))
                connection.sendall(sends)
                connection.setblocking(False)
                taken.append(connection)
        yield taken


def flood(edge: Edge, sources: list[str], each: int) -> int:
    """A hundred calls on each connection, none of which ends, and nobody reads. The most memory."""
    most = 0
    with connections(edge.grpc_port, sources, each, OPENED) as opened:
        for call in range(100):
            for connection in opened:
                with contextlib.suppress(OSError):
                    connection.send(frame(1, 4, 2 * call + 1, CALL) + frame(0, 0, 2 * call + 1, b"\0" * 500))
            most = max(most, edge.megabytes())
        return max(most, edge.megabytes())


def test_one_address_takes_little_memory(edge: Edge, figures: Callable[[str], None]) -> None:
    """2,000 connections of a hundred calls each took more than 2 GB."""
    most = max(flood(edge, ONE, 2000) for _ in range(3))
    figures(f"HAProxy has {most} MB at most")
    assert most < 100
    assert edge.answers("/healthz") == 200


def test_many_addresses_take_no_more_than_there_is(tmp_path: Path, figures: Callable[[str], None]) -> None:
    most_connections = {"max_grpc_connections": 4000, "max_connections_per_client": 4000}
    with running_edge(tmp_path, haproxy_memory_bytes=256 * 1024**2, **most_connections) as edge:
        before = edge.haproxy()
        most = max(flood(edge, addresses(59), 60) for _ in range(3))
        figures(f"HAProxy has {most} MB at most")
        assert most < 256
        until(lambda: edge.answers("/healthz") == 200, "it answers again", 10)
        assert edge.haproxy() == before, "it was not started anew, nor taken for one that hangs"


def test_whoever_comes_finds_a_place_among_idle_connections_of_many(
    edge: Edge, figures: Callable[[str], None]
) -> None:
    """Twelve addresses would have taken everything, each with its eighth."""
    asks = b"GET /healthz HTTP/1.1\r\nhost: a\r\n\r\n"
    with connections(edge.http_port, addresses(12), LIMITS.http.per_client, asks) as opened:
        assert len(opened) > LIMITS.http.most // 2
        waits: list[float] = []
        for _ in range(20):
            began = time.monotonic()
            assert edge.answers("/healthz") == 200
            waits.append(time.monotonic() - began)
    figures(f"the slowest of 20 newcomers waited {max(waits) * 1000:.0f} ms")


def test_whoever_comes_over_grpc_does_so_too(edge: Edge) -> None:
    """Sixty addresses that say nothing would have taken all places of the few that gRPC has."""
    with connections(edge.grpc_port, addresses(60), LIMITS.grpc.per_client) as opened:
        assert len(opened) > LIMITS.grpc.most // 2
        for _ in range(20):
            with socket.create_connection(("127.0.0.1", edge.grpc_port), AT_ONCE_S) as newcomer:
                newcomer.sendall(OPENED)
                assert newcomer.recv(9), "HAProxy's own settings"


def test_a_connection_with_nothing_to_do_is_closed(edge: Edge) -> None:
    with socket.create_connection(("127.0.0.1", edge.http_port)) as connection:
        connection.sendall(b"GET /healthz HTTP/1.1\r\nhost: a\r\n\r\n")
        connection.settimeout(IDLE_SECONDS + 5)
        began = time.monotonic()
        while connection.recv(4096):
            pass
    assert IDLE_SECONDS < time.monotonic() - began < IDLE_SECONDS + 4


def test_nobody_fills_the_disk_with_log_lines(edge: Edge) -> None:
    before = edge.messages.stat().st_size
    with grpc.insecure_channel(f"127.0.0.1:{edge.grpc_port}") as channel:
        for _ in range(50):
            with contextlib.suppress(grpc.RpcError):
                channel.unary_unary("/a.B/C")(b"", timeout=5)
    for _ in range(50):
        edge.answers("/nothing")
    assert edge.messages.stat().st_size - before < 1000


HEAD = b"POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\n"


def test_haproxy_outlives_its_manager_and_is_taken_over(tmp_path: Path) -> None:
    """By one that knows no replicas yet: not a request is lost."""
    with running_edge(tmp_path) as edge, connections(edge.http_port, ONE, 1) as slow:
        (manager,) = edge.managers()
        slow[0].send(HEAD + b"authorization: Bearer a\r\ncontent-length: 1\r\n\r\n")
        manager.kill()
        before = edge.supervisor()
        for _ in range(20):
            assert edge.answers("/healthz") == 200
        edge.start_manager(knows_replicas=False)
        until(lambda: has_answered(edge) and edge.supervisor() not in (0, before), "another has taken over")
        for _ in range(20):
            assert edge.answers("/healthz") == 200
        slow[0].send(b"x")
        slow[0].settimeout(5)
        assert slow[0].recv(4096).startswith(b"HTTP/1.1 200"), "what ran was finished"
        until(lambda: len(edge.haproxy()) == 1, "the one before has ended")


def test_a_haproxy_that_hangs_is_replaced_by_the_next_manager(tmp_path: Path) -> None:
    with running_edge(tmp_path) as edge:
        (hanging,) = edge.haproxy()
        hanging.suspend()
        (manager,) = edge.managers()
        manager.kill()
        edge.start_manager(knows_replicas=True)
        until(lambda: edge.answers("/healthz") == 200, "another has its ports", 30)
        until(lambda: not lives(hanging), "the one that hangs is ended", 30)


@pytest.mark.parametrize("replicas", [True, False], ids=["with replicas", "without"])
def test_haproxy_outlives_its_supervisor_and_is_taken_over(tmp_path: Path, replicas: bool) -> None:
    """By one that is told of replicas or not: not a request is lost, and nothing is left in the end."""
    patient = {"head_timeout_s": 60, "client_timeout_s": 60}  # the machine may be busy
    with running_edge(tmp_path, **patient) as edge, connections(edge.http_port, ONE, 1) as slow:
        (left,) = edge.haproxy()
        slow[0].send(HEAD + b"authorization: Bearer a\r\ncontent-length: 1\r\n\r\n")
        psutil.Process(edge.supervisor()).kill()
        until(lambda: edge.supervisor() == 0, "its supervisor is gone")
        for _ in range(20):
            assert edge.answers("/healthz") == 200
        edge.start_manager(knows_replicas=replicas)
        until(lambda: has_answered(edge) and edge.supervisor(), "another has taken over")
        for _ in range(20):
            assert edge.answers("/healthz") == 200
        slow[0].send(b"x")
        slow[0].settimeout(5)
        assert slow[0].recv(4096).startswith(b"HTTP/1.1 200"), "what ran was finished"
        until(lambda: not lives(left), "the one before has ended")


def test_a_supervisor_that_is_told_to_end_goes_on(tmp_path: Path) -> None:
    """As by systemd's defaults, or by whoever mistakes it for what is to be stopped."""
    with running_edge(tmp_path) as edge:
        before = edge.haproxy()
        supervisor = psutil.Process(edge.supervisor())
        for _ in range(5):
            supervisor.terminate()
            assert edge.answers("/healthz") == 200
        assert edge.haproxy() == before
        assert edge.supervisor() == supervisor.pid


def test_haproxy_outlives_a_supervisor_whose_end_nobody_has_asked_for(tmp_path: Path) -> None:
    with running_edge(tmp_path) as edge:
        (left,) = edge.haproxy()
        (manager,) = edge.managers()
        manager.suspend()
        psutil.Process(edge.supervisor()).kill()
        until(lambda: edge.supervisor() == 0, "its supervisor is gone")
        time.sleep(0.5)
        assert edge.answers("/healthz") == 200
        assert lives(left)


def test_a_haproxy_that_hangs_without_supervisor_is_replaced(tmp_path: Path) -> None:
    with running_edge(tmp_path) as edge:
        (hanging,) = edge.haproxy()
        supervisor = psutil.Process(edge.supervisor())
        supervisor.kill()
        # The kernel wakes what was stopped up when it loses its parent, with the last of its threads.
        until(lambda: hanging.ppid() != supervisor.pid, "its supervisor is gone")
        hanging.suspend()
        edge.start_manager(knows_replicas=True)
        until(lambda: edge.answers("/healthz") == 200, "another has its ports", 30)
        assert not lives(hanging)


def test_a_haproxy_that_hangs_is_replaced_within_seconds(tmp_path: Path) -> None:
    with running_edge(tmp_path) as edge:
        supervisor = edge.supervisor()
        (hanging,) = edge.haproxy()
        hanging.suspend()
        began = time.monotonic()
        until(lambda: not lives(hanging), "it is ended", 30)
        until(lambda: edge.answers("/healthz") == 200, "another one answers", 5)
        assert time.monotonic() - began < REPLACED_S
        assert edge.supervisor() == supervisor


def test_a_haproxy_that_is_busy_is_let_be(tmp_path: Path) -> None:
    """Held up twice for most of the time after which it would count as one that hangs."""
    with running_edge(tmp_path) as edge:
        (busy,) = edge.haproxy()
        for _ in range(2):
            busy.suspend()
            time.sleep(1.2)
            busy.resume()
            until(lambda: edge.answers("/healthz") == 200, "it answers")
        time.sleep(2.0)
        assert edge.haproxy() == [busy]


def has_answered(edge: Edge) -> bool:
    assert edge.answers("/healthz") == 200
    return True


@pytest.mark.parametrize("first", ["supervisor", "manager", "raylet"])
def test_a_killed_cluster_holds_no_port(tmp_path: Path, first: str) -> None:
    with running_edge(tmp_path) as edge:
        killed: list[psutil.Popen | psutil.Process] = [*edge.managers(), psutil.Process(edge.raylet.pid)]
        if first == "supervisor":
            psutil.Process(edge.supervisor()).kill()
        for process in reversed(killed) if first == "raylet" else killed:
            process.kill()
        until(lambda: not edge.haproxy(), "HAProxy has ended", 10)
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", edge.http_port))
