"""Which connections the HTTP client uses again, and what it never meets on them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence

import pytest

from deployments.lanes import roundtrip
from deployments.lanes.upstream import Upstream
from tests.contract.test_roundtrip import ANSWERS, HEAD, OK, ask, outcome
from tests.support.scripted_server import END, Pause, ScriptedServer, Step, scripted_server
from voyager_llm import errors
from voyager_llm.settings import Settings


@pytest.fixture
async def server() -> AsyncIterator[ScriptedServer]:
    async with scripted_server() as running:
        yield running


@pytest.fixture
async def upstream() -> AsyncIterator[Upstream]:
    running = Upstream(Settings())
    yield running
    await running.close()


@pytest.mark.parametrize("name", [name for name, (_, closes) in ANSWERS.items() if not closes])
async def test_a_whole_answer_leaves_its_connection_for_the_next(
    server: ScriptedServer, upstream: Upstream, name: str
) -> None:
    server.play([ANSWERS[name][0]], [OK])
    await ask(upstream, server.url)
    assert await ask(upstream, server.url) == (200, b"hello")
    assert server.requests == [2]


async def stream_until_done(upstream: Upstream, url: str) -> None:
    async with upstream.post(url, {}, b"{}", timeout_s=5.0) as reply:
        body = b""
        while b"[DONE]" not in body:
            body += await reply.piece()


DONE = b"e\r\ndata: [DONE]\n\n\r\n"


async def test_a_stream_that_ended_leaves_its_connection_although_its_last_chunk_comes_later(
    server: ScriptedServer, upstream: Upstream
) -> None:
    server.play([HEAD + DONE, Pause(0.1), b"0\r\n\r\n"], [OK])
    await stream_until_done(upstream, server.url)
    await asyncio.sleep(0.3)
    await ask(upstream, server.url)
    assert server.requests == [2]


async def test_a_stream_that_goes_on_behind_its_end_is_left(
    server: ScriptedServer, upstream: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(roundtrip, "_LINGER_S", 0.05)
    server.play([HEAD + DONE, Pause(0.5), b"0\r\n\r\n"], [OK])
    await stream_until_done(upstream, server.url)
    await asyncio.sleep(0.2)
    await ask(upstream, server.url)
    assert server.requests == [1, 1]


@pytest.mark.parametrize(
    "behind", [b"x", OK, b"\r\n", b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n"]
)
@pytest.mark.parametrize("later", [0.0, 0.05])
async def test_what_nobody_asked_for_is_the_answer_to_no_request(
    server: ScriptedServer, upstream: Upstream, behind: bytes, later: float
) -> None:
    wanted = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nwanted"
    script: Sequence[Step] = [OK, Pause(later), behind] if later else [OK + behind]
    server.play(script, [wanted])
    await outcome(ask(upstream, server.url))
    await asyncio.sleep(0.15)
    assert await ask(upstream, server.url) == (200, b"wanted")
    if later:
        assert server.requests == [1, 1]


async def test_the_sessions_of_other_clients_are_as_safe(server: ScriptedServer, upstream: Upstream) -> None:
    server.play([OK, Pause(0.05), OK], [b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nwanted"])
    for expected in (b"hello", b"wanted"):
        async with upstream.session().post(server.url, data=b"{}") as answer:
            assert await answer.read() == expected
        await asyncio.sleep(0.15)
    assert server.requests == [1, 1]


async def test_a_stale_connection_is_replaced_once(server: ScriptedServer, upstream: Upstream) -> None:
    server.play([OK], [END], [OK])
    await ask(upstream, server.url)
    assert await ask(upstream, server.url) == (200, b"hello")
    assert server.requests == [2, 1]


async def test_of_many_stale_connections_all_are_replaced(server: ScriptedServer, upstream: Upstream) -> None:
    """A server that closes behind its answers leaves as many as there were requests at a time."""
    server.play([Pause(0.1), OK])
    await asyncio.gather(*(ask(upstream, server.url) for _ in range(5)))
    server.scripts = [[END]] * 5 + [[OK]]
    assert await ask(upstream, server.url) == (200, b"hello")
    assert sorted(server.requests) == [1, 2, 2, 2, 2, 2]


async def test_a_request_is_repeated_once_at_most(server: ScriptedServer, upstream: Upstream) -> None:
    server.play([OK], [END], [END], [OK])
    await ask(upstream, server.url)
    with pytest.raises(errors.UpstreamUnavailable):
        await ask(upstream, server.url)
    assert server.requests == [2, 1]


async def test_a_new_connection_that_ends_is_no_stale_one(server: ScriptedServer, upstream: Upstream) -> None:
    server.play([END], [OK])
    with pytest.raises(errors.UpstreamUnavailable):
        await ask(upstream, server.url)
    assert server.requests == [1]


async def test_nothing_is_repeated_after_the_first_byte_of_an_answer(
    server: ScriptedServer, upstream: Upstream
) -> None:
    server.play([OK], [b"H", END], [OK])
    await ask(upstream, server.url)
    with pytest.raises(errors.VoyagerError):
        await ask(upstream, server.url)
    assert server.requests == [2]


async def test_nothing_is_repeated_that_the_server_had_time_to_do(
    server: ScriptedServer, upstream: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(roundtrip, "_STALE_S", 0.05)
    server.play([OK], [Pause(0.2), END], [OK])
    await ask(upstream, server.url)
    with pytest.raises(errors.UpstreamUnavailable):
        await ask(upstream, server.url)
    assert server.requests == [2]
