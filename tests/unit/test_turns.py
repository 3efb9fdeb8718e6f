"""Scoring takes turns: long requests are cut in parts, and nothing is lost or put in another order."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evals.scoring import MOST_CHARACTERS, turns
from voyager_llm.errors import InvalidArgument

LENGTHS = st.lists(st.tuples(st.integers(0, 30_000), st.integers(0, 30_000)), max_size=30)


@given(LENGTHS)
def test_every_pair_has_its_turn_in_order(lengths: list[tuple[int, int]]) -> None:
    pairs = [("o" * output, "r" * reference) for output, reference in lengths]
    parts = list(turns(pairs))
    assert [pair for part in parts for pair in part] == pairs
    assert all(len(part) == 1 or sum(map(len, sum(part, ()))) <= 20_000 for part in parts)


@pytest.mark.parametrize("side", ["output", "reference"])
def test_a_text_that_takes_a_turn_of_seconds_is_refused_by_name(side: str) -> None:
    long, short = "x" * (MOST_CHARACTERS + 1), "x"
    pair = (long, short) if side == "output" else (short, long)
    with pytest.raises(InvalidArgument, match=rf"pairs\.1\.{side}"):
        list(turns([(short, short), pair]))
