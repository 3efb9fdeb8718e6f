"""One client's requests change nothing for another, and a healthy member of a route answers.

The whole request path over scripted providers, on a clock that jumps.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.scripted import Behaviour, Bench, context, model, request, route
from tests.support.virtual_time import run
from voyager_llm import errors
from voyager_llm.domain.completion import Call, Completion
from voyager_llm.domain.operation import Operation
from voyager_llm.errors import VoyagerError

# What a provider may do with a body, or an operation, while it answers others.
ANSWERED: list[VoyagerError] = [
    errors.UpstreamUnavailable("answered 500"),
    errors.UpstreamUnavailable("answered 503", "", 60.0),
    errors.UpstreamInvalid("nonsense"),
    errors.UpstreamTimeout("late"),
    errors.UpstreamUnsupported("404"),
    errors.UpstreamMisconfigured("403"),
    errors.UpstreamConflict("409"),
    errors.UpstreamRateLimited("429"),
    errors.UpstreamRequestTooLarge("429: too large"),
    errors.UpstreamRejected("400"),
    errors.ContentPolicyRefused("no"),
    errors.CallerLost("lost"),
]
BAD = st.builds(
    Behaviour,
    error=st.none() | st.sampled_from(ANSWERED),
    delay_s=st.sampled_from([0.0, 0.3, 1000.0]),
    broken=st.none() | st.sampled_from([errors.StreamInterrupted("gone"), errors.ContentPolicyRefused("no")]),
)
ATTACKS = st.lists(
    st.tuples(BAD, st.booleans(), st.sampled_from([0.05, 2.0, 60.0]), st.sampled_from([0.0, 0.5, 5.0])),
    max_size=30,
)
Clock = Callable[[], float]


class Provider:
    """Does what is scripted with bodies that hold ``poison``, and answers all others."""

    def __init__(self) -> None:
        self.poison = Behaviour()

    def __call__(self, call: Call) -> Behaviour:
        return self.poison if b"poison" in call.body else Behaviour(delay_s=0.3)


async def attack(bench: Bench, provider: Provider, destination: str, attacks: list[Any]) -> None:
    for behaviour, stream, timeout_s, pause_s in attacks:
        provider.poison = behaviour
        wanted = request(destination, stream=stream, user="poison")
        try:
            async with await bench.pipeline.open(context(bench.clock, timeout_s), wanted) as exchange:
                async for _ in exchange:
                    pass
        except VoyagerError:
            pass
        await asyncio.sleep(pause_s)


@settings(max_examples=100, deadline=None)
@given(ATTACKS)
def test_whatever_one_client_sends_the_others_are_answered_by_the_same_model(attacks: list[Any]) -> None:
    async def work(clock: Clock) -> None:
        provider = Provider()
        bench = Bench(provider, clock)
        await bench.define(model("m"))
        await attack(bench, provider, "m", attacks)
        for stream in (False, True):
            exchange = await bench.pipeline.open(context(clock), request("m", stream=stream))
            await exchange.aclose()

    run(work)


@settings(max_examples=100, deadline=None)
@given(ATTACKS)
def test_the_same_over_a_route_with_a_fallback(attacks: list[Any]) -> None:
    async def work(clock: Clock) -> None:
        provider = Provider()
        bench = Bench(provider, clock)
        await bench.define(model("p"), model("b"), route("r", "p", fallbacks=["b"]))
        await attack(bench, provider, "r", attacks)
        completion = await bench.pipeline.complete(context(clock), request("r"))
        assert completion.account.attempts[0].model == completion.account.model, "at the first attempt"
        if all(behaviour.error is None and behaviour.broken is None for behaviour, *_ in attacks):
            assert completion.account.model == "p"

    run(work)


HEALTHY = Behaviour(delay_s=0.2)
FAILING = [Behaviour(error=error) for error in [*ANSWERED[:8], errors.UpstreamUnreachable("refused")]]


@settings(max_examples=80, deadline=None)
@given(
    st.lists(st.sampled_from([*FAILING, Behaviour(delay_s=1000)]), min_size=1, max_size=5),
    st.integers(0, 5),
    st.integers(1, 40),
)
def test_a_route_with_one_healthy_member_answers(bad: list[Behaviour], at: int, requests: int) -> None:
    """However the others fail, however many ask at once, and again a moment later."""

    async def work(clock: Clock) -> None:
        members = [*bad]
        members.insert(at % (len(bad) + 1), HEALTHY)
        names = [f"m{number}" for number in range(len(members))]
        behaviour = dict(zip(names, members, strict=True))
        bench = Bench(lambda call: behaviour[call.endpoint.model], clock)
        await bench.define(*(model(name) for name in names), route("r", names[0], fallbacks=names[1:]))
        for _ in range(3):
            await asyncio.gather(
                *(bench.pipeline.complete(context(clock), request("r")) for _ in range(requests))
            )
            await asyncio.sleep(1.1)

    run(work)


async def completed(bench: Bench, destination: str, timeout_s: float | None = None) -> Completion:
    return await bench.pipeline.complete(context(bench.clock, timeout_s), request(destination))


async def bench_of(clock: Clock, **behaviours: Behaviour) -> Bench:
    """A route ``r`` over these models, the first one with the others as fallbacks."""
    bench = Bench(lambda call: behaviours[call.endpoint.model], clock)
    first, *others = behaviours
    await bench.define(*(model(name) for name in behaviours), route("r", first, fallbacks=others))
    return bench


def on_virtual_time(work: Callable[[Clock], Awaitable[None]]) -> None:
    async def wrapped(clock: Clock) -> None:
        await work(clock)

    run(wrapped)


def test_a_primary_at_its_limit_is_left_for_its_fallback_for_good() -> None:
    async def work(clock: Clock) -> None:
        bench = await bench_of(clock, p=Behaviour(error=errors.UpstreamRateLimited("429")), b=Behaviour())
        for _ in range(60):
            assert (await completed(bench, "r")).account.model == "b"
            await asyncio.sleep(1.1)
        asked = sum(call.endpoint.model == "p" for call in bench.caller.calls)
        assert asked <= 9, "it is asked ever more seldom"

    on_virtual_time(work)


def test_a_hundred_under_way_are_answered_by_the_fallback() -> None:
    async def work(clock: Clock) -> None:
        bench = await bench_of(clock, p=Behaviour(error=errors.UpstreamUnreachable("refused")), b=HEALTHY)
        answers = await asyncio.gather(*(completed(bench, "r") for _ in range(100)))
        assert {answer.account.model for answer in answers} == {"b"}

    on_virtual_time(work)


def test_a_primary_that_hangs_is_left_after_what_it_usually_takes_and_then_asked_last() -> None:
    async def work(clock: Clock) -> None:
        p = [Behaviour(delay_s=0.3)]
        bench = Bench(lambda call: p[0] if call.endpoint.model == "p" else HEALTHY, clock)
        await bench.define(model("p"), model("b"), route("r", "p", fallbacks=["b"]))
        await completed(bench, "r")
        p[0] = Behaviour(delay_s=10_000)
        began = clock()
        answers = await asyncio.gather(*(completed(bench, "r") for _ in range(50)))
        assert {answer.account.model for answer in answers} == {"b"}
        assert clock() - began < 15
        began = clock()
        await completed(bench, "r")
        assert clock() - began < 1, "the fallback is asked first"

    on_virtual_time(work)


def test_a_slow_and_healthy_primary_answers_beside_three_fallbacks() -> None:
    async def work(clock: Clock) -> None:
        slow = Behaviour(delay_s=3.0)
        bench = await bench_of(clock, p=slow, b=HEALTHY, c=HEALTHY, d=HEALTHY)
        for _ in range(3):
            assert (await completed(bench, "r", 8.0)).account.model == "p"

    on_virtual_time(work)


def test_a_deadline_below_what_is_usual_is_held_against_nobody() -> None:
    async def work(clock: Clock) -> None:
        bench = await bench_of(clock, p=Behaviour(delay_s=0.3), b=Behaviour(delay_s=0.01))
        await completed(bench, "p")
        for _ in range(20):
            with pytest.raises(errors.VoyagerError):
                await completed(bench, "p", 0.05)
        assert (await completed(bench, "r")).account.model == "p"

    on_virtual_time(work)


def test_an_operation_that_an_endpoint_lacks_says_nothing_of_the_others() -> None:
    async def work(clock: Clock) -> None:
        lacking = Behaviour(error=errors.UpstreamUnsupported("404"))
        bench = Bench(lambda call: lacking if call.operation is Operation.EMBEDDINGS else HEALTHY, clock)
        await bench.define(model("m"))
        await completed(bench, "m")
        embeddings = request("m")
        for _ in range(10):
            with pytest.raises(errors.UpstreamUnsupported):
                await bench.pipeline.complete(
                    context(clock), type(embeddings)(Operation.EMBEDDINGS, "m", {"input": "x"})
                )
        assert (await completed(bench, "m")).account.model == "m"
        assert bench.replica.statuses.report("m").phase == "Ready"

    on_virtual_time(work)


def test_a_lost_caller_is_asked_again_at_once_and_held_against_nobody() -> None:
    async def work(clock: Clock) -> None:
        lost = iter([True] * 100)
        bench = Bench(
            lambda _: Behaviour(error=errors.CallerLost("lost")) if next(lost, False) else HEALTHY, clock
        )
        await bench.define(model("m"))
        answers = await asyncio.gather(*(completed(bench, "m") for _ in range(100)))
        assert all(len(answer.account.attempts) == 2 for answer in answers)
        assert bench.replica.statuses.report("m").phase == "Ready"

    on_virtual_time(work)


def test_a_body_that_ends_processes_is_not_sent_for_ever() -> None:
    async def work(clock: Clock) -> None:
        bench = await bench_of(clock, m=Behaviour(error=errors.CallerLost("lost")))
        with pytest.raises(errors.CallerLost):
            await completed(bench, "m")
        assert len(bench.caller.calls) == 4

    on_virtual_time(work)


def test_nobody_is_sent_where_no_connection_can_be_made_until_it_can() -> None:
    async def work(clock: Clock) -> None:
        state = [Behaviour(error=errors.UpstreamUnreachable("refused"))]
        bench = Bench(lambda _: state[0], clock)
        await bench.define(model("m"))
        for _ in range(3):
            with pytest.raises(errors.Unavailable):
                await completed(bench, "m")
        asked = len(bench.caller.calls)
        with pytest.raises(
            errors.Unavailable, match="no endpoint of the model is available: refused"
        ) as refused:
            await completed(bench, "m")
        assert refused.value.retry_after_s > 0
        assert len(bench.caller.calls) == asked
        assert bench.replica.statuses.report("m").phase == "Unavailable"
        state[0] = HEALTHY
        await asyncio.sleep(refused.value.retry_after_s)
        await completed(bench, "m")
        assert bench.replica.statuses.report("m").phase == "Ready"

    on_virtual_time(work)
