"""Stored responses: each is its owner's, no bound is ever broken, and none outlives its time."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from voyager_llm.domain.stored_responses import Bounds, Put, StoredResponse, StoredResponses

OWNERS = st.sampled_from(["ada", "bob", "eve"])
IDS = st.sampled_from([f"resp_{i}" for i in range(6)])
BOUNDS = Bounds(entries=8, bytes=40_000, lifetime_s=10.0, largest=9_500)


def response(name: str, said: bytes = b"[1]", size: int = 0) -> StoredResponse:
    return StoredResponse(name, (said,), b"[2]", b"x" * size)


class Store(RuleBasedStateMachine):
    """Against what each owner put last and when."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.store = StoredResponses(BOUNDS, lambda: self.now)
        self.put_at: dict[tuple[str, str], float] = {}

    @rule(owner=OWNERS, name=IDS, size=st.integers(0, 12_000), previous=st.none() | IDS)
    def put(self, owner: str, name: str, size: int, previous: str | None) -> None:
        before = self.store.get(owner, previous) if previous else None
        kept = self.store.put(Put(owner, response(name, size=size), previous or ""))
        if previous and before is None:
            assert not kept
        if kept:
            self.put_at[(owner, name)] = self.now
            found = self.store.get(owner, name)
            assert found is not None
            said = (*before.input, before.output, b"[1]") if before is not None else (b"[1]",)
            assert found.input == said

    @rule(owner=OWNERS, name=IDS)
    def delete(self, owner: str, name: str) -> None:
        was_there = self.store.get(owner, name) is not None
        assert self.store.delete(owner, name) is was_there
        assert self.store.get(owner, name) is None
        self.put_at.pop((owner, name), None)

    @rule(seconds=st.floats(0, 6))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    @rule(owner=OWNERS, name=IDS)
    def get(self, owner: str, name: str) -> None:
        if self.store.get(owner, name) is not None:
            assert self.put_at[(owner, name)] > self.now - BOUNDS.lifetime_s

    @invariant()
    def holds_its_bounds(self) -> None:
        assert len(self.store) <= BOUNDS.entries
        assert 0 <= self.store.bytes <= BOUNDS.bytes
        for owner in ("ada", "bob", "eve"):
            own = [found for i in range(6) if (found := self.store.get(owner, f"resp_{i}"))]
            assert len(own) <= BOUNDS.entries // 4
            assert sum(one.size for one in own) <= BOUNDS.bytes // 4
            assert all(one.size <= BOUNDS.largest for one in own)


TestStore = Store.TestCase
TestStore.settings = settings(max_examples=80, stateful_step_count=40)


def test_who_fills_the_store_pushes_out_what_is_its_own() -> None:
    store = StoredResponses(BOUNDS, lambda: 0.0)
    assert store.put(Put("ada", response("resp_0")))
    for i in range(100):
        assert store.put(Put("eve", response(f"resp_{i}")))
    assert store.get("ada", "resp_0") is not None
    assert store.get("eve", "resp_99") is not None


def test_a_response_outlives_those_that_it_goes_on_from() -> None:
    store = StoredResponses(BOUNDS, lambda: 0.0)
    store.put(Put("ada", response("resp_0", b'["one"]')))
    store.put(Put("ada", response("resp_1", b'["two"]'), "resp_0"))
    assert store.delete("ada", "resp_0")
    found = store.get("ada", "resp_1")
    assert found is not None
    assert found.input == (b'["one"]', b"[2]", b'["two"]')


@given(st.integers(0, 3))
def test_a_store_without_room_keeps_nothing(entries: int) -> None:
    store = StoredResponses(Bounds(entries, 0, 10.0, 9_500), lambda: 0.0)
    assert not store.put(Put("ada", response("resp_0")))
    assert (len(store), store.bytes) == (0, 0)
