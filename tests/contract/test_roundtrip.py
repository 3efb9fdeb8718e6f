"""The HTTP client against servers that answer badly, late, too much or not at all."""

from __future__ import annotations

import asyncio
import gzip
import time
from collections.abc import AsyncIterator, Sequence
from itertools import pairwise
from typing import Any

import aiohttp
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from deployments.lanes.upstream import CLIENT_ERRORS, Upstream, client_fault
from tests.support.scripted_server import END, Pause, ScriptedServer, Step, scripted_server
from voyager_llm import errors
from voyager_llm.settings import Settings

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
LIMIT = 1024 * 1024


@pytest.fixture
async def server() -> AsyncIterator[ScriptedServer]:
    async with scripted_server() as running:
        yield running


@pytest.fixture
async def upstream() -> AsyncIterator[Upstream]:
    running = Upstream(Settings(max_answer_bytes=LIMIT, connect_timeout_s=1.0))
    yield running
    await running.close()


async def ask(upstream: Upstream, url: str, timeout_s: float = 5.0, idle_s: float = 0.0) -> tuple[int, bytes]:
    """Status and body. Raises errors of ours."""
    try:
        async with upstream.post(url, {"A": "b"}, b"{}", timeout_s=timeout_s, idle_s=idle_s) as reply:
            return reply.status, await upstream.read(reply)
    except CLIENT_ERRORS as error:
        raise client_fault(error, timeout_s) from error


# Answers, and whether the server closes behind.
ANSWERS: dict[str, tuple[bytes, bool]] = {
    "content-length": (OK, False),
    "no body": (b"HTTP/1.1 204 No Content\r\n\r\n", False),
    "until close": (b"HTTP/1.1 200 OK\r\n\r\nhello", True),
    "HTTP/1.0": (b"HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello", True),
    "connection: close": (b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello", True),
    "chunked": (HEAD + b"5\r\nhello\r\n1\r\n!\r\n0\r\n\r\n", False),
    "chunk extensions": (HEAD + b"5;a=b\r\nhello\r\n0;c\r\n\r\n", False),
    "trailers": (HEAD + b"5\r\nhello\r\n0\r\nX-End: 1\r\n\r\n", False),
    "100 before": (b"HTTP/1.1 100 Continue\r\n\r\n" + OK, False),
    "103 before": (b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + OK, False),
    "gzip": (
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n%b"
        % (len(gzip.compress(b"hello", mtime=0)), gzip.compress(b"hello", mtime=0)),
        False,
    ),
    "two lengths": (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!", True),
    "the same length twice": (
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nhello",
        True,
    ),
    "length and chunks": (
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        True,
    ),
    "negative length": (b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\nhello", True),
    "length with a sign": (b"HTTP/1.1 200 OK\r\nContent-Length: +5\r\n\r\nhello", True),
    "folded header": (b"HTTP/1.1 200 OK\r\nA: b\r\n c\r\nContent-Length: 5\r\n\r\nhello", True),
    "bare LF": (b"HTTP/1.1 200 OK\nContent-Length: 5\n\nhello", True),
    "space before colon": (b"HTTP/1.1 200 OK\r\nContent-Length : 5\r\n\r\nhello", True),
    "NUL in a header": (b"HTTP/1.1 200 OK\r\nA: \x00\r\nContent-Length: 5\r\n\r\nhello", True),
    "bad chunk size": (HEAD + b"zz\r\nhello\r\n0\r\n\r\n", True),
    "huge chunk size": (HEAD + b"ffffffffffffffffff\r\nhello\r\n", True),
    "chunk longer than said": (HEAD + b"3\r\nhello\r\n0\r\n\r\n", True),
    "early end": (b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhello", True),
    "early end of chunks": (HEAD + b"5\r\nhel", True),
    "end within the head": (b"HTTP/1.1 200 OK\r\nConte", True),
    "no HTTP": (b"SSH-2.0-OpenSSH_9.6\r\n", True),
    "HTTP/2": (b"HTTP/2 200\r\n\r\n", True),
    "no status": (b"HTTP/1.1 \r\n\r\n", True),
    "status of four digits": (b"HTTP/1.1 2000 OK\r\nContent-Length: 5\r\n\r\nhello", True),
    "nothing": (b"", True),
    "a huge head": (b"HTTP/1.1 200 OK\r\nA: " + b"x" * 70_000 + b"\r\n\r\n", True),
    "many headers": (b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 20_000 + b"\r\n", True),
}


async def theirs(url: str) -> tuple[int, bytes]:
    """What aiohttp's own session makes of an answer."""
    async with (
        aiohttp.ClientSession(skip_auto_headers=("User-Agent", "Accept-Encoding")) as session,
        session.post(url, data=b"{}", allow_redirects=False, timeout=aiohttp.ClientTimeout(5)) as answer,
    ):
        return answer.status, await answer.read()


@given(st.sampled_from(sorted(ANSWERS)), st.lists(st.integers(0, 400), max_size=4))
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_answers_are_read_as_aiohttps_session_reads_them(name: str, cuts: list[int]) -> None:
    """However they arrive in pieces; and what comes after them is never met by another request."""
    asyncio.run(_differ(name, cuts))


async def _differ(name: str, cuts: list[int]) -> None:
    answer, closes = ANSWERS[name]
    steps: list[Step] = [*_cut(answer, cuts), *([END] if closes else [])]
    upstream = Upstream(Settings(max_answer_bytes=LIMIT))
    async with scripted_server() as server:
        server.play(steps)
        expected = await outcome(theirs(server.url))
        server.play(steps, [OK])
        assert await outcome(ask(upstream, server.url)) == expected
        assert await ask(upstream, server.url) == (200, b"hello")
        await upstream.close()


async def outcome(asking: Any) -> Any:
    try:
        return await asking
    except (errors.VoyagerError, *CLIENT_ERRORS):
        return "failed"


def _cut(answer: bytes, cuts: list[int]) -> list[bytes]:
    places = [0, *sorted({cut for cut in cuts if 0 < cut < len(answer)}), len(answer)]
    return [answer[start:end] for start, end in pairwise(places)]


async def test_requests_wait_in_turn_for_a_connection_until_their_time_is_up(server: ScriptedServer) -> None:
    upstream = Upstream(Settings(connections_per_host=1))
    server.play([Pause(0.3), OK])
    order: list[int] = []

    async def numbered(number: int, timeout_s: float) -> None:
        await ask(upstream, server.url, timeout_s)
        order.append(number)

    waiting = [asyncio.create_task(numbered(n, 5.0)) for n in range(3)]
    await asyncio.sleep(0.05)
    with pytest.raises(errors.UpstreamTimeout):
        await ask(upstream, server.url, 0.1)
    await asyncio.gather(*waiting)
    assert order == [0, 1, 2]
    assert server.requests == [3]
    await upstream.close()


async def test_a_cancelled_request_closes_its_connection(server: ScriptedServer) -> None:
    upstream = Upstream(Settings(connections_per_host=1))
    server.play([Pause(5.0), OK], [OK])
    asking = asyncio.create_task(ask(upstream, server.url))
    await asyncio.sleep(0.1)
    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)
    assert await ask(upstream, server.url) == (200, b"hello")
    assert server.requests == [1, 1]
    await upstream.close()


@pytest.mark.parametrize(
    ("script", "total_s", "idle_s"),
    [
        ([Pause(5.0), OK], 0.2, 0.0),
        ([OK[:10], Pause(5.0)], 0.2, 0.0),
        ([OK[:-2], Pause(5.0)], 0.2, 0.0),
        ([Pause(5.0), OK], 5.0, 0.2),
        ([OK[:-2], Pause(5.0)], 5.0, 0.2),
        ([HEAD] + [b"1\r\nx\r\n", Pause(0.05)] * 40, 0.3, 0.2),
    ],
)
async def test_time_is_limited_in_all_and_in_pauses(
    server: ScriptedServer, upstream: Upstream, script: Sequence[Step], total_s: float, idle_s: float
) -> None:
    server.play(script, [OK])
    began = time.monotonic()
    with pytest.raises(errors.UpstreamTimeout):
        await ask(upstream, server.url, total_s, idle_s)
    assert time.monotonic() - began < 1.5
    assert await ask(upstream, server.url) == (200, b"hello")


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (2 * LIMIT) + b"x" * (2 * LIMIT),
        HEAD + b"".join(b"10000\r\n" + b"x" * 65536 + b"\r\n" for _ in range(32)) + b"0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n" + gzip.compress(b"x" * 64 * LIMIT),
    ],
    ids=["length", "chunks", "bomb"],
)
async def test_an_answer_over_the_limit_is_refused(
    server: ScriptedServer, upstream: Upstream, answer: bytes
) -> None:
    server.play([answer, END], [OK])
    with pytest.raises(errors.UpstreamInvalid, match="larger than"):
        await ask(upstream, server.url)
    assert await ask(upstream, server.url) == (200, b"hello")


async def test_a_stream_that_nobody_reads_is_not_sent_on(server: ScriptedServer, upstream: Upstream) -> None:
    piece = b"10000\r\n" + b"x" * 65536 + b"\r\n"
    server.play([HEAD] + [piece] * 1000)
    async with upstream.post(server.url, {}, b"{}", timeout_s=20.0) as reply:
        await reply.piece()
        sent = -1
        while sent != server.sent:
            sent = server.sent
            await asyncio.sleep(0.3)
        assert sent < 32 * 1024 * 1024, "sockets hold some, we hold little"
        read = 0
        while read < 60 * 1024 * 1024:
            read += len(await reply.piece())


@pytest.mark.parametrize("size", [100, 900_000])
async def test_a_body_that_nobody_reads_holds_nobody_up(
    server: ScriptedServer, upstream: Upstream, size: int
) -> None:
    server.play([b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size + b"x" * size], [OK])
    assert await upstream.reachable(server.url, {}, 5.0) == 200
    await asyncio.sleep(0.1)
    assert await ask(upstream, server.url, 1.0) == (200, b"hello")


async def test_a_pause_of_the_reader_is_not_the_servers(server: ScriptedServer, upstream: Upstream) -> None:
    server.play([HEAD] + [b"10000\r\n" + b"x" * 65536 + b"\r\n"] * 200 + [b"0\r\n\r\n"])
    async with upstream.post(server.url, {}, b"{}", timeout_s=20.0, idle_s=0.3) as reply:
        read = len(await reply.piece())
        await asyncio.sleep(1.0)
        while piece := await reply.piece():
            read += len(piece)
    assert read == 200 * 65536


async def test_another_protocol_is_refused(server: ScriptedServer, upstream: Upstream) -> None:
    server.play([b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\nhello"], [OK])
    with pytest.raises(errors.UpstreamInvalid):
        await ask(upstream, server.url)
    assert await ask(upstream, server.url) == (200, b"hello")


@pytest.mark.parametrize("value", ["a\r\nX: 1", "a\nX: 1", "a\rX: 1", "a\0"])
async def test_no_header_smuggles_another(server: ScriptedServer, upstream: Upstream, value: str) -> None:
    server.play([OK])
    with pytest.raises(ValueError, match="line break"):
        async with upstream.post(server.url, {"A": value}, b"", timeout_s=1.0):
            pass
    assert server.requests == []


@pytest.mark.parametrize("url", ["ftp://127.0.0.1/", "http://", "nothing", "http:///x", "http://h:99999/"])
async def test_what_is_no_address_is_told(upstream: Upstream, url: str) -> None:
    with pytest.raises(errors.UpstreamMisconfigured):
        await ask(upstream, url)


async def test_an_answer_before_all_of_the_request_was_taken(
    server: ScriptedServer, upstream: Upstream
) -> None:
    """Its connection still has the rest of the request to carry, and is left."""
    refusing = await asyncio.start_server(_refuses_at_once, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{refusing.sockets[0].getsockname()[1]}/"
    for _ in range(2):
        async with upstream.post(url, {}, b"x" * 64 * 1024 * 1024, timeout_s=5.0) as reply:
            assert reply.status == 413
    refusing.close()


async def _refuses_at_once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n")
    await asyncio.sleep(2)
    writer.close()
