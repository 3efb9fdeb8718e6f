"""A conversation over our RPCs says what the same one says in OpenAI's form, there and back."""

from __future__ import annotations

import json
import pickle
from contextlib import suppress
from itertools import pairwise
from typing import Any

import pytest
from google.protobuf import json_format
from google.protobuf.message import DecodeError
from hypothesis import given
from hypothesis import strategies as st

from deployments.ingress.rpc.completions import decode
from deployments.ingress.rpc.conversation import Deltas, body_of, calls_of
from voyager_llm.errors import InvalidArgument
from voyager_llm.v1 import completions_pb2 as pb

SCHEMA = {"type": "object", "properties": {"city": {"type": "string", "maxLength": 40}}, "required": ["city"]}
CONVERSATION: dict[str, Any] = {
    "model_name": "m",
    "messages": [
        {"role": "system", "content": "Be brief."},
        {"parts": [
            {"text": "What is this?"},
            {"image": {"url": "https://pictures.test/a.png", "detail": "low"}},
            {"image": {"data": "aGk=", "media_type": "image/png"}},
            {"audio": {"data": "aGk=", "format": "wav"}},
            {"file": {"data": "aGk=", "media_type": "application/pdf", "filename": "a.pdf"}},
            {"file": {"file_id": "file-1"}},
        ]},
        {"role": "assistant",
         "tool_calls": [{"id": "c1", "name": "weather", "arguments": '{"city":"Rome"}'}]},
        {"role": "tool", "tool_call_id": "c1", "content": "sunny"},
    ],
    "tools": [{"name": "weather", "description": "Of a city.", "parameters": SCHEMA, "strict": True}],
    "tool_choice": "weather",
    "parallel_tool_calls": False,
    "response_format": {"name": "report", "schema": SCHEMA, "strict": True},
}  # fmt: skip
IN_OPENAIS_FORM: dict[str, Any] = {
    "messages": [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": [
            {"type": "text", "text": "What is this?"},
            {"type": "image_url", "image_url": {"url": "https://pictures.test/a.png", "detail": "low"}},
            {"type": "image_url", "image_url": {"url": "data:image/png;base64,aGk="}},
            {"type": "input_audio", "input_audio": {"data": "aGk=", "format": "wav"}},
            {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,aGk="}},
            {"type": "file", "file": {"file_id": "file-1"}},
        ]},
        {"role": "assistant", "content": None, "tool_calls": [
            {"id": "c1", "type": "function",
             "function": {"name": "weather", "arguments": '{"city":"Rome"}'}},
        ]},
        {"role": "tool", "tool_call_id": "c1", "content": "sunny"},
    ],
    "tools": [{"type": "function", "function": {
        "name": "weather", "description": "Of a city.", "parameters": SCHEMA, "strict": True}}],
    "tool_choice": {"type": "function", "function": {"name": "weather"}},
    "parallel_tool_calls": False,
    "response_format": {"type": "json_schema",
                        "json_schema": {"name": "report", "schema": SCHEMA, "strict": True}},
}  # fmt: skip


def request(document: dict[str, Any]) -> pb.GenerateCompletionRequest:
    return json_format.ParseDict(document, pb.GenerateCompletionRequest())


def test_a_conversation_is_openais() -> None:
    body = decode(request(CONVERSATION), stream=False).body
    assert body == IN_OPENAIS_FORM
    lengths = body["tools"][0]["function"]["parameters"]["properties"]["city"]["maxLength"]
    assert json.dumps(lengths) == "40", "an integer stays one"


WRONG: dict[str, dict[str, Any]] = {
    "messages.0.parts": {"messages": [{"content": "a", "parts": [{"text": "b"}]}]},
    "messages.0.parts.1": {"messages": [{"parts": [{"text": "b"}, {}]}]},
    "messages.0.parts.0.image": {"messages": [{"parts": [{"image": {}}]}]},
    "messages.0.parts.0.image.media_type": {"messages": [{"parts": [{"image": {"data": "aGk="}}]}]},
    "messages.0.parts.0.file": {"messages": [{"parts": [{"file": {"filename": "a"}}]}]},
    "messages.0.tool_call_id": {"messages": [{"role": "tool", "content": "x"}]},
    "tools.0.name": {"messages": [{"content": "x"}], "tools": [{"description": "d"}]},
    "parameters.tools": {
        "messages": [{"content": "x"}], "tools": [{"name": "a"}], "parameters": {"tools": "[]"},
    },
    "prompt": {"tools": [{"name": "a"}]},
}  # fmt: skip


@pytest.mark.parametrize("field", WRONG)
def test_what_is_wrong_is_named(field: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        decode(request({"model_name": "m", **WRONG[field]}), stream=False)
    assert caught.value.field == field


@given(st.binary(max_size=200))
def test_any_message_is_a_body_or_an_error_of_ours(data: bytes) -> None:
    given_request = pb.GenerateCompletionRequest()
    try:
        given_request.ParseFromString(data)
    except DecodeError:
        return
    with suppress(InvalidArgument):
        assert isinstance(body_of(given_request)["messages"], list)


@given(st.text(max_size=30), st.lists(st.integers(0, 80), max_size=6))
def test_a_stream_says_what_was_said_however_its_characters_are_cut(said: str, cuts: list[int]) -> None:
    """Between the halves of a character too, as providers cut them: in units of UTF-16."""
    units = said.encode("utf-16-le", "surrogatepass")
    places = sorted({0, *(2 * cut for cut in cuts if 2 * cut < len(units)), len(units)})
    deltas = Deltas()
    heard = [
        message
        for start, end in pairwise(places)
        if (
            message := deltas.take(
                {
                    "content": units[start:end].decode("utf-16-le", "surrogatepass"),
                    "reasoning_content": units[start:end].decode("utf-16-le", "surrogatepass"),
                }
            )
        )
    ]
    assert "".join(message.delta for message in heard) == said
    assert "".join(message.reasoning for message in heard) == said


def test_the_pieces_of_several_calls_are_told_apart() -> None:
    deltas = Deltas()
    first = deltas.take({"tool_calls": [
        {"index": 0, "id": "c1", "function": {"name": "f", "arguments": '{"a":"\ud83d'}},
        {"index": 1, "id": "c2", "function": {"name": "g", "arguments": ""}},
    ]})  # fmt: skip
    second = deltas.take({"tool_calls": [{"index": 0, "function": {"arguments": '\ude42"}'}}]})
    assert first is not None
    assert second is not None
    assert [(call.index, call.id, call.name) for call in first.tool_calls] == [(0, "c1", "f"), (1, "c2", "g")]
    assert first.tool_calls[0].arguments + second.tool_calls[0].arguments == '{"a":"🙂"}'
    assert deltas.take({"role": "assistant", "content": ""}) is None


def test_half_of_a_character_alone_is_no_reason_to_fail() -> None:
    (call,) = calls_of({"tool_calls": [{"id": "c", "function": {"name": "f", "arguments": "\ud83d x"}}]})
    assert call.arguments == "\ufffd x"


def test_a_message_travels_by_pickle() -> None:
    """As Serve's own proxy sends it, where HAProxy knows no replica."""
    given_request = request(CONVERSATION)
    assert pickle.loads(pickle.dumps(given_request)) == given_request
