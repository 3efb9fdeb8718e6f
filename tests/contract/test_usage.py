"""What an answer used is the same over every lane, whole and streamed; and an answer that says nothing of it
is served, and estimated."""

from __future__ import annotations

import struct
import zlib
from collections.abc import AsyncIterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import orjson
import pytest

from deployments.lanes.caller import ProviderCaller
from scripts.fake_provider.running import FakeProvider
from tests.support.calls import call, collected, model, streamed_text
from tests.support.scripted_server import scripted_server
from tests.support.service import LocalService
from voyager_llm.domain.completion import StreamEnd
from voyager_llm.domain.price import cost_of
from voyager_llm.domain.providers import Lane
from voyager_llm.domain.usage import Usage
from voyager_llm.settings import Settings
from voyager_llm.snapshot import CompiledModel

_AUTH = {"type": "bearer_token", "secret_ref": {"name": "provider-key", "key": "api_key"}}


@pytest.fixture
async def caller(tmp_path: Path) -> AsyncIterator[ProviderCaller]:
    key = tmp_path / "provider-key" / "api_key"
    key.parent.mkdir()
    key.write_text("canary-secret-1")
    running = ProviderCaller(Settings(secrets_dir=tmp_path))
    yield running
    await running.close()


def sse(*events: dict[str, Any]) -> str:
    return "".join(f"data: {orjson.dumps(event).decode()}\n\n" for event in events)


def openai(usage: dict[str, Any] | None) -> dict[str, Any]:
    choice = {"index": 0, "message": {"role": "assistant", "content": "Hello"}, "finish_reason": "stop"}
    document = {"id": "1", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice]}
    return document if usage is None else {**document, "usage": usage}


def openai_events(usage: dict[str, Any] | None) -> str:
    chunk: dict[str, Any] = {"id": "1", "object": "chat.completion.chunk", "created": 1, "model": "m"}
    said = [
        {**chunk, "choices": [{"index": 0, "delta": {"role": "assistant", "content": "Hello"}}]},
        {**chunk, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]},
    ]
    end = [] if usage is None else [{**chunk, "choices": [], "usage": usage}]
    return (
        "".join(f"data: {orjson.dumps(event).decode()}\n\n" for event in [*said, *end]) + "data: [DONE]\n\n"
    )


def anthropic(usage: object) -> dict[str, Any]:
    document = {
        "id": "msg_1", "type": "message", "role": "assistant", "model": "m", "stop_reason": "end_turn",
        "content": [{"type": "text", "text": "Hello"}], "stop_sequence": None,
    }  # fmt: skip
    return document if usage is None else {**document, "usage": usage}


def anthropic_events(usage: dict[str, Any] | None) -> str:
    """Tokens of the input stand in the first event, those of the output in the last."""
    start = anthropic(None if usage is None else {**usage, "output_tokens": 1}) | {"content": []}
    end: dict[str, Any] = {"type": "message_delta", "delta": {"stop_reason": "end_turn"}}
    if usage is not None:
        end["usage"] = {"output_tokens": usage["output_tokens"]}
    return sse(
        {"type": "message_start", "message": start},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hello"}},
        {"type": "content_block_stop", "index": 0},
        end,
        {"type": "message_stop"},
    )


def gemini(usage: dict[str, Any] | None) -> dict[str, Any]:
    candidate = {"content": {"role": "model", "parts": [{"text": "Hello"}]}, "finishReason": "STOP"}
    document: dict[str, Any] = {"candidates": [candidate], "modelVersion": "m"}
    return document if usage is None else {**document, "usageMetadata": usage}


def gemini_events(usage: dict[str, Any] | None) -> str:
    return sse(gemini(usage))


def ollama(usage: dict[str, Any] | None) -> dict[str, Any]:
    message = {"role": "assistant", "content": "Hello"}
    return {"model": "m", "created_at": "2024-01-01T00:00:00Z", "message": message, "done": True,
            "done_reason": "stop", **(usage or {})}  # fmt: skip


def ollama_events(usage: dict[str, Any] | None) -> str:
    said = {**ollama(None), "done": False}
    end = {**ollama(usage), "message": {"role": "assistant", "content": ""}}
    return "".join(orjson.dumps(event).decode() + "\n" for event in (said, end))


def cohere(usage: dict[str, Any] | None) -> dict[str, Any]:
    message = {"role": "assistant", "content": [{"type": "text", "text": "Hello"}]}
    document = {"id": "1", "finish_reason": "COMPLETE", "message": message}
    return document if usage is None else {**document, "usage": usage}


CACHED = {
    "input_tokens": 10, "output_tokens": 100, "cache_read_input_tokens": 60_000,
    "cache_creation_input_tokens": 5000, "cache_creation": {"ephemeral_1h_input_tokens": 5000},
}  # fmt: skip
THOUGHT = {
    "promptTokenCount": 200_001, "candidatesTokenCount": 10, "thoughtsTokenCount": 90,
    "totalTokenCount": 200_101,
}  # fmt: skip
BESIDE = {
    "prompt_tokens": 32, "completion_tokens": 9, "total_tokens": 241,
    "completion_tokens_details": {"reasoning_tokens": 200},
}  # fmt: skip
XAI = {"cost": {"input_token_cost": 3e-06, "output_token_cost": 15e-06}}

# Provider, model, path below a profile, whole, streamed, type of a stream, fields of the model.
Speaker = tuple[str, str, str, Any, Any, str, dict[str, Any]]
SPEAKERS: dict[str, Speaker] = {
    "wire": ("xai", "grok-4", "/v1", openai, openai_events, "text/event-stream", XAI),
    "anthropic": (
        "anthropic", "claude-sonnet-4-5", "/v1/messages", anthropic, anthropic_events,
        "text/event-stream", {},
    ),
    "gemini": ("google", "gemini-2.5-pro", "/v1beta", gemini, gemini_events, "text/event-stream", {}),
    "ollama": ("ollama", "llama3.1", "/api/chat", ollama, ollama_events, "application/x-ndjson", {}),
    "full": ("xai", "grok-4", "/v1", openai, openai_events, "text/event-stream", XAI),
}  # fmt: skip
REPORTED: list[tuple[str, dict[str, Any], Usage, str]] = [
    ("wire", BESIDE, Usage(32, 209, 0, 200), "0.003231"),
    ("full", BESIDE, Usage(32, 209, 0, 200), "0.003231"),
    ("anthropic", CACHED, Usage(65_010, 100, 60_000, 0, 5000, 5000), "0.04953"),
    ("gemini", THOUGHT, Usage(200_001, 100, 0, 90), "0.5015025"),
    ("ollama", {"prompt_eval_count": 12, "eval_count": 5}, Usage(12, 5), "0"),
]


def speaker(provider: FakeProvider, name: str, usage: Any, *, stream: bool = False) -> CompiledModel:
    kind, model_name, path, whole, events, stream_type, fields = SPEAKERS[name]
    profile = f"usage-{name}-{stream}"
    if stream:
        base = provider.profile(profile, raw=events(usage), raw_type=stream_type)
    else:
        base = provider.profile(profile, raw=orjson.dumps(whole(usage)).decode())
    of = model("m", kind, model_name, base.removesuffix("/v1") + path, authentication=_AUTH, **fields)
    return replace(of, endpoints=(replace(of.endpoints[0], lane=Lane.FULL),)) if name == "full" else of


async def used(caller: ProviderCaller, of: CompiledModel, *, stream: bool) -> tuple[str, Usage | None, Any]:
    """The text, the usage, and what a client sees of it."""
    if not stream:
        answer = await caller.call(call(of))
        document = orjson.loads(answer.body)
        return document["choices"][0]["message"]["content"], answer.usage, document.get("usage")
    chunks, end = await collected(caller.stream(call(of, stream=True, include_usage=True)))
    assert end.error is None
    return streamed_text(chunks), end.usage, chunks[-1].get("usage")


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize(("name", "report", "expected", "cost"), REPORTED, ids=[row[0] for row in REPORTED])
async def test_a_report_is_read_and_priced(
    provider: FakeProvider,
    caller: ProviderCaller,
    name: str,
    report: dict[str, Any],
    expected: Usage,
    cost: str,
    stream: bool,
) -> None:
    of = speaker(provider, name, report, stream=stream)
    text, usage, shown = await used(caller, of, stream=stream)
    assert text == "Hello"
    assert usage is not None
    assert usage == replace(expected, requests=1)
    assert cost_of(usage, of.price) == Decimal(cost)
    if name not in ("wire", "full"):
        assert (shown["prompt_tokens"], shown["completion_tokens"]) == (
            expected.input_tokens,
            expected.output_tokens,
        )


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("name", SPEAKERS)
async def test_an_answer_without_a_report_is_served(
    provider: FakeProvider, caller: ProviderCaller, name: str, stream: bool
) -> None:
    of = speaker(provider, name, None, stream=stream)
    text, usage, shown = await used(caller, of, stream=stream)
    assert text == "Hello"
    assert usage is None
    if name != "full":  # LiteLLM makes something up for clients
        assert shown is None


@pytest.mark.parametrize("report", ["many", 7, [], {"input_tokens": "many"}])
async def test_an_answer_whose_report_is_none_is_served(
    provider: FakeProvider, caller: ProviderCaller, report: object
) -> None:
    text, usage, _ = await used(caller, speaker(provider, "anthropic", report), stream=False)
    assert (text, usage) == ("Hello", None)


@pytest.mark.parametrize(
    ("report", "expected"),
    [
        (
            {"billed_units": {"input_tokens": 41, "output_tokens": 28}, "tokens": {"input_tokens": 1442}},
            Usage(41, 28, requests=1),
        ),
        ({}, None),
        (None, None),
    ],
)
async def test_cohere_is_paid_for_what_it_bills(
    provider: FakeProvider, caller: ProviderCaller, report: dict[str, Any] | None, expected: Usage | None
) -> None:
    base = provider.profile("usage-cohere", raw=orjson.dumps(cohere(report)).decode())
    of = model(
        "m", "cohere", "command-a-03-2025", base.removesuffix("/v1") + "/v2/chat", authentication=_AUTH
    )
    text, usage, _ = await used(caller, of, stream=False)
    assert (text, usage) == ("Hello", expected)


SONNET = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"
CONVERSE = {
    "output": {"message": {"role": "assistant", "content": [{"text": "Hello"}]}},
    "stopReason": "end_turn",
    "metrics": {"latencyMs": 1},
}
CONVERSED = {
    "inputTokens": 3, "outputTokens": 288, "totalTokens": 2365, "cacheReadInputTokens": 0,
    "cacheWriteInputTokens": 2074, "cacheDetails": [{"inputTokens": 2074, "ttl": "1h"}],
}  # fmt: skip
WRITTEN = Usage(2077, 288, cache_write_tokens=2074, cache_write_1h_tokens=2074, requests=1)


def bedrock(provider: FakeProvider, raw: bytes) -> CompiledModel:
    base = provider.profile("usage-bedrock", raw=raw.decode()).removesuffix("/v1")
    return model("m", "bedrock", SONNET, base, authentication=_AUTH)


async def test_bedrock_reports_what_it_wrote_to_its_cache(
    provider: FakeProvider, caller: ProviderCaller
) -> None:
    of = bedrock(provider, orjson.dumps({**CONVERSE, "usage": CONVERSED}))
    answer = await caller.call(call(of))
    assert answer.usage is not None
    assert answer.usage == WRITTEN
    # A tenth dearer than elsewhere, and an hour twice as dear as fresh input.
    assert cost_of(answer.usage, of.price) == Decimal("0.0184503")


async def test_an_answer_of_bedrocks_without_a_report_is_served(
    provider: FakeProvider, caller: ProviderCaller
) -> None:
    answer = await caller.call(call(bedrock(provider, orjson.dumps(CONVERSE))))
    assert answer.usage is None
    assert orjson.loads(answer.body)["choices"][0]["message"]["content"] == "Hello"


def aws_event(name: str, payload: dict[str, Any]) -> bytes:
    """A message of AWS's event streams: lengths, headers and payload, with checksums."""
    headers = b""
    told = {":message-type": "event", ":event-type": name, ":content-type": "application/json"}
    for key, value in told.items():
        headers += struct.pack("!B", len(key)) + key.encode() + b"\x07"
        headers += struct.pack("!H", len(value)) + value.encode()
    body = orjson.dumps(payload)
    prelude = struct.pack("!II", len(headers) + len(body) + 16, len(headers))
    message = prelude + struct.pack("!I", zlib.crc32(prelude)) + headers + body
    return message + struct.pack("!I", zlib.crc32(message))


@pytest.mark.parametrize("report", [CONVERSED, None], ids=["with a report", "without"])
async def test_a_stream_of_bedrocks(caller: ProviderCaller, report: dict[str, Any] | None) -> None:
    events = [
        aws_event("messageStart", {"role": "assistant"}),
        aws_event("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": "Hello"}}),
        aws_event("contentBlockStop", {"contentBlockIndex": 0}),
        aws_event("messageStop", {"stopReason": "end_turn"}),
    ]
    if report is not None:
        events.append(aws_event("metadata", {"usage": report, "metrics": {"latencyMs": 1}}))
    body = b"".join(events)
    head = (
        f"HTTP/1.1 200 OK\r\nContent-Type: application/vnd.amazon.eventstream\r\nContent-Length: {len(body)}"
    )
    async with scripted_server() as server:
        server.play([head.encode() + b"\r\n\r\n" + body])
        of = model("m", "bedrock", SONNET, server.url.removesuffix("/"), authentication=_AUTH)
        chunks, end = await collected(caller.stream(call(of, stream=True, include_usage=True)))
    assert streamed_text(chunks) == "Hello"
    assert end == StreamEnd(WRITTEN if report is not None else None)


async def test_an_estimate_counts_what_was_asked_and_what_was_said(
    local: LocalService, provider: FakeProvider
) -> None:
    cost = {"input_token_cost": 1, "output_token_cost": 1}
    await local.model("m", provider.profile("estimated", no_usage=True), cost=cost)
    parts = [{"type": "text", "text": "Once upon a time "}, {"type": "text", "text": "there was a hen."}]
    texts = ["Once upon a time there was a hen.", parts]
    answers = [await local.chat("m", messages=[{"role": "user", "content": text}]) for text in texts]
    # 33 characters of the request and 28 of the answer: 9 and 8 tokens.
    assert [answer.headers["x-voyager-cost"] for answer in answers] == ["17", "17"]
    assert 'voyager_usage_estimated_total{model="m",route=""} 2.0' in local.replica.meter.text().decode()


async def test_a_stream_that_breaks_off_is_paid_for_as_far_as_it_came(
    local: LocalService, provider: FakeProvider
) -> None:
    """Anthropic's first event reports the prompt and one token; the report of the end is missing."""
    events = anthropic_events({"input_tokens": 7, "output_tokens": 50, "cache_read_input_tokens": 5})
    said = events.split("\n\n")[2]
    broken = "\n\n".join([*events.split("\n\n")[:2], *[said] * 9, ""])
    base = provider.profile("broken", raw=broken, raw_type="text/event-stream").removesuffix("/v1")
    await local.model("m", f"{base}/v1/messages", provider="anthropic", model_name="claude-sonnet-4-5")
    await local.chat("m", stream=True)
    shown = local.replica.meter.text().decode()
    assert 'voyager_tokens_total{direction="input",model="m",route=""} 12.0' in shown
    assert 'voyager_tokens_total{direction="output",model="m",route=""} 9.0' in shown
    assert 'voyager_usage_estimated_total{model="m",route=""} 1.0' in shown


async def test_a_price_that_changed_counts_from_its_moment(
    local: LocalService, provider: FakeProvider
) -> None:
    changes = [
        {"valid_from": "2020-01-01T00:00:00Z", "output_token_cost": 2},
        {"valid_from": "2999-01-01T00:00:00Z", "output_token_cost": 3},
    ]
    cost = {"output_token_cost": 1, "changes": changes}
    await local.model("m", provider.profile("changed"), cost=cost)
    answer = await local.chat("m")
    assert answer.headers["x-voyager-cost"] == "10"
    # A route goes to what is cheapest now.
    await local.model("n", provider.profile("unchanged"), cost={"output_token_cost": 1.5})
    await local.route("r", "m", "n", policy="cheapest")
    assert (await local.chat("r")).headers["x-voyager-model"] == "n"
    kept = (await local.http.get("/api/v1/models/m")).json()["model"]["cost"]["changes"]
    assert [change["valid_from"] for change in kept] == [change["valid_from"] for change in changes]
