"""Streams of every provider, however they are written and cut, are as OpenAI's own."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from scripts.fake_provider.untidy import UNTIDY
from tests.contract.differential.answers import ANSWERS, Given, sse
from tests.contract.differential.comparing import folded
from tests.contract.differential.families import FAMILIES
from tests.contract.differential.sides import Done, Family, Sides
from tests.support.recorder import Recorder, Reply

STREAMED = {name: given for name, given in ANSWERS.items() if given.events}
SSE = {name: given for name, given in STREAMED.items() if given.provider != "ollama_chat"}
PATHS = {family.provider: family for family in FAMILIES}


def family(given: Given) -> Family:
    of = PATHS[given.provider]
    return Family(given.provider, given.model or of.model, of.path)


async def streamed(sides: Sides, recorder: Recorder, given: Given, reply: Reply | None = None) -> list[Any]:
    recorder.reply = reply or given.reply(stream=True)
    done = await sides.ours(family(given), given.request(stream=True))
    assert done.refused == ""
    return done.answer


@pytest.mark.parametrize("name", STREAMED)
async def test_a_stream_is_made_as_openai_makes_one(sides: Sides, recorder: Recorder, name: str) -> None:
    chunks = await streamed(sides, recorder, STREAMED[name])
    *said, last = chunks
    assert len({(chunk["id"], chunk["model"], chunk["created"]) for chunk in chunks}) == 1
    assert chunks[0]["created"] > 1_600_000_000
    assert {chunk["object"] for chunk in chunks} == {"chat.completion.chunk"}
    assert said[0]["choices"][0]["delta"]["role"] == "assistant"
    assert [chunk for chunk in said[1:] if "role" in chunk["choices"][0]["delta"]] == []
    reasons = [chunk["choices"][0]["finish_reason"] for chunk in said]
    assert reasons[-1]
    assert set(reasons[:-1]) <= {None}
    assert last["choices"] == []
    assert last["usage"]["completion_tokens"] == 5


@pytest.mark.parametrize("name", STREAMED)
async def test_a_stream_that_comes_byte_by_byte_is_the_same(
    sides: Sides, recorder: Recorder, name: str
) -> None:
    at_once = folded(await streamed(sides, recorder, STREAMED[name]))
    recorder.is_slow = True
    assert _lasting(folded(await streamed(sides, recorder, STREAMED[name]))) == _lasting(at_once)


def _lasting(answer: dict[str, Any]) -> dict[str, Any]:
    for choice in answer["choices"]:
        for call in (choice.get("tool_calls") or {}).values():
            call.pop("id", None)  # made anew each time where the provider has none
    return answer


def _chunk(*choices: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": choices, **more
    }  # fmt: skip


HELLO = Given(
    "hosted_vllm",
    "text",
    {},
    (
        _chunk({"index": 0, "delta": {"role": "assistant", "content": "Hello 🙂"}, "finish_reason": None}),
        _chunk({"index": 0, "delta": {}, "finish_reason": "stop"}),
        _chunk(usage={"prompt_tokens": 12, "completion_tokens": 5, "total_tokens": 17}),
        b"[DONE]",
    ),
)


@pytest.mark.parametrize("slow", [False, True])
@pytest.mark.parametrize("form", UNTIDY)
@pytest.mark.parametrize("given", [HELLO, ANSWERS["anthropic: text"], ANSWERS["gemini: text"]],
                         ids=lambda given: given.provider)  # fmt: skip
async def test_a_stream_may_be_written_in_any_form(
    sides: Sides, recorder: Recorder, given: Given, form: str, slow: bool
) -> None:
    tidy = folded(await streamed(sides, recorder, given))
    recorder.is_slow = slow
    untidy = Reply(UNTIDY[form](sse(*given.events)), "text/event-stream")
    assert folded(await streamed(sides, recorder, given, untidy)) == tidy
    assert tidy["usage"]["completion_tokens"] == 5


@pytest.mark.parametrize("kind", ["", "application/json", "text/plain; charset=utf-8", "text/html"])
@pytest.mark.parametrize("before", [b"", b": hi\n\n", b"event: message\n", b"\n\n"])
@pytest.mark.parametrize("given", [HELLO, ANSWERS["anthropic: text"]], ids=lambda given: given.provider)
async def test_a_stream_is_known_by_how_it_begins(
    sides: Sides, recorder: Recorder, given: Given, before: bytes, kind: str
) -> None:
    for recorder.is_slow in (False, True):
        reply = Reply(before + sse(*given.events), kind)
        assert folded(await streamed(sides, recorder, given, reply))["choices"][0]["finish_reason"] == "stop"


@pytest.mark.parametrize(
    "body", [b'{"id": "x"}', b"<html>no</html>", b"", b"d", b'{"error": {"message": "x"}}']
)
async def test_what_is_no_stream_fails_before_it_begins(
    sides: Sides, recorder: Recorder, body: bytes
) -> None:
    recorder.reply = Reply(body, "text/plain")
    done = await sides.ours(family(HELLO), HELLO.request(stream=True))
    assert done.answer is None
    assert done.refused


@pytest.mark.parametrize("cut", [b'data: {"id": "c", "choi', b"data: ", b'data: {"id"'])
async def test_a_stream_that_is_cut_off_ends_with_an_error(
    sides: Sides, recorder: Recorder, cut: bytes
) -> None:
    recorder.reply = Reply(sse(HELLO.events[0]) + cut, "text/event-stream")
    done = await sides.ours(family(HELLO), HELLO.request(stream=True))
    assert folded(done.answer)["choices"][0]["content"] == "Hello 🙂"
    assert "closed the stream early" in done.refused


ODD = [
    b'{"choices":[{"index":0,"delta":{"content":"\\ud83d"},"finish_reason":null}]}',
    b'{"choices":[{"index":0,"delta":{"content":"\\ude42"},"finish_reason":null,"logprobs":{"content":[{"logprob":NaN}]}}]}',
    b'{"choices":[{"index":0,"delta":{"content":"!"},"logprobs":{"content":[{"logprob":-Infinity}]}}]}',
]


async def test_halves_of_characters_and_nan_pass(sides: Sides, recorder: Recorder) -> None:
    """Byte for byte: what they mean, the client's own parser says."""
    recorder.reply = Reply(sse(*ODD, *HELLO.events[1:]), "text/event-stream")
    frames, end = await sides.raw(family(HELLO), HELLO.request(stream=True))
    assert end.error is None
    assert [frame.removeprefix(b"data: ") for frame in b"".join(frames).split(b"\n\n")][:3] == ODD


async def test_halves_of_characters_pass_an_adapter(sides: Sides, recorder: Recorder) -> None:
    events = [orjson.dumps(event) for event in ANSWERS["anthropic: text"].events]
    halves = [event.replace(b'"Hello"', b'"\\ud83d"').replace(b'" there"', b'"\\ude42"') for event in events]
    recorder.reply = Reply(sse(*halves), "text/event-stream")
    frames, end = await sides.raw(
        family(ANSWERS["anthropic: text"]), ANSWERS["anthropic: text"].request(stream=True)
    )
    assert end.error is None
    assert b"\\ud83d" in b"".join(frames)
    assert b"\\ude42" in b"".join(frames)


async def test_a_thoughts_signature_comes_through(sides: Sides, recorder: Recorder) -> None:
    chunks = await streamed(sides, recorder, ANSWERS["anthropic: thinking"])
    signed = [
        block
        for chunk in chunks
        for choice in chunk["choices"]
        for block in choice["delta"].get("thinking_blocks") or ()
        if block.get("signature")
    ]
    assert [block["signature"] for block in signed] == ["c2ln"]


@pytest.mark.parametrize("stream", [False, True])
async def test_an_answer_in_a_schema_is_content(sides: Sides, recorder: Recorder, stream: bool) -> None:
    """Of a model that has no schemas, and is made to call a tool with one."""
    given = ANSWERS["anthropic: schema by tool"]
    recorder.reply = given.reply(stream)
    done: Done = await sides.ours(family(given), given.request(stream))
    assert done.sent is not None
    assert "json_mode" not in done.sent.body
    choice = folded(done.answer)["choices"][0] if stream else done.answer["choices"][0]
    said = choice if stream else choice["message"]
    assert orjson.loads(said["content"]) == {"a": 1}
    assert choice["finish_reason"] == "stop"
    assert not said.get("tool_calls")


_OF_USAGE = {"usage", "usageMetadata", "prompt_eval_count", "eval_count"}


@pytest.mark.parametrize("name", [name for name in ANSWERS if name.endswith(": text")])
async def test_an_answer_without_usage_is_served_without(sides: Sides, recorder: Recorder, name: str) -> None:
    """So that it can be estimated: zero is not what was used."""
    given = ANSWERS[name]
    recorder.reply = Reply(orjson.dumps({k: v for k, v in given.whole.items() if k not in _OF_USAGE}))
    done = await sides.ours(family(given), given.request(stream=False))
    assert done.answer["choices"][0]["message"]["content"] == "Hello there"
    assert "usage" not in done.answer


async def test_an_answer_of_coheres_that_failed_ends_with_an_error(sides: Sides, recorder: Recorder) -> None:
    given = ANSWERS["cohere: text"]
    *said, ended = given.events
    failed = {**ended, "delta": {**ended["delta"], "finish_reason": "ERROR"}}
    recorder.reply = Reply(sse(*said, failed), "text/event-stream")
    done = await sides.ours(family(given), given.request(stream=True))
    assert folded(done.answer)["choices"][0]["content"] == "Hello there"
    assert "broke off" in done.refused
