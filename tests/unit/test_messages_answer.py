"""A chat's answer as a message of Anthropic's, whole and streamed, whatever its provider writes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deployments.ingress.anthropic.events import MessageEvents
from deployments.ingress.anthropic.message import message
from deployments.lanes.sse import frame
from voyager_llm.domain.completion import Account
from voyager_llm.domain.usage import Usage
from voyager_llm.errors import UpstreamInvalid

USAGE = Usage(
    input_tokens=20, output_tokens=7, cached_input_tokens=5, cache_write_tokens=3, reasoning_tokens=2
)


def whole(said: dict[str, Any], finish: str = "stop", **choice: Any) -> Any:
    document = {"model": "m-1", "choices": [{"index": 0, "message": said, "finish_reason": finish, **choice}]}
    return orjson.loads(message(orjson.dumps(document), Account("ok", model="m", usage=USAGE)))


def call(name: str, arguments: Any, identity: str = "c1") -> dict[str, Any]:
    return {"id": identity, "type": "function", "function": {"name": name, "arguments": arguments}}


@dataclass
class Read:
    """A stream as a client reads it, which takes blocks one after the other."""

    content: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    kinds: list[str] = field(default_factory=list[str])
    ending: dict[str, Any] = field(default_factory=dict[str, Any])
    usage: dict[str, Any] = field(default_factory=dict[str, Any])


def applied(block: dict[str, Any], delta: dict[str, Any]) -> str:
    """What a delta adds to the input of a tool; other ones add to the block."""
    match delta:
        case {"type": "text_delta", "text": text}:
            block["text"] += text
        case {"type": "thinking_delta", "thinking": text}:
            block["thinking"] += text
        case {"type": "signature_delta", "signature": text}:
            block["signature"] = text
        case {"type": "input_json_delta", "partial_json": text}:
            return str(text)
        case other:
            raise AssertionError(other)
    return ""


def read(stream: bytes) -> Read:
    """Fails where a block is opened within another, an index does not follow, or something has no end."""
    found, is_open, written = Read(), False, ""
    for event in stream.decode().split("\n\n")[:-1]:
        name, data = event.split("\n")
        told = orjson.loads(data.removeprefix("data: "))
        assert name == f"event: {told['type']}"
        found.kinds.append(told["type"])
        match told["type"]:
            case "content_block_start":
                assert not is_open
                assert told["index"] == len(found.content)
                is_open, written = True, ""
                found.content.append(dict(told["content_block"]))
            case "content_block_delta":
                assert is_open
                assert told["index"] == len(found.content) - 1
                written += applied(found.content[-1], told["delta"])
            case "content_block_stop":
                assert is_open
                assert told["index"] == len(found.content) - 1
                is_open = False
                if found.content[-1]["type"] == "tool_use":
                    found.content[-1]["input"] = orjson.loads(written or "{}")
            case "message_delta":
                found.ending, found.usage = told["delta"], told["usage"]
            case _:
                pass
    assert not is_open
    assert found.kinds[:2] == ["message_start", "ping"]
    assert found.kinds[-2:] == ["message_delta", "message_stop"]
    return found


def streamed(*deltas: dict[str, Any], finish: str = "stop") -> Read:
    events = MessageEvents("m")
    choices: list[dict[str, Any]] = [{"index": 0, "delta": delta, "finish_reason": None} for delta in deltas]
    choices.append({"index": 0, "delta": {}, "finish_reason": finish})
    blocks = [frame(orjson.dumps({"model": "m-1", "choices": [choice]})) for choice in choices]
    blocks.append(frame(b'{"choices":[],"usage":{}}'))
    return read(b"".join(events.take(block) for block in blocks) + events.end(USAGE))


def test_a_text() -> None:
    answer = whole({"role": "assistant", "content": "hello"})
    assert answer.pop("id").startswith("msg_")
    assert answer == {
        "type": "message", "role": "assistant", "model": "m-1",
        "content": [{"type": "text", "text": "hello"}], "stop_reason": "end_turn", "stop_sequence": None,
        "usage": {
            "input_tokens": 12, "cache_creation_input_tokens": 3, "cache_read_input_tokens": 5,
            "cache_creation": {"ephemeral_5m_input_tokens": 3, "ephemeral_1h_input_tokens": 0},
            "output_tokens": 7, "output_tokens_details": {"thinking_tokens": 2},
        },
    }  # fmt: skip


SIGNED = {"type": "thinking", "thinking": "hm", "signature": "s"}
HIDDEN = {"type": "redacted_thinking", "data": "x"}
F = {"type": "tool_use", "id": "c1", "name": "f"}
UNSIGNED = {"type": "thinking", "thinking": "hm", "signature": ""}
A, B = ({"type": "text", "text": text} for text in "ab")
SAID: list[tuple[dict[str, Any], list[dict[str, Any]]]] = [
    ({"content": None}, []),
    ({"content": ""}, []),
    ({"content": [A, B]}, [{"type": "text", "text": "ab"}]),
    ({"content": "a", "reasoning_content": "hm"}, [UNSIGNED, A]),
    ({"content": "a", "reasoning": "hm"}, [UNSIGNED, A]),
    ({"content": "a", "reasoning_content": "hm", "thinking_blocks": [SIGNED, HIDDEN]}, [SIGNED, HIDDEN, A]),
    ({"tool_calls": [call("f", '{"a": 1}')]}, [{**F, "input": {"a": 1}}]),
    ({"tool_calls": [call("f", "")]}, [{**F, "input": {}}]),
    ({"tool_calls": [call("f", {"a": 1})]}, [{**F, "input": {"a": 1}}]),
    ({"tool_calls": [call("f", "null")]}, [{**F, "input": {}}]),
]  # fmt: skip


@pytest.mark.parametrize(("said", "content"), SAID)
def test_blocks_of_a_whole_answer(said: dict[str, Any], content: list[dict[str, Any]]) -> None:
    assert whole(said)["content"] == content


@pytest.mark.parametrize("arguments", ['{"a":', "7", "[1]", '"x"'])
def test_arguments_that_are_no_object_are_the_models_fault(arguments: str) -> None:
    with pytest.raises(UpstreamInvalid):
        whole({"tool_calls": [call("f", arguments)]})


@pytest.mark.parametrize(
    ("finish", "said", "choice", "reason", "sequence"),
    [
        ("stop", {}, {}, "end_turn", None),
        ("length", {}, {}, "max_tokens", None),
        ("tool_calls", {"tool_calls": [call("f", "{}")]}, {}, "tool_use", None),
        ("stop", {"tool_calls": [call("f", "{}")]}, {}, "tool_use", None),
        ("content_filter", {"content": "a"}, {}, "refusal", None),
        ("stop", {"refusal": "no"}, {}, "refusal", None),
        ("stop", {}, {"stop_reason": "END"}, "stop_sequence", "END"),
        ("stop", {}, {"stop_reason": 151_645}, "end_turn", None),
        ("pause_turn", {}, {}, "pause_turn", None),
        ("model_context_window_exceeded", {}, {}, "model_context_window_exceeded", None),
        ("eos", {}, {}, "end_turn", None),
    ],
)
def test_why_it_ended(
    finish: str, said: dict[str, Any], choice: dict[str, Any], reason: str, sequence: str | None
) -> None:
    answer = whole(said, finish, **choice)
    assert (answer["stop_reason"], answer["stop_sequence"]) == (reason, sequence)
    if not choice:
        delta = {**said, "tool_calls": [{**one, "index": 0} for one in said.get("tool_calls", ())]}
        assert streamed(delta, finish=finish).ending == {"stop_reason": reason, "stop_sequence": sequence}


def test_a_stream_of_thoughts_text_and_calls() -> None:
    found = streamed(
        {"role": "assistant", "reasoning_content": "h", "thinking_blocks": [{**UNSIGNED, "thinking": "h"}]},
        {"thinking_blocks": [{**UNSIGNED, "thinking": "m"}]},
        {"thinking_blocks": [{**SIGNED, "thinking": ""}]},
        {"thinking_blocks": [HIDDEN]},
        {"content": "a"},
        {"content": "b"},
        {"tool_calls": [{"index": 0, **call("f", "")}]},
        {"tool_calls": [{"index": 0, "function": {"arguments": '{"a":'}}]},
        {"tool_calls": [{"index": 0, "function": {"arguments": " 1}"}}]},
        {"tool_calls": [{"index": 1, **call("g", "{}", "c2")}]},
        finish="tool_calls",
    )  # fmt: skip
    assert found.content == [
        SIGNED,
        HIDDEN,
        {"type": "text", "text": "ab"},
        {"type": "tool_use", "id": "c1", "name": "f", "input": {"a": 1}},
        {"type": "tool_use", "id": "c2", "name": "g", "input": {}},
    ]
    assert found.ending["stop_reason"] == "tool_use"
    assert (found.usage["input_tokens"], found.usage["output_tokens"]) == (12, 7)


def test_calls_under_one_index_are_told_apart_by_their_ids() -> None:
    found = streamed(
        {"tool_calls": [{"index": 0, **call("f", '{"a":1}', "c1")}]},
        {"tool_calls": [{"index": 0, **call("g", '{"b":2}', "c2")}]},
    )
    assert [(block["name"], block["input"]) for block in found.content] == [("f", {"a": 1}), ("g", {"b": 2})]


def test_what_comes_between_calls_ends_the_one_before() -> None:
    found = streamed(
        {"tool_calls": [{"index": 0, **call("f", '{"a":1}', "c1")}]},
        {"thinking_blocks": [HIDDEN]},
        {"tool_calls": [{"index": 1, **call("g", "{}", "c2")}]},
        {"content": "a"},
    )
    kinds = ["tool_use", "redacted_thinking", "tool_use", "text"]
    assert [block["type"] for block in found.content] == kinds


def test_a_stream_that_says_nothing_is_a_message_all_the_same() -> None:
    assert streamed().content == []
    assert read(MessageEvents("m").end(USAGE)).content == []


def test_a_piece_after_its_calls_end_is_not_lost_in_silence() -> None:
    with pytest.raises(UpstreamInvalid):
        streamed(
            {"tool_calls": [{"index": 0, **call("f", '{"a":1}', "c1")}]},
            {"tool_calls": [{"index": 1, **call("g", "{}", "c2")}]},
            {"tool_calls": [{"index": 0, "function": {"arguments": "}"}}]},
        )


objects = st.dictionaries(st.text(max_size=4), st.integers(-(2**53), 2**53) | st.text(max_size=4), max_size=3)


@given(
    thought=st.text(max_size=20),
    said=st.lists(st.text(min_size=1, max_size=5), max_size=6),
    called=st.lists(objects, max_size=4),
    data=st.data(),
)
def test_streamed_or_whole_it_is_the_same_message(
    thought: str, said: list[str], called: list[dict[str, Any]], data: st.DataObject
) -> None:
    """However the pieces of calls are cut and mixed: `read` sees to order, indexes and ends."""
    calls = [call(f"f{i}", orjson.dumps(given).decode(), f"c{i}") for i, given in enumerate(called)]
    answer = {"reasoning_content": thought, "content": "".join(said), "tool_calls": calls}
    deltas: list[dict[str, Any]] = [{"reasoning_content": thought}, *({"content": text} for text in said)]
    pieces = [_cut(i, one, data) for i, one in enumerate(calls)]
    while any(pieces):
        # A call begins behind those before it, and then their pieces come in any order.
        unbegun = next((i for i, left in enumerate(pieces) if len(left) == 2), len(pieces))
        i = data.draw(st.sampled_from([i for i, left in enumerate(pieces) if left and i <= unbegun]))
        deltas.append({"tool_calls": [pieces[i].pop(0)]})
    assert streamed(*deltas).content == whole(answer)["content"]


def _cut(index: int, one: dict[str, Any], data: st.DataObject) -> list[dict[str, Any]]:
    written = one["function"]["arguments"]
    cut = data.draw(st.integers(0, len(written)))
    first = {"index": index, **one, "function": {**one["function"], "arguments": written[:cut]}}
    return [first, {"index": index, "function": {"arguments": written[cut:]}}]
