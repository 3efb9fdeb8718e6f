"""About how many tokens a request takes and an answer has: the same text counts the same, however put."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deployments.request.demand import demand, written_tokens
from voyager_llm.domain.completion import CompletionRequest
from voyager_llm.domain.operation import Operation

NAMES = ("type", "text", "content", "image_url", "tool_calls", "function", "file")
texts = st.text(st.characters(codec="utf-8"), max_size=60)
json = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner),
    max_leaves=10,
)


def prompt_tokens(**body: Any) -> int:
    return demand(CompletionRequest(Operation.CHAT, "m", body)).prompt_tokens


def part_tokens(*parts: dict[str, Any]) -> int:
    return prompt_tokens(messages=[{"role": "user", "content": list(parts)}])


@given(st.lists(texts, min_size=1, max_size=5))
def test_text_in_parts_counts_as_in_a_string(pieces: list[str]) -> None:
    whole = prompt_tokens(messages=[{"role": "user", "content": "".join(pieces)}])
    assert part_tokens(*({"type": "text", "text": piece} for piece in pieces)) == whole
    assert prompt_tokens(messages=[{"role": "user", "content": piece} for piece in pieces]) == whole
    assert prompt_tokens(input=pieces) == whole
    assert prompt_tokens(prompt="".join(pieces)) == whole


@pytest.mark.parametrize(
    ("part", "tokens"),
    [
        ({"type": "image_url", "image_url": {"url": "data:image/png;base64," + "A" * 10**6}}, 765),
        ({"type": "image_url", "image_url": {"url": "https://a", "detail": "low"}}, 85),
        ({"type": "image_url", "image_url": "https://a"}, 765),
        ({"type": "input_image", "detail": "low"}, 85),
        ({"type": "input_audio", "input_audio": {"data": "A" * 20_000, "format": "mp3"}}, 20),
        ({"type": "input_audio", "input_audio": {"data": "A"}}, 1),
        ({"type": "file", "file": {"file_data": "A" * 6400, "filename": "a.pdf"}}, 100),
        ({"type": "file", "file": {"file_id": "file-1"}}, 765),
        ({"type": "something new"}, 0),
    ],
)
def test_what_is_no_text_counts_by_a_rule(part: dict[str, Any], tokens: int) -> None:
    assert part_tokens(part) == tokens + 1


def test_each_token_id_is_a_token() -> None:
    assert prompt_tokens(prompt=[15_496, 995, 11]) == 4
    assert prompt_tokens(input=[[15_496, 995], [11]]) == 4


def test_calls_of_tools_count_as_text() -> None:
    function = {"name": "get_weather", "arguments": '{"city":"Paris"}'}
    message = {"role": "assistant", "content": None, "tool_calls": [{"id": "1", "function": function}]}
    assert prompt_tokens(messages=[message]) == (11 + 16) // 4 + 1
    assert written_tokens(orjson.dumps({"choices": [{"message": message}]})) == (11 + 16) // 4 + 1


def test_an_answer_counts_by_its_text_alone() -> None:
    choices = [{"message": {"content": "four" * 5, "reasoning_content": "four"}}, {"text": "four"}]
    assert written_tokens(orjson.dumps({"id": "x" * 1000, "choices": choices})) == 8
    assert written_tokens(orjson.dumps({"data": [{"embedding": [0.5] * 1000}]})) == 0
    assert written_tokens(b"") == 0


@given(json)
def test_no_body_is_refused(anything: Any) -> None:
    assert prompt_tokens(messages=anything) >= 1
    assert prompt_tokens(prompt=[anything]) >= 1
    assert written_tokens(orjson.dumps(anything if isinstance(anything, dict) else {})) >= 0
    assert written_tokens(orjson.dumps({"choices": [anything, {"message": anything}]})) >= 0
