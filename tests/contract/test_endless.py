"""Providers that send without end, and never what was asked: they are left soon, and keep nobody waiting."""

from __future__ import annotations

import gzip
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from deployments.lanes.caller import ProviderCaller
from tests.support.calls import call, collected, model
from tests.support.scripted_server import ScriptedServer, Step, scripted_server
from voyager_llm import errors
from voyager_llm.settings import Settings
from voyager_llm.snapshot import CompiledModel

# What is sent in all unless the connection is closed before.
_PIECES = 400
_MOST_TAKEN = 8 * 1024 * 1024
_STREAM = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
_BLANK = b"\n" * 65_536
INTERIM: dict[str, bytes] = {
    "100": b"HTTP/1.1 100 Continue\r\n\r\n" * 4000,
    "103": b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" * 4000,
}


@pytest.fixture
async def server() -> AsyncIterator[ScriptedServer]:
    async with scripted_server() as running:
        yield running


@pytest.fixture
async def caller(tmp_path: Path) -> AsyncIterator[ProviderCaller]:
    running = ProviderCaller(Settings(secrets_dir=tmp_path))
    yield running
    await running.close()


def at(server: ScriptedServer) -> CompiledModel:
    return model("endless", "custom", "m", server.url + "v1")


@pytest.mark.parametrize("name", INTERIM)
async def test_an_answer_that_never_comes_to_itself(
    server: ScriptedServer, caller: ProviderCaller, name: str
) -> None:
    server.play([INTERIM[name]] * _PIECES)
    of = at(server)
    for ask in (
        lambda: caller.call(call(of)),
        lambda: collected(caller.stream(call(of, stream=True))),
        lambda: caller.probe(of.endpoints[0]),
    ):
        with pytest.raises(errors.UpstreamInvalid):
            await ask()
        assert server.sent < _MOST_TAKEN


async def test_some_interim_answers_are_heard_out(server: ScriptedServer, caller: ProviderCaller) -> None:
    interim = b"HTTP/1.1 102 Processing\r\n\r\n"
    body = b'{"choices": [{"index": 0, "message": {"role": "assistant", "content": "hi"}}]}'
    server.play([interim, interim, b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body])
    for _ in range(3):
        assert b"hi" in (await caller.call(call(at(server)))).body


BLANKS: dict[str, list[Step]] = {
    "as they are": [_STREAM + b"\r\n", *[_BLANK] * _PIECES],
    "compressed": [_STREAM + b"Content-Encoding: gzip\r\n\r\n", gzip.compress(_BLANK * _PIECES)],
}


@pytest.mark.parametrize("name", BLANKS)
async def test_a_stream_that_begins_with_blanks_alone(
    server: ScriptedServer, caller: ProviderCaller, name: str
) -> None:
    server.play(BLANKS[name])
    with pytest.raises(errors.UpstreamInvalid, match="blanks"):
        await collected(caller.stream(call(at(server), stream=True)))
    assert server.sent < _MOST_TAKEN


async def test_blanks_before_a_stream_are_skipped(server: ScriptedServer, caller: ProviderCaller) -> None:
    chunk = b'data: {"choices": [{"index": 0, "delta": {"content": "hi"}, "finish_reason": "stop"}]}\n\n'
    blanks = (b"\xef\xbb\xbf", b"\n" * 5000, b" \r\n")
    server.play([_STREAM + b"\r\n", *blanks, chunk[:2], chunk[2:], b"data: [DONE]\n\n", None])
    chunks, end = await collected(caller.stream(call(at(server), stream=True)))
    assert [choice["delta"]["content"] for piece in chunks for choice in piece["choices"]] == ["hi"]
    assert end.error is None
