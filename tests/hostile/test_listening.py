"""Every listening socket of a run, seen from another machine: only what was asked for can be reached."""

from __future__ import annotations

import ipaddress
import itertools
import json
import secrets
import socket
import subprocess
import sys
import time
import warnings
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import grpc
import psutil
import pytest

from tests.hostile.http2 import CALL, OPENED, frame
from tests.hostile.stranger import HOST, HOST6, ROOT, Address, Stranger
from tests.support.running import RunningService

_OBEYS_NOT = {
    grpc.StatusCode.UNAUTHENTICATED,
    # It has no such method, or speaks no gRPC.
    grpc.StatusCode.UNIMPLEMENTED,
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.DEADLINE_EXCEEDED,
}
KEY = secrets.token_hex(16)


@pytest.fixture(scope="session")
def stranger() -> Iterator[Stranger | None]:
    try:
        found = Stranger()
    except (PermissionError, subprocess.CalledProcessError) as error:
        warnings.warn(
            f"NO LOOK FROM OUTSIDE: {error}. What listens is read from /proc alone; run the tests as root.",
            stacklevel=1,
        )
        yield None
        return
    yield found
    found.leave()


@pytest.fixture(scope="session", params=["0.0.0.0", "::1"])
def elsewhere(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningService]:
    """At another address than the default; with a key, without which it would refuse to start."""
    folder = tmp_path_factory.mktemp("elsewhere")
    key = folder / "secrets" / "clients" / "key"
    key.parent.mkdir(parents=True)
    key.write_text(KEY)
    reference = json.dumps({"name": "clients", "key": "key"})
    service = RunningService(folder, topology="fused", host=request.param, api_key=reference)
    yield service
    service.stop()


def listening(running: RunningService) -> set[Address]:
    """TCP sockets that listen and UDP sockets that take datagrams, of every process of the run."""
    found: set[Address] = set()
    for connection in sockets(running, "inet"):
        datagrams = connection.type == socket.SOCK_DGRAM and not connection.raddr
        if connection.status == psutil.CONN_LISTEN or datagrams:
            found.add((connection.laddr.ip, connection.laddr.port))
    return found


def sockets(running: RunningService, kind: str) -> list[Any]:
    found: list[Any] = []
    for process in processes(running):
        with suppress(psutil.NoSuchProcess):  # it has ended meanwhile
            found += process.net_connections(kind=kind)
    return found


def processes(running: RunningService) -> set[psutil.Process]:
    """By the mark of the run and by descent: neither alone is sure to find all."""
    found = set(running.processes())
    for process in tuple(found):
        with suppress(psutil.NoSuchProcess):
            found.update(process.children(recursive=True))
    return found


def is_loopback(host: str) -> bool:
    address = ipaddress.ip_address(host)
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped or address).is_loopback


def own_addresses() -> list[str]:
    """Every address of this machine that a packet from outside can carry, loopback's too."""
    families = (socket.AF_INET, socket.AF_INET6)
    entries = [entry for entries in psutil.net_if_addrs().values() for entry in entries]
    return sorted(
        {e.address for e in entries if e.family in families and "%" not in e.address} | {HOST, HOST6}
    )


def reached(stranger: Stranger, running: RunningService) -> set[int]:
    ports = {port for _, port in listening(running)}
    everywhere = [(host, port) for host in own_addresses() for port in sorted(ports)]
    return {port for _, port in stranger.reaches(everywhere)}


def test_by_default_every_socket_is_on_loopback(running: RunningService) -> None:
    found = listening(running)
    assert {("127.0.0.1", running.http_port), ("127.0.0.1", running.grpc_port)} <= found
    assert len(found) > 20, "Ray alone has that many"
    assert [address for address in found if not is_loopback(address[0])] == []


def test_a_stranger_reaches_no_socket(running: RunningService, stranger: Stranger | None) -> None:
    if stranger is None:
        return
    with socket.create_server(("0.0.0.0", 0)) as control:
        port = control.getsockname()[1]
        assert stranger.reaches([(HOST, port)]) == {(HOST, port)}, "the stranger sees nothing at all"
    assert reached(stranger, running) == set()


def test_no_socket_file_can_be_written_by_others(running: RunningService) -> None:
    """Ray's object store and HAProxy's administration are files; who may write to one may give orders."""
    paths = {
        Path(connection.laddr.removesuffix(".new"))
        for connection in sockets(running, "unix")
        if isinstance(connection.laddr, str) and connection.laddr.startswith("/")
    }
    there = [path for path in paths if path.is_socket()]
    assert len(there) >= 3, paths
    for path in there:
        closed = any(not parent.stat().st_mode & 0o011 for parent in path.parents)
        assert closed or not path.stat().st_mode & 0o022, path


def test_rays_own_ports_obey_nobody_without_the_token(running: RunningService) -> None:
    """Also the port through which deployments call each other, which reads pickles: those on this machine
    can reach them."""
    asked = [
        "/ray.rpc.ActorInfoGcsService/GetAllActorInfo",
        "/ray.rpc.NodeManagerService/GetNodeStats",
        "/ray.rpc.CoreWorkerService/Exit",
        "/ray.serve.ASGIService/HandleRequest",
        "/ray.serve.ASGIService/HandleRequestWithRejection",
    ]
    # HAProxy answers with what HTTP calls an error: its own ports have tests of their own.
    haproxy = running.processes(name="haproxy")
    front = {c.laddr.port for process in haproxy for c in process.net_connections(kind="tcp")}
    ports = sorted({port for _, port in listening(running)} - front)
    with ThreadPoolExecutor(len(ports)) as pool:
        by_port = list(pool.map(asked_without_token, ports, itertools.repeat(asked)))
    for method, *codes in zip(asked, *by_port, strict=True):
        assert grpc.StatusCode.UNAUTHENTICATED in codes, method
        assert set(codes) <= _OBEYS_NOT, (method, set(codes) - _OBEYS_NOT)


def asked_without_token(port: int, methods: Sequence[str]) -> list[grpc.StatusCode]:
    """How a port answers each method."""
    found: list[grpc.StatusCode] = []
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        for method in methods:
            with pytest.raises(grpc.RpcError) as refusal:
                channel.unary_unary(method)(b"", timeout=2)
            found.append(refusal.value.code())
    return found


def test_where_it_was_asked_to_listen_it_does_and_nowhere_else(
    elsewhere: RunningService, stranger: Stranger | None
) -> None:
    front = {elsewhere.http_port, elsewhere.grpc_port}
    outside = {address for address in listening(elsewhere) if not is_loopback(address[0])}
    assert elsewhere.http.get("/readyz").status_code == 200
    if elsewhere.url.startswith("http://[::1]"):
        assert {("::1", port) for port in front} <= listening(elsewhere)
        assert outside == set()
    else:
        assert {port for _, port in outside} == front
    if stranger is not None:
        assert reached(stranger, elsewhere) == (front if outside else set())


def test_whoever_reaches_it_needs_the_key(elsewhere: RunningService, stranger: Stranger | None) -> None:
    host = "[::1]" if "[::1]" in elsewhere.url else HOST if stranger else "127.0.0.1"
    prefix = stranger.inside() if stranger and host == HOST else []
    address = f"{host}:{elsewhere.grpc_port}", f"{host}:{elsewhere.http_port}"
    for key, wanted in (("", "refused"), (KEY, "admitted")):
        command = [*prefix, sys.executable, "-m", "tests.hostile.caller", *address, key]
        said = subprocess.run(command, cwd=ROOT, text=True, check=True, stdout=subprocess.PIPE, timeout=60)
        outcomes = json.loads(said.stdout)
        assert set(outcomes.values()) == {wanted}, outcomes
        assert len(outcomes) == 6


@pytest.mark.parametrize("wire", ["HTTP", "gRPC"])
def test_a_strangers_body_is_not_waited_for(elsewhere: RunningService, wire: str) -> None:
    """More of it than HAProxy keeps, and not the end: refused at once, so strangers hold no place."""
    host = "::1" if "[::1]" in elsewhere.url else "127.0.0.1"
    if wire == "HTTP":
        port, refused = elsewhere.http_port, b"HTTP/1.1 401"
        sends = (
            b"POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\ncontent-length: 100000\r\n\r\n" + b" " * 50_000
        )
    else:
        port, refused = elsewhere.grpc_port, b"unauthenticated"
        data = b"\0\0\1\0\0" + b"a" * 16_000
        sends = OPENED + frame(1, 4, 1, CALL) + frame(0, 0, 1, data) + frame(0, 0, 1, b"a" * 16_000)
    with socket.create_connection((host, port), 2) as connection:
        started = time.monotonic()
        connection.sendall(sends)
        answer = b""
        while refused not in answer.lower() and refused not in answer:
            piece = connection.recv(65536)
            assert piece, answer
            answer += piece
    assert time.monotonic() - started < 1
