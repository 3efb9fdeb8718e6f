"""A client's body with another model, and every other byte as it came."""

from __future__ import annotations

import json
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from voyager_llm.domain.splice import spliced

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=8) | st.sampled_from(
    ['"model"', "model", '\\"model\\": "x"', "}", "{"]
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**40), 2**40) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
)
BODIES = st.dictionaries(TEXTS, VALUES, max_size=4)


@given(BODIES, BODIES, st.sampled_from([None, 2]), st.booleans(), st.sampled_from(["", " \n"]))
def test_what_is_spliced_says_the_same_but_for_its_model(
    before: dict[str, Any], after: dict[str, Any], indent: int | None, is_ascii: bool, end: str
) -> None:
    document = {**before, "model": "gpt", **after, "model": "gpt"}  # noqa: F601 (it keeps its place)
    body = (json.dumps(document, indent=indent, ensure_ascii=is_ascii) + end).encode()
    further = {"further": 1, "options": {"include_usage": True}}
    written = spliced(body, "other/model", further)
    if written is None:
        assert body.count(b'"model"') > 1 or b"\\u006" in body
        return
    assert orjson.loads(written) == {**document, "model": "other/model", **further}


def test_every_other_byte_stays() -> None:
    body = b'{ "messages" : [{"b":1.0,"a":"\\u00e9\\/"}],\n "model":"mine", "n":1e2}\n'
    assert spliced(body, "theirs", {}) == body.replace(b"mine", b"theirs")
    assert spliced(body, "theirs", {"seed": 7}) == body.replace(b"mine", b"theirs").replace(
        b"1e2}", b'1e2,"seed":7}'
    )


@pytest.mark.parametrize(
    "body",
    [
        b'{"mod\\u0065l":"a","metadata":{"model":"b"}}',
        b'{"model":"a","metadata":{"model":"b"}}',
        b'{"model":"a","user":"model"}',
        b'{"model":"a","model":"b"}',
    ],
)
def test_where_the_bytes_do_not_tell_they_are_left_alone(body: bytes) -> None:
    assert spliced(body, "other", {}) is None
