"""The native lane forwards a client's own API: bytes as they are, usage and faults as on every lane."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from deployments.lanes.caller import ProviderCaller
from scripts.fake_provider.running import FakeProvider
from tests.support.calls import DIALECTS, model
from voyager_llm import errors
from voyager_llm.domain.completion import Call, StreamEnd
from voyager_llm.domain.operation import Operation
from voyager_llm.settings import Settings

BODY = b'{"model": "claude", "max_tokens": 9, "messages": [{"role": "user", "content": "h\\u00e9"}]}'


@pytest.fixture
async def caller(tmp_path: Path) -> AsyncIterator[ProviderCaller]:
    (tmp_path / "provider-key").mkdir()
    (tmp_path / "provider-key" / "api_key").write_text("canary-secret-1")
    running = ProviderCaller(Settings(secrets_dir=tmp_path))
    yield running
    await running.close()


def asked(provider: FakeProvider, profile: str, *, stream: bool = False, **behaviour: Any) -> Call:
    kind, name, path = DIALECTS["anthropic"]
    base = provider.profile(profile, **behaviour).removesuffix("/v1")
    auth = {"type": "bearer_token", "secret_ref": {"name": "provider-key", "key": "api_key"}}
    body = BODY.replace(b"{", b'{"stream":true,', 1) if stream else BODY
    return Call(
        operation=Operation.MESSAGES,
        endpoint=model(profile, kind, name, base + path, authentication=auth).endpoints[0],
        body=body,
        stream=stream,
        include_usage=True,
        timeout_s=5,
        idle_timeout_s=5,
        total_timeout_s=5,
        headers=(("anthropic-beta", "one-2025,two-2025"),),
    )


async def read(caller: ProviderCaller, call: Call) -> tuple[bytes, StreamEnd]:
    sent, end = b"", StreamEnd()
    async for block in caller.stream(call):
        if isinstance(block, StreamEnd):
            end = block
        else:
            sent += block
    return sent, end


async def test_a_whole_answer_comes_as_it_was_written(provider: FakeProvider, caller: ProviderCaller) -> None:
    answer = await caller.call(asked(provider, "native"))
    assert orjson.loads(answer.body)["content"] == [{"type": "text", "text": "Hello from the fake provider"}]
    used = answer.usage
    assert used is not None
    assert (used.input_tokens, used.cached_input_tokens, used.output_tokens) == (12, 4, 5)
    seen = provider.seen("native")
    assert orjson.loads(BODY) == seen["last_body"]
    assert seen["last_path"] == "/native/v1/messages"
    headers = seen["last_headers"]
    assert (headers["x-api-key"], headers["anthropic-version"]) == ("canary-secret-1", "2023-06-01")
    assert headers["anthropic-beta"] == "one-2025,two-2025"
    assert "authorization" not in headers


async def test_a_stream_keeps_its_events_in_order(provider: FakeProvider, caller: ProviderCaller) -> None:
    sent, end = await read(caller, asked(provider, "native-stream", stream=True))
    events = [event.split(b"\n") for event in sent.strip().split(b"\n\n")]
    kinds = [name.removeprefix(b"event: ").decode() for name, _ in events]
    assert (kinds[0], kinds[-1]) == ("message_start", "message_stop")
    assert all(orjson.loads(data.removeprefix(b"data: "))["type"] == kind
               for kind, (_, data) in zip(kinds, events, strict=True))  # fmt: skip
    assert end.error is None
    assert end.usage is not None
    assert (end.usage.input_tokens, end.usage.output_tokens) == (12, 5)


@pytest.mark.parametrize("stream", [False, True])
async def test_what_fails_is_judged_as_on_every_lane(
    provider: FakeProvider, caller: ProviderCaller, stream: bool
) -> None:
    overloaded = asked(provider, "native-busy", stream=stream, status=529, error_message="Overloaded")
    refused = asked(provider, "native-bad", stream=stream, status=400, error_message="max_tokens: too large")
    for call, kind in ((overloaded, errors.UpstreamUnavailable), (refused, errors.UpstreamRejected)):
        with pytest.raises(kind):
            await (read(caller, call) if stream else caller.call(call))


async def test_a_stream_that_breaks_off_says_so(provider: FakeProvider, caller: ProviderCaller) -> None:
    sent, end = await read(caller, asked(provider, "native-cut", stream=True, truncate_after=3))
    assert sent.startswith(b"event: message_start\n")
    assert isinstance(end.error, errors.StreamInterrupted)
    assert end.usage is not None
    assert end.usage.input_tokens == 12
