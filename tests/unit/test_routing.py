"""Pure decisions of routing: policies, retries, quotas."""

from __future__ import annotations

import random
from collections import Counter
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voyager_llm.domain.policies import ORDERS, Candidate, sticky, weighted
from voyager_llm.domain.quota import ModelQuota, SlidingWindow
from voyager_llm.domain.retry import RetryBudget, backoff_s, full_jitter
from voyager_llm.domain.route import Policy


def candidate(name: str, weight: float = 1.0, **fields: object) -> Candidate:
    return Candidate(
        name, weight, int(str(fields.get("in_flight", 0))), float(str(fields.get("load", 0))),
        Decimal(str(fields.get("price", 0))),
    )  # fmt: skip


CANDIDATES = st.lists(
    st.builds(
        Candidate,
        st.uuids().map(str),
        st.floats(0.001, 1000),
        st.integers(0, 1000),
        st.floats(0, 100),
        st.decimals(0, 10, places=6),
    ),
    min_size=1,
    max_size=20,
)


@given(CANDIDATES, st.sampled_from(list(Policy)), st.text(max_size=20), st.integers())
def test_every_policy_orders_all_targets(
    candidates: list[Candidate], policy: Policy, session: str, seed: int
) -> None:
    ordered = ORDERS[policy](candidates, session, random.Random(seed))
    assert sorted(c.name for c in ordered) == sorted(c.name for c in candidates)


def test_weights_are_shares_of_the_traffic() -> None:
    rng = random.Random(7)
    both = [candidate("a", 3), candidate("b", 1)]
    first = Counter(weighted(both, "", rng)[0].name for _ in range(20_000))
    assert first["a"] / 20_000 == pytest.approx(0.75, abs=0.02)


def test_least_in_flight_takes_the_idler_of_two() -> None:
    both = [candidate("busy", in_flight=10), candidate("idle")]
    assert ORDERS[Policy.LEAST_IN_FLIGHT](both, "", random.Random(1))[0].name == "idle"


def test_peak_ewma_takes_the_faster_of_two() -> None:
    both = [candidate("slow", load=2.0), candidate("fast", load=0.1)]
    assert ORDERS[Policy.PEAK_EWMA](both, "", random.Random(1))[0].name == "fast"


def test_cheapest_comes_first() -> None:
    three = [candidate("dear", price="0.9"), candidate("cheap", price="0.1"), candidate("mid", price="0.5")]
    assert [c.name for c in ORDERS[Policy.CHEAPEST](three, "", random.Random())] == ["cheap", "mid", "dear"]


@given(st.text(min_size=1, max_size=30))
def test_a_session_stays_and_only_the_lost_share_moves(session: str) -> None:
    rng = random.Random()
    five = [candidate(name) for name in "abcde"]
    first = sticky(five, session, rng)[0].name
    assert sticky(list(reversed(five)), session, rng)[0].name == first
    others = [c for c in five if c.name != ("a" if first != "a" else "b")]
    assert sticky(others, session, rng)[0].name == first


@given(st.floats(0, 1), st.integers(1, 2000))
def test_retries_never_exceed_their_share(share: float, requests: int) -> None:
    budget = RetryBudget(share)
    retries = 0
    for _ in range(requests):
        budget.deposit()
        retries += budget.withdraw()
    assert retries <= 10 + share * requests + 1


@pytest.mark.parametrize("failures", [0, 1, 5, 1_000_000])
def test_a_back_off_is_never_nothing_and_never_overflows(failures: int) -> None:
    """Days of failures must not end the task that backs off."""
    most = min(30.0, 0.5 * 2.0 ** min(failures, 6))
    assert all(most / 2 <= backoff_s(failures, 0.5, 30.0) <= most for _ in range(50))


def test_jitter_stays_in_its_range() -> None:
    assert all(0 <= full_jitter(n) <= min(2.0, 0.05 * 2**n) for n in range(1, 12) for _ in range(50))


@settings(max_examples=200, deadline=None)
@given(
    st.integers(1, 50),
    st.lists(st.tuples(st.floats(0, 20), st.integers(1, 10)), min_size=1, max_size=80),
)
def test_no_minute_sees_more_than_the_limit(limit: int, steps: list[tuple[float, int]]) -> None:
    """However requests arrive, what is granted within any 60 seconds stays within the limit."""
    window = SlidingWindow(limit)
    now = 0.0
    granted: list[tuple[float, int]] = []
    for pause, asked in steps:
        now += pause
        units = min(asked, window.free(now))
        window.take(now, units)
        granted.append((now, units))
        assert sum(u for t, u in granted if t > now - 60) <= limit


def test_a_lease_waits_until_the_window_moves() -> None:
    quota = ModelQuota(10, 0)
    assert sum(quota.lease(0.0, 1, 0).requests for _ in range(10)) == 10
    refused = quota.lease(30.0, 1, 0)
    assert refused.requests == 0
    assert quota.lease(30.0 + refused.retry_after_s, 1, 0).requests == 1


def test_a_request_larger_than_the_limit_of_tokens_can_still_run() -> None:
    quota = ModelQuota(0, 100)
    assert quota.lease(0.0, 1, 5000).tokens == 100
