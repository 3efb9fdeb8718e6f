"""Failures as they come out of the lanes: the same from each, whole or streamed."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest

from deployments.lanes.caller import ProviderCaller
from scripts.fake_provider.running import FakeProvider
from tests.support.calls import DIALECTS, call, collected, model, streamed_text
from voyager_llm import errors
from voyager_llm.domain.completion import Answer
from voyager_llm.domain.providers import Lane
from voyager_llm.settings import Settings
from voyager_llm.snapshot import CompiledModel

LANES = [*DIALECTS, "full"]
_AUTH = {"type": "bearer_token", "secret_ref": {"name": "provider-key", "key": "api_key"}}


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    path = tmp_path / "provider-key" / "api_key"
    path.parent.mkdir()
    path.write_text("canary-secret-1")
    return path


@pytest.fixture
async def caller(tmp_path: Path, secret: Path) -> AsyncIterator[ProviderCaller]:
    running = ProviderCaller(Settings(secrets_dir=tmp_path, connect_timeout_s=0.5))
    yield running
    await running.close()


def at(base: str, name: str, lane: Lane | None = None) -> CompiledModel:
    """A model of a dialect, or OpenAI's on the full lane, at an address."""
    kind, model_name, path = DIALECTS["openai" if name == "full" else name]
    of = model(name, kind, model_name, base.removesuffix("/v1") + path, authentication=_AUTH)
    lane = Lane.FULL if name == "full" else lane
    return replace(of, endpoints=(replace(of.endpoints[0], lane=lane),)) if lane else of


async def failure(caller: ProviderCaller, of: CompiledModel, stream: bool) -> errors.VoyagerError:
    with pytest.raises(errors.VoyagerError) as caught:
        await (anext(caller.stream(call(of, stream=True))) if stream else caller.call(call(of)))
    return caught.value


CASES = [
    (400, "Invalid API key", errors.UpstreamMisconfigured),
    (402, "Insufficient Balance", errors.UpstreamMisconfigured),
    (403, "Content violates usage guidelines.", errors.ContentPolicyRefused),
    (400, "input length and `max_tokens` exceed context limit: 9 + 9 > 9", errors.ContextWindowExceeded),
    (400, "Unknown parameter: 'context_window'.", errors.UpstreamRejected),
    (500, "Error while downloading https://x.test/a.png.", errors.UpstreamRejected),
    (404, "no such model", errors.UpstreamUnsupported),
    (501, "not implemented", errors.UpstreamUnsupported),
    (409, "conflict", errors.UpstreamConflict),
    (429, "Request too large for gpt-4o: Limit 10, Requested 11", errors.UpstreamRequestTooLarge),
]


@pytest.mark.parametrize("name", LANES)
@pytest.mark.parametrize(("status", "message", "expected"), CASES)
async def test_a_failure_means_the_same_on_every_lane(
    provider: FakeProvider,
    caller: ProviderCaller,
    name: str,
    status: int,
    message: str,
    expected: type[errors.VoyagerError],
) -> None:
    of = at(provider.profile(f"fault-{name}", status=status, error_message=message), name)
    for stream in (False, True):
        assert type(await failure(caller, of, stream)) is expected


@pytest.mark.parametrize("name", LANES)
async def test_when_to_come_back_is_known_on_every_lane(
    provider: FakeProvider, caller: ProviderCaller, name: str
) -> None:
    of = at(provider.profile(f"limit-{name}", status=429, retry_after="7"), name)
    for stream in (False, True):
        error = await failure(caller, of, stream)
        assert type(error) is errors.UpstreamRateLimited
        assert error.retry_after_s == 7


@pytest.mark.parametrize("name", LANES)
@pytest.mark.parametrize("status", [400, 402, 403])
async def test_a_key_that_is_refused_in_other_ways_than_401_is_read_again(
    provider: FakeProvider, caller: ProviderCaller, secret: Path, name: str, status: int
) -> None:
    profile = f"rotated-{name}-{status}"
    told: dict[str, Any] = {"key_status": status, "error_message": "API key expired. Please renew it."}
    of = at(provider.profile(profile, keys=["canary-secret-1"], **told), name)
    await caller.call(call(of))
    provider.profile(profile, keys=["canary-secret-2"], **told)
    assert type(await failure(caller, of, stream=True)) is errors.UpstreamMisconfigured
    _rotate(secret, "canary-secret-2")
    assert (await caller.call(call(of))).usage is not None
    provider.profile(profile, keys=["canary-secret-3"], **told)
    _rotate(secret, "canary-secret-3")
    _, end = await collected(caller.stream(call(of, stream=True)))
    assert end.error is None


def _rotate(secret: Path, key: str) -> None:
    secret.write_text(key)


@pytest.fixture
def full_backlog() -> Iterator[int]:
    """A port at which connections are neither made nor refused."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(0)
        waiting = [socket.socket() for _ in range(4)]
        for one in waiting:
            one.setblocking(False)
            one.connect_ex(listening.getsockname())
        yield listening.getsockname()[1]
        for one in waiting:
            one.close()


@pytest.mark.parametrize("name", LANES)
async def test_nothing_listens(caller: ProviderCaller, name: str) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        of = at(f"http://127.0.0.1:{closed.getsockname()[1]}", name)
        for stream in (False, True):
            assert type(await failure(caller, of, stream)) is errors.UpstreamUnreachable


@pytest.mark.parametrize("name", [*DIALECTS])
async def test_nothing_answers_the_connection(caller: ProviderCaller, full_backlog: int, name: str) -> None:
    of = at(f"http://127.0.0.1:{full_backlog}", name)
    for stream in (False, True):
        assert type(await failure(caller, of, stream)) is errors.UpstreamUnreachable


def events(*documents: Any) -> str:
    return "".join(f"data: {orjson.dumps(document).decode()}\n\n" for document in documents)


def streaming(*documents: Any) -> dict[str, Any]:
    return {"raw": events(*documents), "raw_type": "text/event-stream"}


def gemini_says(text: str | None, finish: str | None = None) -> dict[str, Any]:
    candidate: dict[str, Any] = {"index": 0}
    if text is not None:
        candidate["content"] = {"parts": [{"text": text}], "role": "model"}
    if finish:
        candidate["finishReason"] = finish
    usage = {"promptTokenCount": 3, "candidatesTokenCount": 2, "totalTokenCount": 5}
    return {"candidates": [candidate], "usageMetadata": usage, "modelVersion": "gemini"}


BLOCKED = {
    "promptFeedback": {"blockReason": "PROHIBITED_CONTENT"},
    "usageMetadata": {"promptTokenCount": 3, "totalTokenCount": 3},
    "modelVersion": "gemini",
}


@pytest.mark.parametrize("lane", [None, Lane.FULL])
async def test_gemini_blocks_the_prompt(
    provider: FakeProvider, caller: ProviderCaller, lane: Lane | None
) -> None:
    of = at(provider.profile("blocked", raw=orjson.dumps(BLOCKED).decode()), "gemini", lane)
    assert type(await failure(caller, of, stream=False)) is errors.ContentPolicyRefused
    of = at(provider.profile("blocked-stream", **streaming(BLOCKED)), "gemini", lane)
    assert type(await failure(caller, of, stream=True)) is errors.ContentPolicyRefused


@pytest.mark.parametrize(
    "reason", ["SAFETY", "RECITATION", "PROHIBITED_CONTENT", "BLOCKLIST", "SPII", "IMAGE_SAFETY", "LANGUAGE"]
)
@pytest.mark.parametrize("lane", [None, Lane.FULL])
async def test_gemini_stops_in_the_middle(
    provider: FakeProvider, caller: ProviderCaller, lane: Lane | None, reason: str
) -> None:
    said = streaming(gemini_says("Once upon"), gemini_says(None, reason))
    of = at(provider.profile("stopped", **said), "gemini", lane)
    chunks, end = await collected(caller.stream(call(of, stream=True)))
    assert end.error is None
    assert streamed_text(chunks) == "Once upon"
    assert chunks[-1]["choices"][0]["finish_reason"] == "content_filter"


async def test_gemini_blocks_the_prompt_after_it_has_begun(
    provider: FakeProvider, caller: ProviderCaller
) -> None:
    of = at(provider.profile("late", **streaming(gemini_says("Once upon"), BLOCKED)), "gemini")
    chunks, end = await collected(caller.stream(call(of, stream=True)))
    assert end.error is None
    assert chunks[-1]["choices"][0]["finish_reason"] == "content_filter"


async def test_gemini_stops_a_whole_answer(provider: FakeProvider, caller: ProviderCaller) -> None:
    said = orjson.dumps(gemini_says("Once upon", "RECITATION")).decode()
    answer = await caller.call(call(at(provider.profile("whole", raw=said), "gemini")))
    assert finish_of(answer) == "content_filter"


async def test_anthropic_refuses_in_the_middle(provider: FakeProvider, caller: ProviderCaller) -> None:
    started = {"type": "message", "id": "msg_1", "role": "assistant", "content": [], "model": "claude",
               "stop_reason": None, "usage": {"input_tokens": 3, "output_tokens": 1}}  # fmt: skip
    said = streaming(
        {"type": "message_start", "message": started},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Once"}},
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": "refusal"}, "usage": {"output_tokens": 2}},
        {"type": "message_stop"},
    )
    of = at(provider.profile("refusal", **said), "anthropic")
    chunks, end = await collected(caller.stream(call(of, stream=True)))
    assert end.error is None
    assert chunks[-1]["choices"][0]["finish_reason"] == "content_filter"


def openai_chunk(delta: dict[str, Any], finish: str | None = None) -> dict[str, Any]:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice]}


async def test_azure_filters_in_the_middle(provider: FakeProvider, caller: ProviderCaller) -> None:
    """Its first chunk has no choice, only what its filter found in the prompt."""
    first = {"id": "", "object": "", "created": 0, "model": "", "choices": [], "prompt_filter_results": []}
    said = streaming(first, openai_chunk({"content": "Once"}), openai_chunk({}, "content_filter"))
    of = at(provider.profile("azure", **said), "openai")
    chunks, end = await collected(caller.stream(call(of, stream=True)))
    assert end.error is None
    assert chunks[-1]["choices"][0]["finish_reason"] == "content_filter"


@pytest.mark.parametrize("name", ["openai", "full"])
async def test_a_policy_error_in_the_middle_is_no_interruption(
    provider: FakeProvider, caller: ProviderCaller, name: str
) -> None:
    error = {"error": {"code": "content_filter", "message": "The response was filtered due to the content "
                       "management policy.", "type": "invalid_request_error"}}  # fmt: skip
    of = at(provider.profile("policy", **streaming(openai_chunk({"content": "Once"}), error)), name)
    _, end = await collected(caller.stream(call(of, stream=True)))
    assert type(end.error) is errors.ContentPolicyRefused


async def test_a_guardrail_of_bedrocks_intervenes(provider: FakeProvider, caller: ProviderCaller) -> None:
    said = {
        "output": {"message": {"role": "assistant", "content": [{"text": "I cannot answer this."}]}},
        "stopReason": "guardrail_intervened",
        "usage": {"inputTokens": 3, "outputTokens": 5, "totalTokens": 8},
        "metrics": {"latencyMs": 1},
    }
    base = provider.profile("bedrock", raw=orjson.dumps(said).decode()).removesuffix("/v1")
    of = model("m", "bedrock", "anthropic.claude-3-haiku-20240307-v1:0", base, authentication=_AUTH)
    assert finish_of(await caller.call(call(of))) == "content_filter"


async def test_an_answer_that_is_almost_json_is_served_as_it_came(
    provider: FakeProvider, caller: ProviderCaller
) -> None:
    """With half a character, and with no number where a model's logarithm is none."""
    raw = (
        '{"choices": [{"index": 0, "message": {"role": "assistant", "content": "\\ud83d"}, "finish_reason": '
        '"stop", "logprobs": {"content": [{"logprob": NaN}]}}], "usage": {"prompt_tokens": 1}}'
    )
    answer = await caller.call(call(at(provider.profile("almost", raw=raw), "openai")))
    assert answer.body == raw.encode()
    assert answer.usage is not None


@pytest.mark.parametrize("raw", ["{}", "[]", "null", '{"output": 5}', "Once upon a time"])
async def test_a_success_that_litellm_cannot_read_is_not_the_requests_fault(
    provider: FakeProvider, caller: ProviderCaller, raw: str
) -> None:
    base = provider.profile("nonsense", raw=raw).removesuffix("/v1")
    of = model("m", "bedrock", "anthropic.claude-3-haiku-20240307-v1:0", base, authentication=_AUTH)
    with pytest.raises(errors.UpstreamInvalid, match="cannot be read"):
        await caller.call(call(of))


def finish_of(answer: Answer) -> str:
    return orjson.loads(answer.body)["choices"][0]["finish_reason"]
