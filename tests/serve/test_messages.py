"""Anthropic's Messages API over real sockets, in both topologies."""

from __future__ import annotations

from typing import Any

import httpx
import orjson
import pytest

from scripts.fake_provider.running import FakeProvider
from tests.support.calls import DIALECTS
from tests.support.running import RunningService

TOOL = {"name": "get_weather", "input_schema": {"type": "object"}}


@pytest.fixture(params=["openai", "anthropic"])
def model(running: RunningService, provider: FakeProvider, request: pytest.FixtureRequest) -> str:
    """One that is answered for in a chat's words, and one that speaks Anthropic's."""
    kind, model_name, path = DIALECTS[request.param]
    name = f"messages-{request.param}"
    provider.profile(name, thought="hm", pings=True)
    running.model(name, f"{provider.url}/{name}{path}", provider=kind, model_name=model_name)
    return name


@pytest.fixture(autouse=True)
def undefined(running: RunningService, model: str) -> Any:
    yield
    running.http.delete(f"/api/v1/models/{model}")


def post(running: RunningService, model: str, path: str = "", /, **body: Any) -> httpx.Response:
    document = {"model": model, "messages": [{"role": "user", "content": "hello"}], **body}
    headers = {"anthropic-version": "2023-06-01", "anthropic-beta": "some-beta-2025-01-01"}
    return running.http.post(f"/v1/messages{path}", json=document, headers=headers)


def test_a_message(running: RunningService, model: str) -> None:
    answer = post(running, model, max_tokens=64)
    assert answer.status_code == 200, answer.text
    blocks = answer.json()["content"]
    assert [block["type"] for block in blocks] == ["thinking", "text"]
    assert blocks[1]["text"] == "Hello from the fake provider"
    assert answer.headers["request-id"]


def test_a_stream_of_events(running: RunningService, model: str) -> None:
    answer = post(running, model, max_tokens=64, stream=True)
    told = [orjson.loads(event.split("\ndata: ")[1]) for event in answer.text.strip().split("\n\n")]
    kinds = [event["type"] for event in told]
    assert (kinds[0], kinds[-1]) == ("message_start", "message_stop")
    assert kinds.count("content_block_start") == kinds.count("content_block_stop") == 2
    assert next(event for event in told if event["type"] == "message_delta")["usage"]["output_tokens"] == 5


def test_headers_and_errors(running: RunningService, provider: FakeProvider, model: str) -> None:
    server_tool = {"type": "web_search_20250305", "name": "web_search"}
    answer = post(running, model, max_tokens=64, tools=[server_tool, TOOL])
    if model.endswith("anthropic"):
        assert answer.status_code == 200
        assert provider.seen(model)["last_headers"]["anthropic-beta"] == "some-beta-2025-01-01"
    else:
        assert answer.status_code == 400
        assert answer.json()["error"]["param"] == "tools.0.type"


def test_tokens_are_counted(running: RunningService, model: str) -> None:
    answer = post(running, model, "/count_tokens")
    by, tokens = ("provider", 12) if model.endswith("anthropic") else ("estimate", 2)
    assert (answer.headers["x-voyager-counted-by"], answer.json()) == (by, {"input_tokens": tokens})
