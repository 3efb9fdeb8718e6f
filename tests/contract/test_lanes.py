"""Every lane and wire format gives the same answer: message, tool call, usage, errors, streams."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest

from deployments.lanes.caller import ProviderCaller
from scripts.fake_provider.running import FakeProvider
from tests.support.calls import DIALECTS, TOOLS, call, collected, model, streamed_text
from voyager_llm import errors
from voyager_llm.domain.completion import StreamEnd
from voyager_llm.domain.providers import Lane
from voyager_llm.settings import Settings
from voyager_llm.snapshot import CompiledModel

TEXT = "Hello from the fake provider"


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    path = tmp_path / "provider-key" / "api_key"
    path.parent.mkdir()
    path.write_text("canary-secret-1")
    return path


@pytest.fixture
async def caller(tmp_path: Path, secret: Path) -> AsyncIterator[ProviderCaller]:
    running = ProviderCaller(Settings(secrets_dir=tmp_path))
    yield running
    await running.close()


def at(provider: FakeProvider, dialect: str, profile: str, **behaviour: Any) -> CompiledModel:
    """A model of a dialect at a profile of the fake provider."""
    kind, name, path = DIALECTS[dialect]
    base = provider.profile(profile, **behaviour).removesuffix("/v1")
    auth = {"type": "bearer_token", "secret_ref": {"name": "provider-key", "key": "api_key"}}
    return model(dialect, kind, name, base + path, authentication=auth)


LANES = [*DIALECTS, "full"]


def lane(provider: FakeProvider, name: str, profile: str, **behaviour: Any) -> CompiledModel:
    if name != "full":
        return at(provider, name, profile, **behaviour)
    of = at(provider, "openai", profile, **behaviour)
    return replace(of, endpoints=(replace(of.endpoints[0], lane=Lane.FULL),))


@pytest.mark.parametrize("name", LANES)
async def test_an_ordinary_answer(provider: FakeProvider, caller: ProviderCaller, name: str) -> None:
    answer = await caller.call(call(lane(provider, name, f"plain-{name}"), max_tokens=50, temperature=0.5))
    choice = orjson.loads(answer.body)["choices"][0]
    assert choice["message"]["content"] == TEXT
    assert choice["message"]["role"] == "assistant"
    assert choice["finish_reason"] == "stop"
    assert answer.usage is not None
    assert (answer.usage.input_tokens, answer.usage.output_tokens) == (12, 5)
    if name != "ollama":  # Ollama reports no cached tokens
        assert answer.usage.cached_input_tokens == 4


@pytest.mark.parametrize("name", LANES)
async def test_a_tool_call(provider: FakeProvider, caller: ProviderCaller, name: str) -> None:
    of = lane(provider, name, f"tool-{name}", tool_call=True)
    answer = await caller.call(call(of, tools=TOOLS, tool_choice="auto"))
    choice = orjson.loads(answer.body)["choices"][0]
    function = choice["message"]["tool_calls"][0]["function"]
    assert function["name"] == "get_weather"
    assert orjson.loads(function["arguments"]) == {"city": "Paris"}
    assert choice["finish_reason"] == "tool_calls"
    assert "get_weather" in str(provider.seen(f"tool-{name}")["last_body"])


@pytest.mark.parametrize("name", LANES)
async def test_a_stream(provider: FakeProvider, caller: ProviderCaller, name: str) -> None:
    of = lane(provider, name, f"stream-{name}", token_delay_s=0.005)
    chunks, end = await collected(caller.stream(call(of, stream=True)))
    assert streamed_text(chunks) == TEXT
    assert [c["choices"][0]["finish_reason"] for c in chunks if c["choices"][0].get("finish_reason")] == [
        "stop"
    ]
    assert end.error is None
    assert end.usage is not None
    assert (end.usage.input_tokens, end.usage.output_tokens) == (12, 5)
    assert all(chunk["choices"] for chunk in chunks), "usage stays hidden from who did not ask for it"
    assert all(chunk["object"] == "chat.completion.chunk" for chunk in chunks)


@pytest.mark.parametrize("name", LANES)
async def test_usage_is_shown_to_who_asks(provider: FakeProvider, caller: ProviderCaller, name: str) -> None:
    of = lane(provider, name, f"usage-{name}")
    chunks, _ = await collected(caller.stream(call(of, stream=True, include_usage=True)))
    assert chunks[-1]["usage"]["prompt_tokens"] == 12
    assert chunks[-1]["usage"]["completion_tokens"] == 5


@pytest.mark.parametrize("name", LANES)
async def test_a_streamed_tool_call(provider: FakeProvider, caller: ProviderCaller, name: str) -> None:
    of = lane(provider, name, f"streamtool-{name}", tool_call=True)
    chunks, end = await collected(caller.stream(call(of, stream=True, tools=TOOLS)))
    calls = [c for chunk in chunks for c in (chunk["choices"][0]["delta"].get("tool_calls") or ())]
    assert calls[0]["function"]["name"] == "get_weather"
    arguments = "".join(c["function"].get("arguments") or "" for c in calls)
    assert orjson.loads(arguments) == {"city": "Paris"}
    assert end.error is None


FAULTS = [
    (429, "", "slow down", errors.UpstreamRateLimited),
    (401, "", "bad key", errors.UpstreamMisconfigured),
    (404, "", "no such model", errors.UpstreamMisconfigured),
    (500, "", "boom", errors.UpstreamUnavailable),
    (503, "", "busy", errors.UpstreamUnavailable),
    (400, "", "temperature is out of range", errors.UpstreamRejected),
    (400, "context_length_exceeded", "maximum context length is 8192 tokens", errors.ContextWindowExceeded),
    (400, "content_policy_violation", "rejected by our content policy", errors.ContentPolicyRefused),
]


@pytest.mark.parametrize("name", LANES)
@pytest.mark.parametrize(("status", "code", "message", "expected"), FAULTS)
async def test_an_error(
    provider: FakeProvider,
    caller: ProviderCaller,
    name: str,
    status: int,
    code: str,
    message: str,
    expected: type[errors.VoyagerError],
) -> None:
    of = lane(
        provider,
        name,
        f"fault-{name}",
        status=status,
        error_code=code,
        error_message=message,
        retry_after="7",
    )
    for stream in (False, True):
        with pytest.raises(expected) as caught:
            await (anext(caller.stream(call(of, stream=True))) if stream else caller.call(call(of)))
        assert "canary-secret-1" not in str(caught.value)
        if status == 429 and name != "full":
            assert caught.value.retry_after_s == 7


@pytest.mark.parametrize("name", [*DIALECTS])
async def test_streams_that_break(provider: FakeProvider, caller: ProviderCaller, name: str) -> None:
    """Once begun, a stream ends with an error of its own, never with silence."""
    for behaviour in ({"truncate_after": 4}, {"error_after": 4}, {"hang_after": 4}):
        of = at(provider, name, f"break-{name}", token_delay_s=0.01, tokens=20, **behaviour)
        chunks, end = await collected(caller.stream(call(of, stream=True, timeout_s=1.0)))
        if chunks:
            assert isinstance(end.error, errors.StreamInterrupted), behaviour


async def test_malformed_chunk(provider: FakeProvider, caller: ProviderCaller) -> None:
    of = at(provider, "openai", "malformed", malformed_after=3)
    chunks, end = await collected(caller.stream(call(of, stream=True)))
    assert streamed_text(chunks) == "Hello from the"
    assert isinstance(end.error, errors.StreamInterrupted)


@pytest.mark.parametrize(
    ("behaviour", "expected"),
    [
        ({"raw": "<html>nginx</html>", "raw_type": "text/html"}, errors.UpstreamInvalid),
        ({"raw": '{"choices": [{"mess'}, errors.UpstreamInvalid),
        ({"raw": "[]"}, errors.UpstreamInvalid),
        ({"raw": "{}"}, errors.UpstreamInvalid),
        ({"error_in_body": True}, errors.UpstreamUnavailable),
        ({"hang": True}, errors.UpstreamTimeout),
        ({"redirect_to": "http://169.254.169.254/"}, errors.UpstreamInvalid),
    ],
)
async def test_answers_that_are_none(
    provider: FakeProvider, caller: ProviderCaller, behaviour: dict[str, Any], expected: Any
) -> None:
    of = at(provider, "openai", "odd", **behaviour)
    with pytest.raises(expected):
        await caller.call(call(of, timeout_s=0.5))
    with pytest.raises((expected, errors.UpstreamInvalid)):
        await anext(caller.stream(call(of, stream=True, timeout_s=0.5)))


async def test_an_answer_without_usage(provider: FakeProvider, caller: ProviderCaller) -> None:
    answer = await caller.call(call(at(provider, "openai", "nousage", no_usage=True)))
    assert answer.usage is None


async def test_only_our_headers_reach_the_provider(provider: FakeProvider, caller: ProviderCaller) -> None:
    await caller.call(call(at(provider, "openai", "headers")))
    headers = provider.seen("headers")["last_headers"]
    assert headers["authorization"] == "Bearer canary-secret-1"
    assert set(headers) == {"host", "authorization", "content-type", "content-length", "accept"}


async def test_a_secret_with_a_line_break_is_refused(tmp_path: Path, provider: FakeProvider) -> None:
    (tmp_path / "provider-key").mkdir()
    (tmp_path / "provider-key" / "api_key").write_text("key\r\nX-Smuggled: 1")
    running = ProviderCaller(Settings(secrets_dir=tmp_path))
    with pytest.raises(errors.UpstreamMisconfigured, match="no header may carry"):
        await running.call(call(at(provider, "openai", "smuggle")))
    assert provider.seen("smuggle")["requests"] == 0
    await running.close()


@pytest.mark.parametrize("name", LANES)
async def test_a_rotated_key_is_read_again(
    provider: FakeProvider, caller: ProviderCaller, secret: Path, name: str
) -> None:
    """A 401 reads the key once more before it counts as a failure; so many calls fail as nobody notices."""
    of = lane(provider, name, f"rotated-{name}", keys=["canary-secret-1"])
    await caller.call(call(of))
    provider.profile(f"rotated-{name}", keys=["canary-secret-2"])
    with pytest.raises(errors.UpstreamMisconfigured):
        await caller.call(call(of))  # revoked before it was replaced: nothing helps
    _rotate(secret, "canary-secret-2")
    answers = await asyncio.gather(*(caller.call(call(of)) for _ in range(5)))
    assert all(answer.usage is not None for answer in answers)
    provider.profile(f"rotated-{name}", keys=["canary-secret-3"])
    _rotate(secret, "canary-secret-3")
    blocks, end = await collected(caller.stream(call(of, stream=True)))
    assert streamed_text(blocks) == TEXT
    assert end.error is None


async def test_a_probe_reads_a_rotated_key_as_well(
    provider: FakeProvider, caller: ProviderCaller, secret: Path
) -> None:
    """Else a model without traffic would look unhealthy after every rotation."""
    of = at(provider, "openai", "probed", keys=["canary-secret-1"])
    await caller.probe(of.endpoints[0])
    provider.profile("probed", keys=["canary-secret-2"])
    with pytest.raises(errors.UpstreamMisconfigured):
        await caller.probe(of.endpoints[0])
    _rotate(secret, "canary-secret-2")
    await caller.probe(of.endpoints[0])


def _rotate(secret: Path, key: str) -> None:
    secret.write_text(key)


async def test_to_cancel_cancels_the_provider(provider: FakeProvider, caller: ProviderCaller) -> None:
    of = at(provider, "openai", "cancelled", token_delay_s=0.05, tokens=200)
    stream = caller.stream(call(of, stream=True))
    assert not isinstance(await anext(stream), StreamEnd)
    await stream.aclose()
    for _ in range(50):
        if provider.seen("cancelled")["aborted"]:
            break
        await asyncio.sleep(0.05)
    assert provider.seen("cancelled")["aborted"] == 1


@pytest.mark.parametrize("host", ["169.254.169.254", "[fe80::1]", "metadata.google.internal"])
async def test_metadata_addresses_are_refused_when_defined(host: str) -> None:
    with pytest.raises(ValueError, match="refused"):
        model("m", "custom", "x", f"http://{host}/v1")


async def test_a_name_that_resolves_to_link_local_is_refused(
    caller: ProviderCaller, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = socket.getaddrinfo

    def lying(host: Any, port: Any, *args: Any, **kwargs: Any) -> Any:
        if host == "innocent.example":
            return real("169.254.169.254", port, *args, **kwargs)
        return real(host, port, *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", lying)
    of = model("m", "custom", "x", "http://innocent.example/v1")
    with pytest.raises(errors.UpstreamMisconfigured, match="link-local"):
        await caller.call(call(of, timeout_s=2))
