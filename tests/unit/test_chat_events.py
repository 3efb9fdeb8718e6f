"""A chat's stream is read chunk by chunk, however its events are put together in blocks."""

from __future__ import annotations

import pytest

from deployments.ingress.chat_events import chunks, first_choice
from voyager_llm.errors import UpstreamInvalid


def test_a_block_may_hold_several_events() -> None:
    block = b'data: {"a":1}\n\ndata:{"b":"\\ud83d"}\n\n'
    assert list(chunks(block)) == [{"a": 1}, {"b": "\ud83d"}]


@pytest.mark.parametrize("block", [b"data: {\n\n", b"data: []\n\n", b"data: 7\n\n"])
def test_what_is_no_chunk_is_the_providers_fault(block: bytes) -> None:
    with pytest.raises(UpstreamInvalid):
        list(chunks(block))


def test_the_first_choice_is_told_from_the_others() -> None:
    other = {"index": 1, "delta": {"content": "b"}}
    assert first_choice({"choices": [other, {"index": 0, "delta": {}}]}) == {"index": 0, "delta": {}}
    assert first_choice({"choices": [other]}) == {}
    assert first_choice({"choices": None}) == first_choice({}) == {}
