"""The cache that is bounded by weight."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from voyager_llm.kept import Kept

LIMIT = 100


@given(st.lists(st.tuples(st.integers(0, 8), st.integers(0, 120)), max_size=60))
def test_it_holds_the_last_used_that_fit(puts: list[tuple[int, int]]) -> None:
    kept: Kept[int, int] = Kept(LIMIT)
    order: dict[int, int] = {}
    for key, size in puts:
        assert kept.put(key, size, size) == size, "what does not fit is given back all the same"
        order.pop(key, None)
        order[key] = size
        while sum(order.values()) > LIMIT:
            order.pop(next(iter(order)))
        assert kept.bytes == sum(order.values()) <= LIMIT
    for key in range(9):
        assert kept.get(key) == order.get(key)


def test_what_is_used_stays() -> None:
    kept: Kept[str, int] = Kept(LIMIT)
    kept.put("a", 1, 40)
    kept.put("b", 2, 40)
    assert kept.get("a") == 1
    kept.put("c", 3, 40)
    assert (kept.get("a"), kept.get("b"), kept.get("c")) == (1, None, 3)
