"""What calls and probes show of an endpoint, over a clock that stands still unless it is moved."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voyager_llm.domain.health import DEFAULT_POLICY, EndpointHealth, Phase
from voyager_llm.domain.patience import allowance_s, patience_s


def unreachable(health: EndpointHealth, now: float, times: int = 1) -> None:
    for _ in range(times):
        trials = health.start(now)
        health.failed(now, "refused")
        health.unreachable(now)
        health.release(trials)


def answered(health: EndpointHealth, now: float, latency_s: float = 0.1, *, stream: bool = False) -> None:
    trials = health.start(now)
    health.began(now, latency_s, stream=stream)
    health.succeeded(now)
    health.release(trials)


def test_nobody_is_sent_where_no_connection_can_be_made_and_one_call_tries_again() -> None:
    health = EndpointHealth()
    assert health.phase(0) is Phase.PENDING
    unreachable(health, 10, 4)
    assert health.admits(10)
    assert health.phase(10) is Phase.DEGRADED
    unreachable(health, 10)
    assert not health.admits(10.1)
    assert health.phase(10.1) is Phase.UNAVAILABLE
    later = 10 + health.wait(10) + 0.01
    assert health.admits(later)
    trials = health.start(later)
    assert not health.admits(later), "one trial at a time"
    health.began(later, 0.2, stream=False)
    assert health.admits(later), "it answers"
    health.succeeded(later)
    health.release(trials)
    assert health.phase(later) is Phase.READY


def test_a_failed_trial_doubles_the_pause() -> None:
    health = EndpointHealth()
    unreachable(health, 10, 5)
    first = health.wait(10)
    later = 10 + first + 0.01
    unreachable(health, later)
    assert health.wait(later) == pytest.approx(2 * first)


def test_a_trial_that_its_client_left_lets_the_next_one_in() -> None:
    health = EndpointHealth()
    unreachable(health, 10, 5)
    later = 10 + health.wait(10) + 0.01
    health.release(health.start(later))
    assert health.admits(later)


def test_a_call_of_before_does_not_end_the_trial() -> None:
    health = EndpointHealth()
    old = health.start(1)
    unreachable(health, 10, 5)
    later = 10 + health.wait(10) + 0.01
    trial = health.start(later)
    health.release(old)
    assert not health.admits(later)
    health.release(trial)
    assert health.admits(later)


def test_a_suspect_is_asked_after_the_others_and_never_refused() -> None:
    health = EndpointHealth()
    for _ in range(DEFAULT_POLICY.faults):
        assert not health.is_suspect(10)
        health.suspect(10)
    assert health.is_suspect(10)
    assert health.admits(10)
    answered(health, 11)
    assert not health.is_suspect(11)


def test_a_suspect_gets_one_trial_when_its_time_is_up() -> None:
    health = EndpointHealth()
    for _ in range(DEFAULT_POLICY.faults):
        health.suspect(10)
    later = 10 + DEFAULT_POLICY.base_pause_s + 0.01
    assert not health.is_suspect(later)
    trials = health.start(later)
    assert health.is_suspect(later), "the others go on elsewhere"
    health.release(trials)
    assert not health.is_suspect(later)


def test_a_limit_with_a_hint_keeps_calls_away_so_long() -> None:
    health = EndpointHealth()
    health.limited(1, 7)
    assert not health.admits(7.9)
    assert health.admits(8.1)


def test_limits_without_a_hint_pause_ever_longer_and_refuse_nobody() -> None:
    health = EndpointHealth()
    pauses: list[float] = []
    now = 1.0
    for _ in range(5):
        health.limited(now, 0)
        assert health.admits(now)
        start = now
        while health.is_suspect(now):
            now += 0.25
        pauses.append(now - start)
    assert pauses == [1, 2, 4, 8, 16]
    answered(health, now)
    health.limited(now, 0)
    assert not health.is_suspect(now + 1)


def test_a_slow_answer_counts_at_once_and_fades() -> None:
    health = EndpointHealth()
    for latency in (0.1, 2.0):
        answered(health, 1, latency)
    assert health.latency_s == 2.0
    assert health.load(100) < health.load(1)


def test_what_is_usual_is_the_longest_of_late_for_answers_and_for_streams() -> None:
    health = EndpointHealth()
    answered(health, 1, 8.0)
    answered(health, 2, 1.0)
    answered(health, 2, 0.5, stream=True)
    assert health.usual_s(2, stream=False) == pytest.approx(8.0, rel=0.01)
    assert health.usual_s(2, stream=True) == 0.5
    assert health.usual_s(1 + DEFAULT_POLICY.longest_memory_s, stream=False) == pytest.approx(4.0)


SECONDS = st.floats(0.001, 3600)


@given(SECONDS, st.floats(0, 600), st.integers(0, 100_000), st.booleans())
def test_an_attempt_never_gets_more_than_remains(
    remaining: float, usual: float, tokens: int, others: bool
) -> None:
    given = allowance_s(remaining, usual, tokens, others=others)
    assert 0 < given <= remaining
    if not others:
        assert given == remaining


@given(SECONDS, st.floats(0.001, 600), st.integers(0, 100_000))
def test_one_with_others_behind_it_gets_what_it_usually_takes(
    remaining: float, usual: float, tokens: int
) -> None:
    given = allowance_s(remaining, usual, tokens, others=True)
    assert given >= min(usual, 0.75 * remaining)
    assert given <= 0.75 * remaining, "the others have their share"


def test_a_slow_and_healthy_primary_is_not_cut_off_for_its_fallbacks() -> None:
    assert allowance_s(8, 3.0, 256, others=True) >= 4.5
    assert allowance_s(8, 0.0, 256, others=True) == 4.0
    assert allowance_s(120, 0.0, 0, others=True) == 15.0


def test_one_that_hangs_is_left_after_what_is_usual() -> None:
    assert allowance_s(60, 0.3, 0, others=True) == patience_s(0.3, 0) == 5.0
    assert allowance_s(120, 0.3, 400, others=True) == 15.0
