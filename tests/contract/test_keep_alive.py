"""Who waits for a stream hears from us: before it begins and within it, and loses no fallback by it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, MutableMapping
from pathlib import Path
from typing import Any

import openai
import orjson
import pytest

from deployments.ingress.events import COMMENT, EventStream
from scripts.fake_provider.running import FakeProvider
from tests.support.service import LocalService, start

EVERY_S = 0.1
CHAT: dict[str, Any] = {"messages": [{"role": "user", "content": "hello"}], "stream": True}


@pytest.fixture
async def patient(tmp_path: Path) -> AsyncIterator[LocalService]:
    """Which says that it is there ten times a second."""
    service = await start(tmp_path, keep_alive_s=EVERY_S)
    yield service
    await service.close()


async def messages_of(service: LocalService, model: str) -> list[MutableMapping[str, Any]]:
    """What a server is told to send."""
    body = json.dumps({"model": model, **CHAT}).encode()
    sent: list[MutableMapping[str, Any]] = []
    asked = iter([{"type": "http.request", "body": body}])

    async def receive() -> MutableMapping[str, Any]:
        if (message := next(asked, None)) is not None:
            return message
        await asyncio.Event().wait()
        raise AssertionError

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "POST", "path": "/v1/chat/completions", "query_string": b"",
             "headers": [(b"content-length", str(len(body)).encode())]}  # fmt: skip
    await service.ingress(scope, receive, send)
    assert sent[-1] == {"type": "http.response.body", "body": b""}
    assert [message["type"] for message in sent].count("http.response.start") == 1
    return sent


def bodies(messages: list[MutableMapping[str, Any]]) -> list[bytes]:
    return [message["body"] for message in messages[1:-1]]


async def test_the_head_and_comments_go_out_while_the_stream_is_waited_for(
    patient: LocalService, provider: FakeProvider
) -> None:
    await patient.model("thinks", provider.profile("thinks", latency_s=5 * EVERY_S))
    sent = await messages_of(patient, "thinks")
    assert sent[0]["status"] == 200
    assert b"x-request-id" in dict(sent[0]["headers"])
    blocks = bodies(sent)
    comments = blocks.index(next(block for block in blocks if block.startswith(b"data:")))
    assert 2 <= comments <= 5
    assert blocks[:comments] == [COMMENT] * comments
    assert blocks[-1] == b"data: [DONE]\n\n"


async def test_comments_go_out_between_two_blocks(patient: LocalService, provider: FakeProvider) -> None:
    await patient.model("halts", provider.profile("halts", tokens=2, token_delay_s=3 * EVERY_S))
    sent = await messages_of(patient, "halts")
    assert (b"x-voyager-model", b"halts") in sent[0]["headers"]
    blocks = bodies(sent)
    first = next(n for n, block in enumerate(blocks) if block.startswith(b"data:"))
    assert COMMENT in blocks[first:]
    assert blocks[-1] == b"data: [DONE]\n\n"


async def test_whoever_answers_at_once_sends_no_comment(
    patient: LocalService, provider: FakeProvider
) -> None:
    await patient.model("quick", provider.profile("quick"))
    assert COMMENT not in bodies(await messages_of(patient, "quick"))


async def test_the_fallback_still_answers(patient: LocalService, provider: FakeProvider) -> None:
    await patient.model("fails", provider.profile("fails-late", status=503, latency_s=3 * EVERY_S))
    await patient.model("good", provider.profile("keeps-alive-good"))
    await patient.route("r", "fails", fallbacks=["good"])
    blocks = bodies(await messages_of(patient, "r"))
    assert blocks[0] == COMMENT
    assert blocks[-1] == b"data: [DONE]\n\n"
    assert not any(b'"error"' in block for block in blocks)


async def test_who_fails_after_the_head_says_so_in_the_stream(
    patient: LocalService, provider: FakeProvider
) -> None:
    await patient.model("fails", provider.profile("fails-late-too", status=400, latency_s=3 * EVERY_S))
    sent = await messages_of(patient, "fails")
    assert sent[0]["status"] == 200
    *comments, last = bodies(sent)
    assert set(comments) == {COMMENT}
    error = orjson.loads(last.removeprefix(b"data: "))["error"]
    assert error["type"] == "invalid_request_error"
    assert error["attempts"]


async def test_who_fails_before_it_has_a_status_of_its_own(
    patient: LocalService, provider: FakeProvider
) -> None:
    await patient.model("fails", provider.profile("fails-at-once", status=400))
    answer = await patient.http.post("/v1/chat/completions", json={"model": "fails", **CHAT})
    assert answer.status_code == 400


async def test_openais_client_sees_no_comment_and_the_error(
    patient: LocalService, provider: FakeProvider
) -> None:
    await patient.model("thinks", provider.profile("thinks-for-sdk", latency_s=3 * EVERY_S))
    await patient.model("fails", provider.profile("fails-for-sdk", latency_s=3 * EVERY_S, status=400))
    messages: list[Any] = CHAT["messages"]
    async with openai.AsyncOpenAI(
        api_key="-", base_url="http://service", http_client=patient.http, max_retries=0
    ) as client:
        stream = await client.chat.completions.create(model="thinks", messages=messages, stream=True)
        said = [chunk.choices[0].delta.content async for chunk in stream if chunk.choices]
        assert "".join(filter(None, said))
        failing = await client.chat.completions.create(model="fails", messages=messages, stream=True)
        with pytest.raises(openai.APIError):
            _ = [chunk async for chunk in failing]


async def test_none_is_sent_where_nobody_wants_them(tmp_path: Path, provider: FakeProvider) -> None:
    service = await start(tmp_path, keep_alive_s=0)
    await service.model("thinks", provider.profile("thinks-alone", latency_s=0.3))
    assert COMMENT not in bodies(await messages_of(service, "thinks"))
    await service.close()


async def test_a_client_that_takes_slowly_gets_whole_messages_in_their_order() -> None:
    """Comments fall due while others are being sent."""
    sent: list[Any] = []
    sending = 0

    async def send(message: MutableMapping[str, Any]) -> None:
        nonlocal sending
        sending += 1
        await asyncio.sleep(0.03)
        sent.append(message.get("body", message.get("status")))
        sending -= 1

    async with EventStream(send, [], 0.01) as events:
        await events.begin([])
        for number in range(10):
            await events.send(b"%d" % number)
        await events.end()
    await asyncio.sleep(0.1)
    assert sent[0] == 200
    assert sent[-1] == b"", "nothing comes after the end"
    assert [body for body in sent[1:-1] if body != COMMENT] == [b"%d" % number for number in range(10)]
    assert COMMENT in sent


async def test_nothing_overtakes_a_head_that_is_on_its_way() -> None:
    """The stream begins while the comment, and the head before it, are being sent."""
    sent: list[Any] = []
    under_way = asyncio.Event()

    async def send(message: MutableMapping[str, Any]) -> None:
        under_way.set()
        await asyncio.sleep(0.1 if "status" in message else 0)
        sent.append(message.get("body", message.get("status")))

    async with EventStream(send, [], 0.01) as events:
        await under_way.wait()
        await events.begin([])
        await events.send(b"first")
        await events.end()
    assert [body for body in sent if body != COMMENT] == [200, b"first", b""]
