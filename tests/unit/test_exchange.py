"""Whatever happens to a request, it gives everything back and is accounted for once.

Every await of the request path is a place where its client may go away: each is tried.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from deployments.request.exchange import Exchange
from tests.support.scripted import Behaviour, Bench, context, model, request, route
from tests.support.virtual_time import run
from voyager_llm import errors
from voyager_llm.domain.completion import Account, Call
from voyager_llm.errors import RENDERINGS, VoyagerError

FAULTS: list[VoyagerError] = [
    errors.UpstreamUnreachable("refused"),
    errors.UpstreamUnavailable("500"),
    errors.UpstreamTimeout("late"),
    errors.UpstreamInvalid("nonsense"),
    errors.UpstreamMisconfigured("key"),
    errors.UpstreamRateLimited("429", "", 3.0),
    errors.UpstreamRateLimited("429"),
    errors.UpstreamRejected("400"),
    errors.ContextWindowExceeded("long"),
    errors.ContentPolicyRefused("no"),
    errors.CallerLost("lost"),
    errors.Internal("ours"),
]
BEHAVIOURS = st.builds(
    Behaviour,
    error=st.none() | st.sampled_from(FAULTS),
    delay_s=st.sampled_from([0.0, 0.5, 30.0, 500.0]),
    blocks=st.integers(0, 3),
    broken=st.none() | st.sampled_from([errors.StreamInterrupted("gone"), errors.ContentPolicyRefused("no")]),
)


@dataclass(frozen=True)
class Scenario:
    """One request over a route of two models with fallbacks. ``cancel_at``: turns of the loop after which
    its client goes away; ``reads``: blocks that it takes before it leaves, None: all."""

    first: Behaviour
    second: Behaviour
    third: Behaviour
    stream: bool = False
    hedged: bool = False
    limited: bool = False
    cancel_at: int | None = None
    reads: int | None = None
    timeout_s: float | None = None


SCENARIOS = st.builds(
    Scenario,
    BEHAVIOURS, BEHAVIOURS, BEHAVIOURS, st.booleans(), st.booleans(), st.booleans(),
    st.none() | st.integers(0, 60), st.none() | st.integers(0, 3),
    st.none() | st.sampled_from([0.2, 5.0, 60.0]),
)  # fmt: skip
GOOD = Behaviour()
NOTHING = {"places": 0, "in flight": 0, "upstream": 0, "reservations": 0}


async def _serve(bench: Bench, scenario: Scenario) -> None:
    ctx = context(bench.clock, scenario.timeout_s)
    wanted = request("r", stream=scenario.stream)
    async with await bench.pipeline.open(ctx, wanted) as exchange:
        await _read(exchange, scenario)


async def _read(exchange: Exchange, scenario: Scenario) -> None:
    if not scenario.stream:
        await exchange.read()
        return
    taken = 0
    if scenario.reads == 0:
        return
    async for _ in exchange:
        taken += 1
        await asyncio.sleep(0)
        if taken == scenario.reads:
            return


async def _bench(clock: Callable[[], float], scenario: Scenario) -> Bench:
    by_model = {"a": scenario.first, "b": scenario.second, "c": scenario.third}

    def behave(call: Call) -> Behaviour:
        return by_model[call.endpoint.model]

    bench = Bench(behave, clock)
    limits = {"rate_limits": {"tokens_per_minute": 100_000}} if scenario.limited else {}
    hedging = {"hedging": {"delay_ms": 100}} if scenario.hedged else {}
    await bench.define(
        model("a", **limits), model("b"), model("c"),
        route(
            "r", "a", fallbacks=["b"], context_window_fallbacks=["c"], content_policy_fallbacks=["c"],
            **hedging,
        ),
    )  # fmt: skip
    return bench


async def _run(clock: Callable[[], float], scenario: Scenario) -> tuple[Bench, str]:
    """The bench after the request, and how the request ended for its client."""
    bench = await _bench(clock, scenario)
    serving = asyncio.create_task(_serve(bench, scenario))
    if scenario.cancel_at is not None:
        for _ in range(scenario.cancel_at):
            await asyncio.sleep(0)
        serving.cancel()
    try:
        await serving
        ended = "ok"
    except VoyagerError as error:
        ended = error.code
    except asyncio.CancelledError:
        ended = "cancelled"
    await asyncio.sleep(0)
    return bench, ended


@settings(max_examples=400, deadline=None)
@given(SCENARIOS)
@example(Scenario(GOOD, GOOD, GOOD, stream=True, reads=0))
@example(Scenario(Behaviour(delay_s=30), GOOD, GOOD, hedged=True, cancel_at=12))
def test_everything_is_given_back_and_accounted_for_once(scenario: Scenario) -> None:
    bench, ended = run(lambda clock: _run(clock, scenario))
    assert bench.held() == NOTHING
    if scenario.cancel_at == 0:
        return  # it had not begun
    (account,) = bench.ledger.accounts
    assert account.outcome == "ok" or account.outcome in RENDERINGS
    if scenario.reads is None and scenario.cancel_at is None:
        assert account.outcome == ended
    assert account.route == "r"
    assert len(account.attempts) == len(bench.caller.calls)
    if account.attempts:
        assert account.model == (account.attempts[-1].model if not scenario.hedged else account.model) != ""


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("turn", range(25))
def test_a_client_may_leave_at_every_await(turn: int, stream: bool) -> None:
    scenario = Scenario(Behaviour(error=FAULTS[1]), GOOD, GOOD, stream=stream, limited=True, cancel_at=turn)
    bench, _ = run(lambda clock: _run(clock, scenario))
    assert bench.held() == NOTHING
    assert len(bench.ledger.accounts) == (turn > 0)


def test_books_that_fail_lose_neither_the_answer_nor_the_place() -> None:
    async def work(clock: Callable[[], float]) -> None:
        bench = Bench(lambda _: GOOD, clock)
        await bench.define(model("m"))
        bench.replica.meter.ended = _broken  # pyright: ignore[reportAttributeAccessIssue]
        completion = await bench.pipeline.complete(context(clock), request("m"))
        assert completion.account.outcome == "ok"
        assert bench.held()["places"] == 0
        assert len(bench.ledger.accounts) == 1, "the other observers hear of it"

    run(work)


def _broken(*_: object) -> None:
    raise ValueError("accounting")


def test_a_place_that_is_not_there_is_refused_and_counted() -> None:
    async def work(clock: Callable[[], float]) -> None:
        bench = Bench(lambda _: Behaviour(delay_s=5), clock, max_ongoing_requests=1)
        await bench.define(model("m"))
        first = asyncio.create_task(bench.pipeline.complete(context(clock), request("m")))
        await asyncio.sleep(0)
        with pytest.raises(errors.Overloaded):
            await bench.pipeline.complete(context(clock), request("m"))
        await first
        assert [account.outcome for account in bench.ledger.accounts] == ["overloaded", "ok"]

    run(work)


def test_a_hub_that_hangs_delays_nobody_beyond_the_deadline() -> None:
    async def work(clock: Callable[[], float]) -> Account:
        bench = Bench(lambda _: GOOD, clock)
        bench.leases.delay_s = 1000
        await bench.define(model("m", rate_limits={"requests_per_minute": 5}))
        began = clock()
        with pytest.raises(errors.Unavailable):
            await bench.pipeline.complete(context(clock, 2.0), request("m"))
        assert clock() - began <= 2.1
        assert bench.held() == NOTHING
        return bench.ledger.accounts[0]

    assert run(work).attempts == ()


def test_a_model_made_anew_under_an_open_stream_starts_from_nothing() -> None:
    async def work(clock: Callable[[], float]) -> None:
        bench = Bench(lambda _: GOOD, clock)
        await bench.define(model("m"))
        async with await bench.pipeline.open(context(clock), request("m", stream=True)) as exchange:
            await anext(exchange)
            await bench.delete("m")
            await bench.define(model("m", "http://elsewhere.example/v1"))
            async for _ in exchange:
                pass
        await bench.pipeline.complete(context(clock), request("m"))
        assert [health.in_flight for _, _, health in bench.replica.endpoints] == [0]

    run(work)


def test_a_replica_that_has_just_started_waits_for_its_definitions() -> None:
    async def work(clock: Callable[[], float]) -> None:
        bench = Bench(lambda _: GOOD, clock)
        early = asyncio.create_task(bench.pipeline.complete(context(clock), request("m")))
        await asyncio.sleep(1)
        await bench.define(model("m"))
        assert (await early).account.outcome == "ok"
        with pytest.raises(errors.Unavailable, match="no definitions"):
            await Bench(lambda _: GOOD, clock).pipeline.complete(context(clock), request("m"))

    run(work)
