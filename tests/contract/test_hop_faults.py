"""What the direct path alone can meet: full, lost, silent and stopping replicas; readers that do not read."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest
import uvloop

from deployments.hop import channel, frames
from deployments.hop.caller import DirectCaller
from deployments.hop.frames import HEAD, WINDOW_BYTES, Kind, frame
from deployments.hop.handshake import ReplicaHandshake
from deployments.hop.services import CallerService
from tests.support.calls import call
from tests.support.hop import (
    ANSWER,
    OF,
    SETTINGS,
    Flood,
    Held,
    Reached,
    Replica,
    ThroughServe,
    direct,
    until,
)
from voyager_llm.domain.completion import Answer, Call, StreamEnd
from voyager_llm.errors import (
    CallerLost,
    VoyagerError,
)

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.fixture(scope="module")
def event_loop_policy() -> asyncio.AbstractEventLoopPolicy:
    """Replicas run on uvloop, whose transports differ from asyncio's."""
    return uvloop.EventLoopPolicy()


async def test_a_reader_that_never_reads_holds_one_window() -> None:
    """What is not read is not taken from the provider; other calls on the connection go on."""
    flood = Flood(10_000, 1024)
    async with direct(flood) as (caller, _, through_serve, _):
        stream = caller.stream(call(OF, stream=True))
        read = 0
        first = await anext(stream)
        assert isinstance(first, bytes)
        await until(lambda: flood.taken >= WINDOW_BYTES - 1024, "the window is full")
        for _ in range(50):
            await caller.call(call(OF))
        assert flood.taken <= WINDOW_BYTES + len(first)
        async for block in stream:
            read += len(block) if isinstance(block, bytes) else 0
        assert len(first) + read == 10_000 * 1024
        assert through_serve.calls == 0


async def test_a_stream_whose_blocks_are_larger_than_the_window_arrives() -> None:
    flood = Flood(5, 3 * WINDOW_BYTES)
    async with direct(flood) as (caller, *_):
        read = [len(b) async for b in caller.stream(call(OF, stream=True)) if isinstance(b, bytes)]
    assert sum(read) == 5 * 3 * WINDOW_BYTES


async def test_what_is_too_large_goes_over_the_handle() -> None:
    large = "x" * frames.frame_bytes(SETTINGS)
    async with direct(Flood(1, 1)) as (caller, _, through_serve, _):
        await caller.call(call(OF, text=large))
        await anext(caller.stream(call(OF, stream=True, text=large)))
        assert through_serve.calls == 2
        await caller.call(call(OF))
        assert through_serve.calls == 2


async def test_a_full_replica_sends_calls_to_the_next_and_then_to_the_handle() -> None:
    held = Held()
    replicas = [await Replica(CallerService(held), limit=2).start() for _ in range(2)]
    # Full for reasons that this router does not know of.
    for replica in replicas:
        replica.gate.limit = 1
    reached, through_serve = Reached(), ThroughServe(Flood(1, 1))
    await reached.listed(*replicas)
    caller = DirectCaller(reached.peers, through_serve)
    under_way = [asyncio.create_task(caller.call(call(OF))) for _ in range(2)]
    await until(lambda: [replica.gate.ongoing for replica in replicas] == [1, 1], "one has each")
    await caller.call(call(OF))
    assert [type(b) async for b in caller.stream(call(OF, stream=True))] == [bytes, StreamEnd]
    assert (held.calls, through_serve.calls) == (2, 2)
    held.go.set()
    assert await asyncio.gather(*under_way) == [ANSWER, ANSWER]
    await reached.announced({})
    for replica in replicas:
        await replica.server.drain()


async def test_calls_over_a_handle_and_direct_ones_share_the_limit() -> None:
    held = Held()
    async with direct(held, limit=2) as (caller, replica, through_serve, _):
        task = asyncio.create_task(caller.call(call(OF)))
        await until(lambda: replica.gate.ongoing == 1, "a direct call is under way")
        async with replica.gate.turn():
            waiting = asyncio.create_task(_turn(replica))
            await until(lambda: replica.gate.ongoing == 3, "another one waits for a place")
            assert not waiting.done()
            asyncio.get_running_loop().call_later(0, held.go.set)
            await caller.call(call(OF))
            assert through_serve.calls == 1, "the direct path is full"
            await task
            await waiting
        assert replica.gate.ongoing == 0


async def _turn(replica: Replica) -> None:
    async with replica.gate.turn():
        pass


async def test_a_replica_that_hangs_keeps_nobody_beyond_the_calls_time() -> None:
    held = Held()
    async with direct(held) as (caller, replica, _, _):
        with pytest.raises(CallerLost):
            await caller.call(replace(call(OF), timeout_s=0.1))
        await until(lambda: replica.gate.ongoing == 0, "the replica is told to stop")


async def test_one_who_gives_up_waiting_for_a_place_takes_none() -> None:
    replica = Replica(CallerService(Held()), limit=1)
    async with replica.gate.turn():
        given_up, waiting = (asyncio.create_task(_turn(replica)) for _ in range(2))
        await until(lambda: replica.gate.ongoing == 3, "both wait")
        given_up.cancel()
        await asyncio.wait([given_up])
        assert replica.gate.ongoing == 2
    await waiting
    assert replica.gate.ongoing == 0
    await replica.gate.idle()


async def test_calls_of_a_replica_that_dies_are_lost_at_once() -> None:
    held = Held()
    async with direct(held) as (caller, replica, through_serve, reached):
        task = asyncio.create_task(caller.call(call(OF)))
        stream = caller.stream(call(OF, stream=True))
        assert await anext(stream) == b"data: {}\n\n"
        await until(lambda: held.calls == 2, "both are under way")
        replica.break_off()
        with pytest.raises(CallerLost):
            await task
        end = await anext(stream)
        assert isinstance(end, StreamEnd)
        assert isinstance(end.error, CallerLost)
        await until(lambda: replica.gate.ongoing == 0, "they are cancelled at the replica")
        held.go.set()
        # It is listed still: connected again, after a pause.
        await until(lambda: reached.connected == 1, "it is connected again")
        await caller.call(call(OF))
        assert through_serve.calls == 0


async def test_without_a_replica_calls_go_over_the_handle() -> None:
    async with direct(Flood(1, 1)) as (caller, replica, through_serve, reached):
        await reached.announced({})
        await caller.call(call(OF))
        assert [type(b) async for b in caller.stream(call(OF, stream=True))] == [bytes, StreamEnd]
        other = {"hop": {**replica.metadata["hop"], "version": "another release's"}}
        await reached.announced({replica.name: other, "not one of ours": {}})
        await caller.call(call(OF))
        assert (through_serve.calls, reached.connected) == (3, 0)


async def test_a_replica_that_drains_finishes_and_is_sent_nothing_more() -> None:
    held = Held()
    async with direct(held) as (caller, replica, through_serve, _):
        tasks = [asyncio.create_task(caller.call(call(OF))) for _ in range(3)]
        await until(lambda: held.calls == 3, "they are under way")
        draining = asyncio.create_task(replica.server.drain())
        # Sent before the router has heard of it, too.
        late = [asyncio.create_task(caller.call(call(OF))) for _ in range(3)]
        await until(lambda: through_serve.calls == 3, "they go elsewhere")
        assert not draining.done()
        held.go.set()
        assert await asyncio.gather(*tasks, *late) == [ANSWER] * 6
        await draining
        assert held.calls == 6
        assert not replica.is_there()


async def test_a_replica_that_is_no_longer_listed_finishes_what_it_has() -> None:
    held = Held()
    async with direct(held) as (caller, replica, through_serve, reached):
        task = asyncio.create_task(caller.call(call(OF)))
        await until(lambda: held.calls == 1, "it is under way")
        await reached.announced({})
        late = asyncio.create_task(caller.call(call(OF)))
        await until(lambda: through_serve.calls == 1, "new ones go elsewhere")
        held.go.set()
        assert await asyncio.gather(task, late) == [ANSWER, ANSWER]
        await until(lambda: not replica.server.sessions, "the connection is closed")


async def test_a_replica_without_a_word_is_lost(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Half open: it takes what is sent, and never answers."""
    monkeypatch.setattr(channel, "PING_SECONDS", 0.02)
    secret = b"s" * 32

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        handshake = ReplicaHandshake(secret, b"")
        hello = (await reader.readexactly(HEAD.size + 32))[HEAD.size :]
        writer.write(frame(Kind.CHALLENGE, 0, handshake.challenge(hello)))
        handshake.check((await reader.readexactly(HEAD.size + 32))[HEAD.size :])
        writer.write(frame(Kind.READY, 0))
        await reader.read()
        writer.close()

    path = str(tmp_path / "s")
    server = await asyncio.start_unix_server(answer, path)
    replica = await Replica(CallerService(Held())).start()
    metadata = {"hop": {**replica.metadata["hop"], "path": path, "secret": secret.hex()}}
    reached = Reached()
    await reached.announced({"silent": metadata})
    await until(lambda: reached.connected == 1, "it is connected")
    with pytest.raises(CallerLost):
        await DirectCaller(reached.peers, ThroughServe(Held())).call(call(OF))
    await reached.announced({})
    await replica.server.drain()
    server.close()


async def test_a_connection_that_is_in_use_lives(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(channel, "PING_SECONDS", 0.005)
    held = Held()
    async with direct(held) as (caller, *_):
        task = asyncio.create_task(caller.call(call(OF)))
        # Many pings long.
        asyncio.get_running_loop().call_later(0.2, held.go.set)
        assert await task == ANSWER


async def test_a_fault_of_ours_is_an_error_and_not_a_hang() -> None:
    class Broken(Held):
        async def call(self, call: Call) -> Answer:
            if call.timeout_s == 1:
                raise asyncio.CancelledError
            raise ValueError("secret text")

    async with direct(Broken()) as (caller, replica, *_):
        for timeout_s, code in ((1, "cancelled"), (2, "internal")):
            with pytest.raises(VoyagerError) as raised:
                await caller.call(call(OF, timeout_s=timeout_s))
            assert raised.value.code == code
            assert "secret" not in str(raised.value)
        assert replica.gate.ongoing == 0
