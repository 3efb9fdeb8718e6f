"""Anthropic's Messages API through the whole service in one process, at models of every kind."""

from __future__ import annotations

from typing import Any

import httpx
import orjson
import pytest

from scripts.fake_provider.formats import SIGNATURE
from scripts.fake_provider.running import FakeProvider
from tests.support.calls import DIALECTS
from tests.support.service import LocalService, start

HELLO = [{"role": "user", "content": "hello"}]
TOOL = {"name": "get_weather", "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}}}
VERSION = {"anthropic-version": "2023-06-01"}
SERVER_TOOL: Any = {"type": "web_search_20250305", "name": "web_search"}


async def define(
    local: LocalService, provider: FakeProvider, name: str, dialect: str = "openai", **fields: Any
) -> None:
    """A model at a profile of the same name. ``behaviour`` is the profile's."""
    kind, model_name, path = DIALECTS[dialect]
    base = provider.profile(name, **fields.pop("behaviour", {})).removesuffix("/v1")
    await local.model(name, base + path, provider=kind, model_name=model_name, **fields)


async def post(local: LocalService, model: str, path: str = "", /, **body: Any) -> httpx.Response:
    headers = {**VERSION, **body.pop("headers", {})}
    limit = {} if path else {"max_tokens": 64}
    document = {"model": model, "messages": HELLO, **limit, **body}
    return await local.http.post(f"/v1/messages{path}", json=document, headers=headers)


def events(answer: httpx.Response) -> list[Any]:
    found: list[Any] = []
    for event in answer.text.strip().split("\n\n"):
        name, data = event.split("\n")
        found.append(orjson.loads(data.removeprefix("data: ")))
        assert name == f"event: {found[-1]['type']}"
    return found


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_any_model_answers_with_a_message(
    local: LocalService, provider: FakeProvider, dialect: str
) -> None:
    await define(local, provider, f"say-{dialect}", dialect)
    answer = await post(local, f"say-{dialect}", system="Be brief.")
    assert answer.status_code == 200, answer.text
    told = answer.json()
    assert (told["type"], told["role"], told["stop_reason"]) == ("message", "assistant", "end_turn")
    assert told["content"] == [{"type": "text", "text": "Hello from the fake provider"}]
    cached = 0 if dialect == "ollama" else 4
    assert (told["usage"]["input_tokens"], told["usage"]["output_tokens"]) == (12 - cached, 5)
    assert told["usage"]["cache_read_input_tokens"] == cached
    assert answer.headers["request-id"] == answer.headers["x-voyager-trace-id"]


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_any_model_streams_a_message(local: LocalService, provider: FakeProvider, dialect: str) -> None:
    await define(local, provider, f"stream-{dialect}", dialect)
    answer = await post(local, f"stream-{dialect}", stream=True)
    assert answer.headers["content-type"].startswith("text/event-stream")
    told = events(answer)
    assert (told[0]["type"], told[-1]["type"]) == ("message_start", "message_stop")
    texts = [e["delta"]["text"] for e in told if e["type"] == "content_block_delta"]
    assert "".join(texts) == "Hello from the fake provider"
    ending = next(e for e in told if e["type"] == "message_delta")
    assert (ending["delta"]["stop_reason"], ending["usage"]["output_tokens"]) == ("end_turn", 5)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("dialect", DIALECTS)
async def test_any_model_calls_tools(
    local: LocalService, provider: FakeProvider, dialect: str, stream: bool
) -> None:
    name = f"tools-{dialect}-{stream}".lower()
    await define(local, provider, name, dialect, behaviour={"tool_call": True})
    answer = await post(local, name, tools=[TOOL], stream=stream)
    assert answer.status_code == 200, answer.text
    if stream:
        told = events(answer)
        block = next(e["content_block"] for e in told if e["type"] == "content_block_start")
        written = "".join(e["delta"]["partial_json"] for e in told if e["type"] == "content_block_delta")
        block["input"] = orjson.loads(written)
        reason = next(e["delta"]["stop_reason"] for e in told if e["type"] == "message_delta")
    else:
        (block,), reason = answer.json()["content"], answer.json()["stop_reason"]
    assert (block["type"], block["name"], block["input"]) == ("tool_use", "get_weather", {"city": "Paris"})
    assert reason == "tool_use"


async def test_anthropic_gets_the_clients_bytes_and_its_answer_comes_as_it_is(
    local: LocalService, provider: FakeProvider
) -> None:
    await define(local, provider, "native", "anthropic", behaviour={"thought": "hm", "cache_written": 3})
    beta = {"anthropic-beta": "context-management-2025-06-27", "x-other": "secret"}
    body: dict[str, Any] = {
        "tools": [SERVER_TOOL],
        "mcp_servers": [],
        "thinking": {"type": "adaptive"},
        "container": "c",
    }
    answer = await post(local, "native", **body, headers=beta)
    assert answer.json()["id"] == "msg_fake"
    thought = {"type": "thinking", "thinking": "hm", "signature": SIGNATURE}
    assert answer.json()["content"][0] == thought
    assert answer.json()["usage"]["cache_creation_input_tokens"] == 3
    seen = provider.seen("native")
    sent = {"model": DIALECTS["anthropic"][1], "messages": HELLO, "max_tokens": 64, **body}
    assert (seen["last_path"], seen["last_body"]) == ("/native/v1/messages", sent)
    assert seen["last_headers"]["anthropic-beta"] == beta["anthropic-beta"]
    assert "x-other" not in seen["last_headers"]


async def test_what_is_forwarded_is_anthropics_to_judge(local: LocalService, provider: FakeProvider) -> None:
    """Nobody makes a chat of it, which would find it wrong."""
    await define(local, provider, "judges", "anthropic")
    odd = [{"role": "user", "content": [{"type": "text"}]}]
    assert (await post(local, "judges", messages=odd, stream=True)).status_code == 200
    assert provider.seen("judges")["last_body"]["messages"] == odd
    await define(local, provider, "judges-not")
    refused = await post(local, "judges-not", messages=odd, stream=True)
    assert (refused.status_code, refused.json()["error"]["param"]) == (400, "messages.0.content.0.text")


async def test_pings_and_thoughts_of_anthropics_stream_come_through(
    local: LocalService, provider: FakeProvider
) -> None:
    await define(local, provider, "pings", "anthropic", behaviour={"pings": True, "thought": "hm"})
    told = events(await post(local, "pings", stream=True))
    assert told[1] == {"type": "ping"}
    assert {"type": "signature_delta", "signature": SIGNATURE} in [e.get("delta") for e in told]


@pytest.mark.parametrize("stream", [False, True])
async def test_thoughts_of_others_are_blocks_without_a_signature(
    local: LocalService, provider: FakeProvider, stream: bool
) -> None:
    name = f"thoughts-{stream}".lower()
    await define(local, provider, name, behaviour={"thought": "hm"})
    answer = await post(local, name, stream=stream)
    if stream:
        kinds = [e["content_block"]["type"] for e in events(answer) if e["type"] == "content_block_start"]
    else:
        kinds = [block["type"] for block in answer.json()["content"]]
        assert answer.json()["content"][0] == {"type": "thinking", "thinking": "hm", "signature": ""}
    assert kinds == ["thinking", "text"]


async def test_a_refusal_is_told(local: LocalService, provider: FakeProvider) -> None:
    for dialect in ("openai", "anthropic"):
        await define(local, provider, f"refuses-{dialect}", dialect, behaviour={"refuses": True})
        assert (await post(local, f"refuses-{dialect}")).json()["stop_reason"] == "refusal"


async def test_what_a_model_cannot_be_told_is_refused_and_a_route_finds_one_that_can(
    local: LocalService, provider: FakeProvider
) -> None:
    await define(local, provider, "plain")
    await define(local, provider, "claude", "anthropic")
    await local.route("both", "plain", fallbacks=["claude"])
    refused = await post(local, "plain", tools=[SERVER_TOOL])
    assert refused.status_code == 400
    assert refused.json()["error"]["type"] == "invalid_request_error"
    assert refused.json()["error"]["param"] == "tools.0.type"
    assert provider.seen("plain")["requests"] == 0
    assert (await post(local, "both")).headers["x-voyager-model"] == "plain"
    assert (await post(local, "both", tools=[SERVER_TOOL])).headers["x-voyager-model"] == "claude"


async def test_a_route_falls_back_between_apis(local: LocalService, provider: FakeProvider) -> None:
    await define(local, provider, "down", "anthropic", behaviour={"status": 529})
    await define(local, provider, "up")
    await local.route("mixed", "down", fallbacks=["up"])
    for stream in (False, True):
        answer = await post(local, "mixed", stream=stream)
        assert (answer.status_code, answer.headers["x-voyager-model"]) == (200, "up")
        assert "Hello" in answer.text


async def test_a_stored_prompt_is_completed(local: LocalService, provider: FakeProvider) -> None:
    await define(local, provider, "prompted", "anthropic")
    prompt = {
        "name": "greet", "version": "1.0.0", "template": "Hi {{who}}.",
        "parameters": [{"name": "who", "type": "string", "required": True}],
    }  # fmt: skip
    assert (await local.http.post("/api/v1/prompts", json=prompt)).status_code == 201
    body: dict[str, Any] = {"variables": {"who": "Ann"}, "target": "prompted", "messages": []}
    answer = await post(local, "prompt:greet@1.0.0", **body)
    assert answer.status_code == 200, answer.text
    assert answer.json()["type"] == "message"
    assert provider.seen("prompted")["last_body"]["messages"][0]["content"][0]["text"] == "Hi Ann."
    refused = await post(local, "prompt:greet", **{**body, "tools": [SERVER_TOOL]})
    assert (refused.status_code, refused.json()["error"]["param"]) == (400, "tools.0.type")


@pytest.mark.parametrize(
    ("behaviour", "status", "kind"),
    [
        ({"status": 400, "error_message": "no"}, 400, "invalid_request_error"),
        ({"status": 401}, 502, "api_error"),
        ({"status": 429, "retry_after": "7"}, 429, "rate_limit_error"),
        ({"status": 500}, 503, "overloaded_error"),
        ({"raw": "nonsense"}, 502, "api_error"),
    ],
)
async def test_errors_have_anthropics_shape(
    local: LocalService, provider: FakeProvider, behaviour: dict[str, Any], status: int, kind: str
) -> None:
    name = f"fails-{status}-{len(str(behaviour))}"
    await define(local, provider, name, behaviour=behaviour)
    answer = await post(local, name)
    told = answer.json()
    assert (answer.status_code, told["type"], told["error"]["type"]) == (status, "error", kind)
    assert told["request_id"] == answer.headers["request-id"]
    if status == 429:
        assert answer.headers["retry-after"] == "7"


async def test_what_is_not_there_and_what_is_no_json(local: LocalService) -> None:
    missing = await post(local, "nobody")
    assert (missing.status_code, missing.json()["error"]["type"]) == (404, "not_found_error")
    broken = await local.http.post("/v1/messages", content=b"{")
    assert (broken.status_code, broken.json()["error"]["type"]) == (400, "invalid_request_error")


@pytest.mark.parametrize("dialect", ["openai", "anthropic"])
async def test_a_stream_that_breaks_ends_with_an_event_of_the_error(
    local: LocalService, provider: FakeProvider, dialect: str
) -> None:
    await define(local, provider, f"breaks-{dialect}", dialect, behaviour={"error_after": 3})
    told = events(await post(local, f"breaks-{dialect}", stream=True))
    assert told[0]["type"] == "message_start"
    assert told[-1]["type"] == "error"
    assert told[-1]["error"]["type"] == "api_error"
    assert told[-1]["error"]["attempts"]


async def test_the_limits_of_a_model_are_told_in_anthropics_words(
    local: LocalService, provider: FakeProvider
) -> None:
    await define(local, provider, "limited", rate_limits={"requests_per_minute": 2})
    for left in (1, 0):
        answer = await post(local, "limited")
        assert answer.headers["anthropic-ratelimit-requests-limit"] == "2"
        assert answer.headers["anthropic-ratelimit-requests-remaining"] == str(left)
        assert answer.headers["anthropic-ratelimit-requests-reset"].endswith("Z")
        assert answer.headers["x-ratelimit-limit-requests"] == "2"
    full = await post(local, "limited", headers={"x-voyager-timeout-ms": "300"})
    assert (full.status_code, full.json()["error"]["type"]) == (429, "rate_limit_error")
    assert int(full.headers["retry-after"]) >= 1


async def test_tokens_are_counted_by_anthropic_for_nothing(
    local: LocalService, provider: FakeProvider
) -> None:
    cost = {"input_token_cost": 1, "output_token_cost": 1}
    await define(local, provider, "counts", "anthropic", cost=cost, parameters={"temperature": 0.5})
    answer = await post(local, "counts", "/count_tokens", tools=[SERVER_TOOL])
    assert answer.json() == {"input_tokens": 12}
    assert answer.headers["x-voyager-counted-by"] == "provider"
    assert float(answer.headers["x-voyager-cost"]) == 0
    seen = provider.seen("counts")
    assert seen["last_path"] == "/counts/v1/messages/count_tokens"
    assert seen["last_body"].keys() == {"model", "messages", "tools"}


async def test_tokens_of_others_are_estimated_without_a_call(
    local: LocalService, provider: FakeProvider
) -> None:
    await define(local, provider, "guessed")
    messages = [{"role": "user", "content": "x" * 400}]
    short = await post(local, "guessed", "/count_tokens", messages=messages)
    assert short.json() == {"input_tokens": 101}
    assert short.headers["x-voyager-counted-by"] == "estimate"
    more = await post(local, "guessed", "/count_tokens", messages=messages, tools=[TOOL], system="y" * 40)
    assert more.json()["input_tokens"] > 130
    assert provider.seen("guessed")["requests"] == 0
    assert (await post(local, "nobody", "/count_tokens")).status_code == 404


async def test_a_gateway_that_counts_nothing_is_no_obstacle(
    local: LocalService, provider: FakeProvider
) -> None:
    await define(local, provider, "gateway", "anthropic", behaviour={"status": 404})
    answer = await post(local, "gateway", "/count_tokens")
    assert (answer.status_code, answer.headers["x-voyager-counted-by"]) == (200, "estimate")


async def test_a_users_requests_are_one_session(local: LocalService, provider: FakeProvider) -> None:
    for name in ("sticky-a", "sticky-b", "sticky-c"):
        await define(local, provider, name)
    await local.route("sticky", "sticky-a", "sticky-b", "sticky-c", policy="sticky")
    for user in ("ann", "bob", "cid", "dot"):
        found = {(await post(local, "sticky", metadata={"user_id": user})).headers["x-voyager-model"]
                 for _ in range(4)}  # fmt: skip
        assert len(found) == 1


async def test_models_are_listed_as_the_clients_api_shows_them(
    local: LocalService, provider: FakeProvider
) -> None:
    for name in ("a", "b", "c"):
        await define(local, provider, name)
    page = (await local.http.get("/v1/models?limit=2", headers=VERSION)).json()
    assert [one["id"] for one in page["data"]] == ["a", "b"]
    assert (page["has_more"], page["first_id"], page["last_id"]) == (True, "a", "b")
    assert page["data"][0]["type"] == "model"
    rest = (await local.http.get("/v1/models?after_id=b", headers=VERSION)).json()
    assert ([one["id"] for one in rest["data"]], rest["has_more"]) == (["c"], False)
    back = (await local.http.get("/v1/models?before_id=c&limit=1", headers=VERSION)).json()
    assert ([one["id"] for one in back["data"]], back["has_more"]) == (["b"], True)
    one = (await local.http.get("/v1/models/a", headers=VERSION)).json()
    assert (one["id"], one["display_name"]) == ("a", "a")
    for path in ("/v1/models/x", "/v1/models?limit=0"):
        refused = await local.http.get(path, headers=VERSION)
        assert refused.json()["type"] == "error"
    assert (await local.http.get("/v1/models")).json()["object"] == "list"


async def test_a_stranger_is_told_in_the_clients_words(tmp_path: Any) -> None:
    (tmp_path / "door").mkdir()
    (tmp_path / "door" / "key").write_text("let-me-in")
    service = await start(tmp_path, api_key={"name": "door", "key": "key"})
    try:
        answer = await service.http.post("/v1/messages", json={})
        assert (answer.status_code, answer.json()["error"]["type"]) == (401, "authentication_error")
    finally:
        await service.close()
