"""The Responses API with OpenAI's own client, over upstreams in every shape, in one process."""

from __future__ import annotations

from typing import Any

import openai
import orjson
import pytest
from openai.types.responses import Response
from pydantic import BaseModel

from scripts.fake_provider.formats import SIGNATURE
from scripts.fake_provider.running import FakeProvider
from tests.support.responses import (
    EVENT,
    NATIVE,
    TRANSLATED,
    WEATHER,
    check_events,
    client_of,
    define,
    events_of,
    speak_responses,
)
from tests.support.service import LocalService

UPSTREAMS = [NATIVE, *TRANSLATED]
SAID = "Hello from the fake provider"


@pytest.mark.parametrize("upstream", UPSTREAMS)
async def test_a_response_is_read_by_openais_own_types(
    local: LocalService, provider: FakeProvider, upstream: str
) -> None:
    await define(local, provider, upstream, f"whole-{upstream}")
    answer = await local.http.post(
        "/v1/responses",
        json={"model": f"whole-{upstream}", "input": "hi", "instructions": "Be brief.",
              "metadata": {"of": "mine"}, "tools": [WEATHER], "max_output_tokens": 64},
    )  # fmt: skip
    assert answer.status_code == 200, answer.text
    response = Response.model_validate(answer.json())
    assert (response.output_text, response.status, response.error) == (SAID, "completed", None)
    assert response.id.startswith("resp_")
    assert (response.instructions, response.metadata) == ("Be brief.", {"of": "mine"})
    assert response.usage is not None
    assert (response.usage.input_tokens, response.usage.output_tokens, response.usage.total_tokens) == (
        12, 5, 17,
    )  # fmt: skip
    assert answer.headers["x-voyager-model"] == f"whole-{upstream}"
    assert answer.headers["x-request-id"] == answer.headers["x-voyager-trace-id"]
    assert answer.json()["store"] is True


@pytest.mark.parametrize("upstream", UPSTREAMS)
async def test_a_stream_has_every_event_in_order(
    local: LocalService, provider: FakeProvider, upstream: str
) -> None:
    await define(local, provider, upstream, f"stream-{upstream}")
    body = {"model": f"stream-{upstream}", "input": "hi", "stream": True}
    events = events_of((await local.http.post("/v1/responses", json=body)).text)
    response = check_events(events)
    assert response["output"][0]["content"][0]["text"] == SAID
    assert response["usage"]["output_tokens"] == 5
    ids = {event["response"]["id"] for event in events if "response" in event}
    assert ids == {response["id"]}


@pytest.mark.parametrize("upstream", UPSTREAMS)
async def test_openais_client_streams_and_parses(
    local: LocalService, provider: FakeProvider, upstream: str
) -> None:
    class Greeting(BaseModel):
        word: str

    client = client_of(local)
    name = f"sdk-{upstream}"
    await define(local, provider, upstream, name, text='{"word": "hello"}')
    async with client.responses.stream(model=name, input="hi", text_format=Greeting) as stream:
        kinds = [event.type async for event in stream]
        final = await stream.get_final_response()
    assert (kinds[0], kinds[-1]) == ("response.created", "response.completed")
    assert final.output_parsed == Greeting(word="hello")
    parsed = await client.responses.parse(model=name, input="hi", text_format=Greeting)
    assert parsed.output_parsed == Greeting(word="hello")


@pytest.mark.parametrize("upstream", UPSTREAMS)
@pytest.mark.parametrize("stream", [False, True])
async def test_a_tool_is_called_and_its_output_goes_back(
    local: LocalService, provider: FakeProvider, upstream: str, stream: bool
) -> None:
    caller, speaker = f"tool-{upstream}-{stream}", f"said-{upstream}-{stream}"
    await local.model(speaker, provider.profile(speaker))
    await define(local, provider, upstream, caller, tool_call=True)
    client = client_of(local)
    tools: Any = [WEATHER]
    if stream:
        async with client.responses.stream(model=caller, input="Weather in Paris?", tools=tools) as events:
            first = await events.get_final_response()
    else:
        first = await client.responses.create(model=caller, input="Weather in Paris?", tools=tools)
    (call,) = first.output
    assert call.type == "function_call"
    assert (call.name, orjson.loads(call.arguments)) == ("get_weather", {"city": "Paris"})
    second = await client.responses.create(
        model=speaker,
        previous_response_id=first.id,
        input=[{"type": "function_call_output", "call_id": call.call_id, "output": "21 degrees"}],
    )
    assert second.output_text == SAID
    assert second.previous_response_id == first.id
    user, turn, tool = provider.seen(speaker)["last_body"]["messages"]
    assert user == {"role": "user", "content": "Weather in Paris?"}
    assert turn["tool_calls"][0]["id"] == tool["tool_call_id"] == call.call_id
    assert orjson.loads(turn["tool_calls"][0]["function"]["arguments"]) == {"city": "Paris"}
    assert tool["content"] == "21 degrees"


async def test_a_model_that_speaks_it_gets_the_clients_bytes_and_keeps_nothing(
    local: LocalService, provider: FakeProvider
) -> None:
    await define(local, provider, NATIVE, "bytes")
    body: dict[str, Any] = {
        "input": [{"role": "user", "content": [{"type": "input_text", "text": "hi"}]}],
        "tools": [{"type": "web_search"}, {"type": "mcp", "server_label": "a", "server_url": "https://a.example"}],
        "truncation": "auto",
    }  # fmt: skip
    answer = await local.http.post("/v1/responses", json={"model": "bytes", **body})
    assert answer.status_code == 200, answer.text
    seen = provider.seen("bytes")
    assert seen["last_path"] == "/bytes/v1/responses"
    assert seen["last_body"] == {"model": "gpt-4o-mini", **body, "store": False}
    assert answer.json()["id"] != "resp_fake"
    alone = await local.http.post("/v1/responses", json={"model": "bytes", **body, "store": False})
    # What is not kept is the provider's answer, as it is.
    assert (alone.json()["id"], alone.json()["store"]) == ("resp_fake", False)


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ({"background": True}, "background"),
        ({"conversation": "conv_1"}, "conversation"),
        ({"truncation": "auto"}, "truncation"),
        ({"prompt": {"id": "pmpt_1"}}, "prompt"),
        ({"tools": [WEATHER, {"type": "web_search"}]}, "tools.1.type"),
        ({"tools": [{"type": "mcp", "server_url": "https://a.example"}]}, "tools.0.type"),
        ({"tools": [{"type": "custom", "name": "a", "format": {"type": "grammar"}}]}, "tools.0.format"),
        ({"input": [{"type": "item_reference", "id": "msg_1"}]}, "input.0"),
        ({"input": [{"type": "web_search_call", "id": "ws_1"}]}, "input.0"),
        ({"input": [{"role": "user", "content": [{"type": "input_image", "file_id": "file_1"}]}]},
         "input.0.content.0.file_id"),
        ({"include": ["all of it"]}, "include"),
        ({"reasoning": {"mode": "pro"}}, "reasoning.mode"),
        ({"text": {"format": {"type": "grammar"}}}, "text.format.type"),
        ({"max_output_tokens": 0}, "max_output_tokens"),
        ({"max_completion_tokens": 5}, "max_completion_tokens"),
        ({"input": []}, "input"),
        ({"api_base": "http://a.example"}, "api_base"),
    ],
)  # fmt: skip
async def test_what_would_be_lost_is_refused_by_name(
    local: LocalService, provider: FakeProvider, asked: dict[str, Any], field: str
) -> None:
    await local.model("chats", provider.profile("chats"))
    answer = await local.http.post("/v1/responses", json={"model": "chats", "input": "hi", **asked})
    assert answer.status_code == 400, answer.text
    assert answer.json()["error"]["param"] == field
    assert provider.seen("chats")["requests"] == 0


async def test_a_route_answers_by_whoever_can(local: LocalService, provider: FakeProvider) -> None:
    """A tool of OpenAI's own goes past the models that lack it; all else goes where the route says."""
    await local.model("plain", provider.profile("plain"))
    await local.model("speaks", provider.profile("speaks"), provider="openai")
    await local.route("mixed", "plain", fallbacks=["speaks"])
    await speak_responses(local, "speaks")
    asked = {"model": "mixed", "input": "hi"}
    answer = await local.http.post("/v1/responses", json={**asked, "tools": [{"type": "web_search"}]})
    assert answer.headers["x-voyager-model"] == "speaks"
    assert (await local.http.post("/v1/responses", json=asked)).headers["x-voyager-model"] == "plain"


@pytest.mark.parametrize("upstream", ["openai", "anthropic"])
@pytest.mark.parametrize("summary", [None, "auto"])
async def test_thoughts_are_shown_and_go_back_signed(
    local: LocalService, provider: FakeProvider, upstream: str, summary: str | None
) -> None:
    name = f"thinks-{upstream}-{summary}"
    await define(local, provider, upstream, name, thought="The user greets.")
    body: dict[str, Any] = {"model": name, "input": "hi", "reasoning": {"effort": "low", "summary": summary}}
    events = events_of((await local.http.post("/v1/responses", json={**body, "stream": True})).text)
    response = check_events(events)
    thought, message = response["output"]
    shown = thought["summary" if summary else "content"]
    assert [part["text"] for part in shown] == ["The user greets."]
    assert message["content"][0]["text"] == SAID
    kinds = {event["type"] for event in events}
    assert ("response.reasoning_summary_text.done" in kinds) is bool(summary)
    assert ("response.reasoning_text.done" in kinds) is not bool(summary)
    whole = (await local.http.post("/v1/responses", json=body)).json()
    assert [item["type"] for item in whole["output"]] == ["reasoning", "message"]
    follow = {"model": name, "input": "more", "previous_response_id": response["id"]}
    assert (await local.http.post("/v1/responses", json=follow)).status_code == 200
    turn = provider.seen(name)["last_body"]["messages"][-2]
    if upstream == "anthropic":
        assert turn["content"][0] == {
            "type": "thinking", "thinking": "The user greets.", "signature": SIGNATURE
        }  # fmt: skip
    else:
        assert turn["reasoning_content"] == "The user greets."


async def test_an_answer_that_was_cut_off_says_why(local: LocalService, provider: FakeProvider) -> None:
    cut = {"choices": [{"index": 0, "message": {"role": "assistant", "content": "Hel"},
                        "finish_reason": "length"}]}  # fmt: skip
    await local.model("cut", provider.profile("cut", raw=orjson.dumps(cut).decode()))
    await define(local, provider, NATIVE, "cut-native", incomplete="max_output_tokens")
    for name in ("cut", "cut-native"):
        response = (await local.http.post("/v1/responses", json={"model": name, "input": "hi"})).json()
        Response.model_validate(response)
        assert response["status"] == "incomplete"
        assert response["incomplete_details"] == {"reason": "max_output_tokens"}
    body = {"model": "cut-native", "input": "hi", "stream": True}
    events = events_of((await local.http.post("/v1/responses", json=body)).text)
    assert events[-1]["type"] == "response.incomplete"
    assert check_events(events)["status"] == "incomplete"


@pytest.mark.parametrize(
    ("upstream", "behaviour"),
    [
        ("openai", {"truncate_after": 2}),
        ("anthropic", {"error_after": 4}),
        (NATIVE, {"truncate_after": 5}),
        (NATIVE, {"fails_created": True}),
    ],
)
async def test_a_stream_that_fails_once_it_has_begun_says_so(
    local: LocalService, provider: FakeProvider, upstream: str, behaviour: dict[str, Any]
) -> None:
    name = f"breaks-{upstream}-{next(iter(behaviour))}"
    await define(local, provider, upstream, name, **behaviour)
    body = {"model": name, "input": "hi", "stream": True}
    events = events_of((await local.http.post("/v1/responses", json=body)).text)
    assert events[0]["type"] == "response.created"
    last = events[-1]
    assert (last["type"], last["sequence_number"]) == ("response.failed", len(events) - 1)
    EVENT.validate_python(last)
    assert (last["response"]["status"], last["response"]["error"]["code"]) == ("failed", "server_error")
    assert last["response"]["error"]["trace_id"]
    # It came to nothing, so it is not kept.
    with pytest.raises(openai.NotFoundError):
        await client_of(local).responses.retrieve(last["response"]["id"])


async def test_what_fails_before_is_an_error_as_on_every_path(
    local: LocalService, provider: FakeProvider
) -> None:
    for stream in (False, True):
        name = f"busy-{stream}"
        await local.model(name, provider.profile(name, status=429, retry_after="7"))
        body = {"model": name, "input": "hi", "stream": stream}
        answer = await local.http.post("/v1/responses", json=body)
        assert (answer.status_code, answer.headers["retry-after"]) == (429, "7")
        assert answer.json()["error"]["code"] == "upstream_rate_limited"
    missing = await local.http.post("/v1/responses", json={"model": "nobody", "input": "hi"})
    assert (missing.status_code, missing.json()["error"]["param"]) == (404, "model")


async def test_limits_are_told_in_openais_headers(local: LocalService, provider: FakeProvider) -> None:
    limits = {"requests_per_minute": 1}
    await local.model("limited", provider.profile("limited"), rate_limits=limits)
    body = {"model": "limited", "input": "hi"}
    first, second = [await local.http.post("/v1/responses", json=body) for _ in range(2)]
    assert (first.status_code, first.headers["x-ratelimit-remaining-requests"]) == (200, "0")
    assert (second.status_code, second.headers["x-ratelimit-limit-requests"]) == (429, "1")


async def test_a_custom_tool_is_called_with_its_text(local: LocalService, provider: FakeProvider) -> None:
    function = {"name": "run", "arguments": '{"input": "print(1)"}'}
    call = {"id": "call_7", "type": "function", "function": function}
    said = {"choices": [{"index": 0, "message": {"role": "assistant", "content": None, "tool_calls": [call]},
                         "finish_reason": "tool_calls"}]}  # fmt: skip
    await local.model("codes", provider.profile("codes", raw=orjson.dumps(said).decode()))
    client = client_of(local)
    tools: Any = [{"type": "custom", "name": "run", "description": "Runs code."}]
    first = await client.responses.create(model="codes", input="go", tools=tools)
    (called,) = first.output
    assert called.type == "custom_tool_call"
    assert (called.call_id, called.name, called.input) == ("call_7", "run", "print(1)")
    output: Any = {"type": "custom_tool_call_output", "call_id": "call_7", "output": "1"}
    await client.responses.create(model="codes", input=[output], previous_response_id=first.id, tools=tools)
    turn, tool = provider.seen("codes")["last_body"]["messages"][1:]
    assert orjson.loads(turn["tool_calls"][0]["function"]["arguments"]) == {"input": "print(1)"}
    assert tool == {"role": "tool", "tool_call_id": "call_7", "content": "1"}


async def test_a_stored_prompt_answers_too(local: LocalService, provider: FakeProvider) -> None:
    prompt = {"name": "greeting", "version": "1.0.0", "template": "Greet {{ who }}",
              "parameters": [{"name": "who", "required": True}]}  # fmt: skip
    assert (await local.http.post("/api/v1/prompts", json=prompt)).status_code == 201
    await define(local, provider, NATIVE, "prompted")
    body: dict[str, Any] = {"model": "prompt:greeting", "target": "prompted", "variables": {"who": "Ada"}}
    answer = await local.http.post("/v1/responses", json={**body, "input": "now"})
    assert answer.status_code == 200, answer.text
    said = [message["content"] for message in provider.seen("prompted")["last_body"]["messages"]]
    assert said == ["Greet Ada", "now"]


async def test_tokens_are_counted_without_an_answer(local: LocalService, provider: FakeProvider) -> None:
    await local.model("counts", provider.profile("counts"))
    client = client_of(local)
    few = await client.responses.input_tokens.count(model="counts", input="hi")
    tools: Any = [WEATHER]
    more = await client.responses.input_tokens.count(model="counts", input="hi " * 100, tools=tools)
    assert few.object == "response.input_tokens"
    assert 0 < few.input_tokens < 10 < 75 < more.input_tokens
    assert provider.seen("counts")["requests"] == 0
