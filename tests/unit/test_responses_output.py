"""Whatever a chat says, in whichever pieces: its response tells all of it, by events in OpenAI's order."""

from __future__ import annotations

from typing import Any

import orjson
from hypothesis import example, given
from hypothesis import strategies as st

from deployments.ingress.openai.responses.native import NativeReply
from deployments.ingress.openai.responses.request import Asked, read
from deployments.ingress.openai.responses.translated import TranslatedReply
from deployments.lanes.sse import frame
from scripts.fake_provider.formats import Responses
from scripts.fake_provider.profiles import Profile
from tests.support.responses import check_events, events_of
from voyager_llm.domain.usage import Usage

TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=5)
USED = Usage(input_tokens=3, output_tokens=4, reasoning_tokens=1)
CUSTOM = {"type": "custom", "name": "run"}


def asked(**body: Any) -> Asked:
    return read(orjson.dumps({"model": "m", "input": "hi", "stream": True, "tools": [CUSTOM], **body}))


def call(index: int, name: str = "", arguments: str = "", call_id: str = "") -> dict[str, Any]:
    function = {"name": name or None, "arguments": arguments}
    return {"tool_calls": [{"index": index, "id": call_id or None, "function": function}]}


DELTAS = st.one_of(
    st.builds(lambda text: {"content": text}, TEXT),
    st.builds(lambda text: {"reasoning_content": text}, TEXT),
    st.builds(lambda text: {"refusal": text}, TEXT),
    st.builds(lambda text: {"thinking_blocks": [{"type": "thinking", "thinking": text}]}, TEXT),
    st.builds(call, st.integers(0, 2), st.sampled_from(["", "run", "look"]), TEXT | st.just(""),
              st.sampled_from(["", "call_a", "call_b"])),
    st.just({"images": [{"image_url": {"url": "data:image/png;base64,AAAA"}}]}),
    st.just({"annotations": [{"type": "url_citation", "url_citation": {"url": "https://a.example"}}]}),
    st.just({}),
)  # fmt: skip


def blocks(deltas: list[dict[str, Any]], finish: str) -> list[bytes]:
    chunks: list[Any] = [{"model": "theirs", "choices": [{"index": 0, "delta": delta}]} for delta in deltas]
    chunks.append({"model": "theirs", "choices": [{"index": 0, "delta": {}, "finish_reason": finish}]})
    return [frame(orjson.dumps(chunk)) for chunk in chunks]


def told(reply: TranslatedReply | NativeReply, pieces: list[bytes]) -> list[dict[str, Any]]:
    text = b"".join(map(reply.take, pieces))
    events, response = reply.end(USED)
    return events_of((text + events + reply.last(response)).decode())


@given(st.lists(DELTAS, max_size=12), st.sampled_from(["stop", "tool_calls", "length", "content_filter"]))
@example([call(0, "look", '{"a"'), call(1, "look", "{}", "call_b"), call(0, arguments=": 1}")], "tool_calls")
@example([call(0, "", '{"input"', "call_a"), call(0, "run", ': "x"}')], "tool_calls")
def test_events_keep_their_order_and_lose_nothing(deltas: list[dict[str, Any]], finish: str) -> None:
    response = check_events(told(TranslatedReply(asked(), "resp_1"), blocks(deltas, finish)))
    assert response["model"] == "theirs"
    assert response["status"] == ("incomplete" if finish in ("length", "content_filter") else "completed")
    written = [part for item in response["output"] if item["type"] == "message" for part in item["content"]]
    for kind, name, text in (("content", "output_text", "text"), ("refusal", "refusal", "refusal")):
        said = "".join(delta.get(kind, "") for delta in deltas)
        assert "".join(part[text] for part in written if part["type"] == name) == said
    # Clients parse them, also where a model wrote none.
    assert all(item["arguments"] for item in response["output"] if item["type"] == "function_call")
    thought = "".join(delta.get("reasoning_content", "") for delta in deltas)
    items = [item for item in response["output"] if item["type"] == "reasoning"]
    assert "".join(part["text"] for item in items for part in item["content"]) == thought


@given(st.lists(DELTAS, max_size=8))
def test_a_whole_answer_is_what_its_stream_comes_to(deltas: list[dict[str, Any]]) -> None:
    """Ids apart, which are made for each."""
    message: dict[str, Any] = {"content": "".join(d.get("content", "") for d in deltas)}
    message["tool_calls"] = [c for d in deltas for c in d.get("tool_calls", ())][:1]
    body = {"model": "theirs", "choices": [{"index": 0, "message": message, "finish_reason": "stop"}]}
    whole = TranslatedReply(asked(), "resp_1").whole(orjson.dumps(body), USED)
    streamed = check_events(told(TranslatedReply(asked(), "resp_1"), blocks([message], "stop")))
    assert [_plain(item) for item in whole["output"]] == [_plain(item) for item in streamed["output"]]


def _plain(item: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in item.items() if name not in ("id", "call_id")}


@given(st.lists(DELTAS, max_size=6))
def test_a_stream_that_fails_ends_with_what_was_said(deltas: list[dict[str, Any]]) -> None:
    reply = TranslatedReply(asked(), "resp_1")
    text = b"".join(map(reply.take, blocks(deltas, "stop")[:-1]))
    text += reply.failed({"code": "server_error", "message": "gone"})
    events = events_of(text.decode())
    response = events[-1]["response"]
    assert events[-1]["sequence_number"] == len(events) - 1
    assert response["status"] == "failed"
    said = "".join(delta.get("content", "") for delta in deltas)
    written = [part for item in response["output"] if item["type"] == "message" for part in item["content"]]
    assert "".join(part.get("text", "") for part in written) == said


@given(st.booleans(), st.booleans(), st.integers(1, 40), st.sampled_from(["", "max_output_tokens"]))
def test_a_native_stream_stays_as_it_came_but_for_what_is_ours(
    store: bool, tool: bool, tokens: int, incomplete: str
) -> None:
    profile = Profile(tokens=tokens, tool_call=tool, thought="The user greets.", incomplete=incomplete)
    came = list(Responses.events(profile, {}))
    reply = NativeReply(asked(store=store), "resp_ours")
    sent = b"".join(map(reply.take, came))
    events, response = reply.end(USED)
    sent += events + reply.last(response)
    if not store:
        assert sent == b"".join(came)
        return
    ours, theirs = events_of(sent.decode()), events_of(b"".join(came).decode())
    check_events(ours)
    for mine, other in zip(ours, theirs, strict=True):
        if "response" in other:
            other["response"] |= {"id": "resp_ours", "store": True}
        assert mine == other
