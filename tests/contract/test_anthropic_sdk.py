"""Anthropic's own SDK against the whole service in one process, at models of every kind."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import anthropic
import httpx2
import pytest

from scripts.fake_provider.running import FakeProvider
from tests.support.calls import DIALECTS
from tests.support.service import LocalService

HELLO: Any = [{"role": "user", "content": "hello"}]
TOOL: Any = {
    "name": "get_weather",
    "description": "Weather of a city.",
    "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}
TEXT = "Hello from the fake provider"


@pytest.fixture
async def client(local: LocalService) -> AsyncIterator[anthropic.AsyncAnthropic]:
    transport = httpx2.ASGITransport(local.ingress)  # pyright: ignore[reportArgumentType]
    async with anthropic.AsyncAnthropic(
        api_key="none", base_url="http://service", max_retries=0,
        http_client=httpx2.AsyncClient(transport=transport),
    ) as running:  # fmt: skip
        yield running


async def define(
    local: LocalService, provider: FakeProvider, name: str, dialect: str, **behaviour: Any
) -> str:
    kind, model_name, path = DIALECTS[dialect]
    base = provider.profile(name, **behaviour).removesuffix("/v1")
    await local.model(name, base + path, provider=kind, model_name=model_name)
    return name


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_a_message_whole_and_streamed(
    local: LocalService, provider: FakeProvider, client: anthropic.AsyncAnthropic, dialect: str
) -> None:
    name = await define(local, provider, f"sdk-{dialect}", dialect)
    whole = await client.messages.create(model=name, max_tokens=64, messages=HELLO, system="Be brief.")
    assert whole._request_id
    assert [(block.type, getattr(block, "text", "")) for block in whole.content] == [("text", TEXT)]
    assert whole.stop_reason == "end_turn"
    async with client.messages.stream(model=name, max_tokens=64, messages=HELLO) as stream:
        kinds = {event.type async for event in stream}
        final = await stream.get_final_message()
    assert await stream.get_final_text() == TEXT
    assert {"message_start", "content_block_start", "text", "content_block_stop", "message_stop"} <= set(
        kinds
    )
    assert (final.stop_reason, final.usage.output_tokens) == ("end_turn", whole.usage.output_tokens)
    assert final.usage.input_tokens == whole.usage.input_tokens


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_a_round_of_tools(
    local: LocalService, provider: FakeProvider, client: anthropic.AsyncAnthropic, dialect: str
) -> None:
    name = await define(local, provider, f"sdk-tool-{dialect}", dialect, tool_call=True)
    choice: Any = {"type": "auto", "disable_parallel_tool_use": False}
    async with client.messages.stream(
        model=name, max_tokens=64, messages=HELLO, tools=[TOOL], tool_choice=choice
    ) as stream:
        message = await stream.get_final_message()
    (block,) = message.content
    assert block.type == "tool_use"
    assert (block.name, block.input, message.stop_reason) == ("get_weather", {"city": "Paris"}, "tool_use")
    await define(local, provider, f"sdk-told-{dialect}", dialect)
    result: Any = {"type": "tool_result", "tool_use_id": block.id, "content": "sunny"}
    messages: Any = [*HELLO, message.to_param(), {"role": "user", "content": [result]}]
    told = await client.messages.create(
        model=f"sdk-told-{dialect}", max_tokens=64, messages=messages, tools=[TOOL]
    )
    assert getattr(told.content[0], "text", "") == TEXT
    assert "sunny" in str(provider.seen(f"sdk-told-{dialect}")["last_body"])


@pytest.mark.parametrize("dialect", ["openai", "anthropic"])
async def test_thoughts_are_read_and_sent_back(
    local: LocalService, provider: FakeProvider, client: anthropic.AsyncAnthropic, dialect: str
) -> None:
    name = await define(local, provider, f"sdk-thought-{dialect}", dialect, thought="hm", pings=True)
    async with client.messages.stream(
        model=name, max_tokens=2048, messages=HELLO, thinking={"type": "enabled", "budget_tokens": 1024}
    ) as stream:
        thoughts = "".join([event.thinking async for event in stream if event.type == "thinking"])
        message = await stream.get_final_message()
    assert thoughts == "hm"
    assert [block.type for block in message.content] == ["thinking", "text"]
    messages: Any = [*HELLO, message.to_param(), *HELLO]
    again = await client.messages.create(model=name, max_tokens=64, messages=messages)
    assert again.stop_reason == "end_turn"
    sent = provider.seen(name)["last_body"]["messages"][1]
    if dialect == "openai":
        assert sent["reasoning_content"] == "hm"
    else:
        assert sent["content"][0]["signature"]


async def test_features_in_beta_are_asked_for(
    local: LocalService, provider: FakeProvider, client: anthropic.AsyncAnthropic
) -> None:
    name = await define(local, provider, "sdk-beta", "anthropic")
    edits: Any = {"edits": [{"type": "clear_tool_uses_20250919"}]}
    await client.beta.messages.create(
        model=name, max_tokens=64, messages=HELLO, betas=["context-management-2025-06-27"],
        context_management=edits,
    )  # fmt: skip
    seen = provider.seen(name)
    assert "context-management-2025-06-27" in seen["last_headers"]["anthropic-beta"]
    assert seen["last_body"]["context_management"] == edits


async def test_tokens_are_counted(
    local: LocalService, provider: FakeProvider, client: anthropic.AsyncAnthropic
) -> None:
    for dialect in ("anthropic", "openai"):
        name = await define(local, provider, f"sdk-count-{dialect}", dialect)
        counted = await client.messages.count_tokens(model=name, messages=HELLO)
        assert counted.input_tokens == (12 if dialect == "anthropic" else 2)


async def test_models_are_listed_page_by_page(
    local: LocalService, provider: FakeProvider, client: anthropic.AsyncAnthropic
) -> None:
    for name in ("sdk-a", "sdk-b", "sdk-c"):
        await define(local, provider, name, "openai")
    assert [model.id async for model in client.models.list(limit=2)] == ["sdk-a", "sdk-b", "sdk-c"]
    assert (await client.models.retrieve("sdk-b")).display_name == "sdk-b"


@pytest.mark.parametrize(
    ("behaviour", "kind"),
    [
        ({"status": 400}, anthropic.BadRequestError),
        ({"status": 429}, anthropic.RateLimitError),
        ({"status": 500}, anthropic.InternalServerError),
        ({"raw": "nonsense"}, anthropic.InternalServerError),
    ],
)
async def test_errors_are_of_the_sdks_classes(
    local: LocalService,
    provider: FakeProvider,
    client: anthropic.AsyncAnthropic,
    behaviour: dict[str, Any],
    kind: type[anthropic.APIStatusError],
) -> None:
    name = await define(local, provider, f"sdk-fails-{len(str(behaviour))}-{kind.__name__}".lower(),
                        "openai", **behaviour)  # fmt: skip
    with pytest.raises(kind) as raised:
        await client.messages.create(model=name, max_tokens=64, messages=HELLO)
    assert raised.value.request_id
    with pytest.raises(anthropic.NotFoundError):
        await client.messages.create(model="nobody", max_tokens=64, messages=HELLO)


@pytest.mark.parametrize("dialect", ["openai", "anthropic"])
async def test_a_stream_that_breaks_raises(
    local: LocalService, provider: FakeProvider, client: anthropic.AsyncAnthropic, dialect: str
) -> None:
    name = await define(local, provider, f"sdk-breaks-{dialect}", dialect, error_after=3)
    with pytest.raises(anthropic.APIStatusError, match="broke off"):
        async with client.messages.stream(model=name, max_tokens=64, messages=HELLO) as stream:
            await stream.get_final_message()
