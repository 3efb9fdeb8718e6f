"""A request of the Responses API says the same in both words, or names what it cannot say."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deployments.ingress.openai.responses.request import completion_request, read
from tests.unit.test_decode import JSON
from voyager_llm.domain.completion import CompletionRequest
from voyager_llm.domain.operation import Operation
from voyager_llm.domain.parameters import PARAMETERS
from voyager_llm.errors import InvalidArgument

LOOK = {"type": "function", "name": "look", "parameters": {"type": "object"}, "strict": True}
RUN = {"type": "custom", "name": "run"}
CALL = {"type": "function_call", "call_id": "call_1", "name": "look", "arguments": "{}"}
OUTPUT = {"type": "function_call_output", "call_id": "call_1", "output": "seen"}


def said(text: str, role: str = "user") -> dict[str, Any]:
    return {"type": "message", "role": role, "content": text}


def decoded(*history: dict[str, Any], **body: Any) -> CompletionRequest:
    document = {"model": "m", "input": "hi", **body}
    return completion_request(read(orjson.dumps(document)), history)


def messages(*items: dict[str, Any]) -> list[dict[str, Any]]:
    request = decoded(input=list(items))
    assert request.obstacle() is None
    return request.body["messages"]


@pytest.mark.parametrize(
    ("asked", "chat"),
    [
        ({"temperature": 0.5, "user": "ada"}, {"temperature": 0.5, "user": "ada"}),
        ({"max_output_tokens": 9}, {"max_tokens": 9}),
        ({"reasoning": {"effort": "low", "summary": "auto"}}, {"reasoning_effort": "low"}),
        ({"text": {"verbosity": "low", "format": {"type": "text"}}}, {"verbosity": "low"}),
        ({"text": {"format": {"type": "json_object"}}}, {"response_format": {"type": "json_object"}}),
        (
            {"text": {"format": {"type": "json_schema", "name": "a", "schema": {}, "strict": True}}},
            {"response_format": {
                "type": "json_schema", "json_schema": {"name": "a", "schema": {}, "strict": True}}},
        ),
        ({"top_logprobs": 2}, {"logprobs": True, "top_logprobs": 2}),
        ({"include": ["message.output_text.logprobs"]}, {"logprobs": True}),
        ({"tool_choice": "auto", "parallel_tool_calls": False}, {}),
        ({"store": True, "metadata": {"a": "b"}, "max_tool_calls": 3, "truncation": "disabled"}, {}),
        ({"top_k": 5}, {"top_k": 5}),
    ],
)  # fmt: skip
def test_parameters_are_said_in_the_chats_words(asked: dict[str, Any], chat: dict[str, Any]) -> None:
    request = decoded(**asked)
    assert request.obstacle() is None
    assert {name: value for name, value in request.body.items() if name != "messages"} == chat


def test_every_parameter_is_said_refused_or_known_to_change_no_answer() -> None:
    """One that is added to the table has to be thought about here."""
    hints = {
        "include",
        "max_tool_calls",
        "metadata",
        "prompt_cache_options",
        "store",
        "stream",
        "stream_options",
    }
    state = {"background", "conversation", "previous_response_id"}
    translated = {
        "input", "instructions", "max_output_tokens", "parallel_tool_calls", "prompt_cache_key",
        "prompt_cache_retention", "reasoning", "safety_identifier", "service_tier", "temperature", "text",
        "tool_choice", "tools", "top_logprobs", "top_p", "user",
    }  # fmt: skip
    native = {"context_management", "moderation", "prompt", "truncation"}
    assert PARAMETERS[Operation.RESPONSES].keys() == hints | state | translated | native


@pytest.mark.parametrize(
    ("choice", "chat"),
    [
        ("required", "required"),
        ({"type": "function", "name": "look"}, {"type": "function", "function": {"name": "look"}}),
        ({"type": "custom", "name": "run"}, {"type": "function", "function": {"name": "run"}}),
    ],
)
def test_tools_are_functions(choice: Any, chat: Any) -> None:
    body = decoded(tools=[LOOK, RUN], tool_choice=choice, parallel_tool_calls=False).body
    look, run = body["tools"]
    assert look == {
        "type": "function",
        "function": {"name": "look", "parameters": {"type": "object"}, "strict": True},
    }
    assert list(run["function"]["parameters"]["properties"]) == ["input"]
    assert (body["tool_choice"], body["parallel_tool_calls"]) == (chat, False)


def test_of_allowed_tools_the_others_are_not_told() -> None:
    choice = {"type": "allowed_tools", "mode": "required", "tools": [{"type": "function", "name": "look"}]}
    body = decoded(tools=[LOOK, RUN], tool_choice=choice).body
    assert [tool["function"]["name"] for tool in body["tools"]] == ["look"]
    assert body["tool_choice"] == "required"
    choice["tools"] = [{"type": "function", "name": "other"}]
    obstacle = decoded(tools=[LOOK], tool_choice=choice).obstacle()
    assert obstacle is not None
    assert obstacle.field == "tool_choice.tools"


def test_what_a_model_said_in_one_turn_is_one_message() -> None:
    thought = {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "Hm."}]}
    second = {**CALL, "call_id": "call_2"}
    assert messages(said("hi"), thought, said("Let me see.", "assistant"), CALL, second, OUTPUT) == [
        {"role": "user", "content": "hi"},
        {
            "role": "assistant", "content": "Let me see.", "reasoning_content": "Hm.",
            "tool_calls": [
                {"id": "call_1", "type": "function", "function": {"name": "look", "arguments": "{}"}},
                {"id": "call_2", "type": "function", "function": {"name": "look", "arguments": "{}"}},
            ],
        },
        {"role": "tool", "tool_call_id": "call_1", "content": "seen"},
    ]  # fmt: skip


def test_what_is_said_after_a_call_does_not_part_it_from_its_output() -> None:
    turn, tool = messages(said("a", "assistant"), CALL, said("b", "assistant"), OUTPUT)
    assert turn["content"] == [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]
    assert tool["role"] == "tool"


def test_two_turns_stay_two() -> None:
    assert len(messages(said("a", "assistant"), said("b", "assistant"))) == 2
    kinds = [message["role"] for message in messages(CALL, OUTPUT, CALL, OUTPUT)]
    assert kinds == ["assistant", "tool", "assistant", "tool"]


def test_parts_are_the_chats() -> None:
    parts = [
        {"type": "input_text", "text": "See:"},
        {"type": "input_image", "image_url": "data:image/png;base64,AA", "detail": "low"},
        {"type": "input_file", "filename": "a.pdf", "file_data": "data:application/pdf;base64,AA"},
        {"type": "input_audio", "input_audio": {"data": "AA", "format": "wav"}},
    ]
    (message,) = messages({"role": "user", "content": parts})
    assert message["content"] == [
        {"type": "text", "text": "See:"},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA", "detail": "low"}},
        {"type": "file", "file": {"file_data": "data:application/pdf;base64,AA", "filename": "a.pdf"}},
        {"type": "input_audio", "input_audio": {"data": "AA", "format": "wav"}},
    ]


def test_instructions_come_first_and_errors_name_the_clients_own_items() -> None:
    request = decoded(said("before"), input=[said("after")], instructions="Be brief.")
    roles = [(message["role"], message["content"]) for message in request.body["messages"]]
    assert roles == [("system", "Be brief."), ("user", "before"), ("user", "after")]
    search = {"type": "web_search_call", "id": "ws_1"}
    for history, added, field in (([search], [said("a")], "previous_response_id"), ([], [search], "input.0")):
        obstacle = decoded(*history, input=added).obstacle()
        assert obstacle is not None
        assert obstacle.field == field


def test_the_providers_words_are_the_clients_bytes() -> None:
    body = b'{ "model":"m", "input" : "h\\u00e9", "store": false,\n "temperature":1.0}'
    request = completion_request(read(body), ())
    assert request.original is not None
    assert request.original.body == body
    kept = body.replace(b' "store": false,', b"")
    request = completion_request(read(kept), ())
    assert request.original is not None
    assert request.original.body == kept.replace(b"1.0}", b'1.0,"store":false}')
    assert request.original.document["store"] is False


@given(JSON)
def test_any_json_is_a_request_or_an_error_of_ours(value: Any) -> None:
    with suppress(InvalidArgument):
        completion_request(read(orjson.dumps(value)), ())


VALUES = JSON | st.sampled_from(
    [[{"type": kind, "role": "user", "content": [{"type": "input_text"}]}] for kind in
     ("message", "reasoning", "function_call", "function_call_output", "custom_tool_call", "x", 5)]
)  # fmt: skip


@given(st.sampled_from(sorted(PARAMETERS[Operation.RESPONSES])), VALUES)
def test_any_value_is_a_request_or_an_error_of_ours(name: str, value: Any) -> None:
    with suppress(InvalidArgument):
        decoded(**{name: value})


@pytest.mark.parametrize("name", ["input", "tools", "metadata", "text"])
def test_a_body_that_cannot_be_written_again_is_refused(name: str) -> None:
    deep = b'{"a":' * 300 + b"1" + b"}" * 300
    value = deep if name in ("metadata", "text") else b"[" + deep + b"]"
    with pytest.raises(InvalidArgument):
        read(b'{"model":"m","input":"hi","' + name.encode() + b'":' + value + b"}")
