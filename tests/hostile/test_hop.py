"""Who is no router and yet connects to a replica, and who listens in a replica's place."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
import uvloop

from deployments.hop import peers
from deployments.hop.caller import DirectCaller
from deployments.hop.frames import HEAD, Kind, frame
from deployments.hop.services import CallerService
from tests.support.calls import call
from tests.support.certificates import rays_tls
from tests.support.hop import (
    ELSEWHERE,
    OF,
    WITH_NODES,
    Flood,
    Held,
    Reached,
    Replica,
    ThroughServe,
)

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.fixture(scope="module")
def event_loop_policy() -> asyncio.AbstractEventLoopPolicy:
    """Replicas run on uvloop, whose transports differ from asyncio's."""
    return uvloop.EventLoopPolicy()


@pytest_asyncio.fixture(loop_scope="module")
async def replica() -> AsyncIterator[Replica]:
    replica = await Replica(CallerService(Held())).start()
    yield replica
    await replica.server.drain()


@pytest.mark.parametrize(
    "sent",
    [
        frame(Kind.CALL, 1, b"\0\0\0\0{}"),
        frame(Kind.PROOF, 0, b"p" * 32),
        frame(Kind.HELLO, 0, b"n" * 32) * 2,
        frame(Kind.HELLO, 0, b"n" * 32) + frame(Kind.PROOF, 0, b"p" * 32),
        frame(Kind.HELLO, 0, b"n" * 31),
        HEAD.pack(100_000, Kind.HELLO, 0),
        b"GET / HTTP/1.1\r\nhost: a\r\n\r\n",
    ],
)
async def test_a_stranger_is_answered_nothing_but_the_challenge(replica: Replica, sent: bytes) -> None:
    reader, writer = await asyncio.open_unix_connection(replica.metadata["hop"]["path"])
    writer.write(sent)
    answer = await asyncio.wait_for(reader.read(), 5)
    assert len(answer) in (0, HEAD.size + 64)
    assert bytes.fromhex(replica.metadata["hop"]["secret"]) not in answer
    assert replica.gate.ongoing == 0
    writer.close()


async def test_strangers_keep_no_router_out(replica: Replica) -> None:
    """Connections that say nothing: as many as there may be, and more."""
    path = replica.metadata["hop"]["path"]
    opened = [(await asyncio.open_unix_connection(path))[1] for _ in range(200)]
    reached = Reached()
    await reached.listed(replica)
    assert reached.connected == 1
    await reached.announced({})
    for writer in opened:
        writer.close()


async def test_the_socket_is_in_a_folder_of_its_users_own(replica: Replica) -> None:
    assert replica.is_there()
    assert replica.mode() == 0o700
    assert replica.metadata["hop"]["port"] == 0, "no port where there are no other nodes"


async def test_an_impostor_is_sent_no_call(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever listens at the address but does not know the secret."""
    monkeypatch.setattr(peers, "_FIRST_PAUSE_SECONDS", 0.001)
    impostor = await Replica(CallerService(Held())).start()
    other = await Replica(CallerService(Held())).start()
    reached, through_serve = Reached(), ThroughServe(Flood(1, 1))
    secret = other.metadata["hop"]["secret"]
    await reached.announced({"one": {"hop": {**impostor.metadata["hop"], "secret": secret}}})
    caller = DirectCaller(reached.peers, through_serve)
    for _ in range(20):
        await caller.call(call(OF))
        await asyncio.sleep(0.002)
    assert (through_serve.calls, reached.connected) == (20, 0)
    await reached.announced({})
    await impostor.server.drain()
    await other.server.drain()


async def test_where_ray_uses_tls_plain_connections_are_not_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in rays_tls(tmp_path).items():
        monkeypatch.setenv(name, value)
    replica = await Replica(CallerService(Flood(1, 1)), settings=WITH_NODES, node=ELSEWHERE).start()
    port = replica.metadata["hop"]["port"]
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(frame(Kind.HELLO, 0, b"n" * 32))
    answer = await asyncio.wait_for(reader.read(), 10)
    assert bytes([Kind.CHALLENGE]) + bytes(4) not in answer
    writer.close()
    await replica.server.drain()
