"""Hubs come and go; limits hold over all of them, since each learns what the routers were granted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import chain

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deployments.request.demand import Demand
from deployments.request.quotas import Quotas
from tests.support.calls import model
from voyager_llm.domain.quota import LEASE_SECONDS, WINDOW_SECONDS, Grant, Lease, ModelQuota
from voyager_llm.errors import RateLimited

REQUESTS, TOKENS = 30, 3000
ROUTERS = 3


class Router:
    """What one replica was granted, as it would tell it."""

    def __init__(self) -> None:
        self.leases: list[tuple[float, Lease]] = []

    def granted(self, now: float) -> list[Grant]:
        return [
            Grant(now - when, lease.requests, lease.tokens)
            for when, lease in self.leases
            if when > now - WINDOW_SECONDS
        ]


@st.composite
def courses(draw: st.DrawFn) -> list[tuple[float, int, int, int, bool]]:
    """(seconds since the step before, router, requests, tokens, whether the hub dies before it)"""
    step = st.tuples(
        st.floats(0, 20), st.integers(0, ROUTERS - 1), st.integers(1, 40), st.integers(0, 4000), st.booleans()
    )
    return draw(st.lists(step, max_size=60))


@given(courses(), st.floats(0, 1e6))
def test_no_minute_sees_more_than_the_limit_however_often_the_hub_dies(
    course: list[tuple[float, int, int, int, bool]], began: float
) -> None:
    routers = [Router() for _ in range(ROUTERS)]
    quota, now = ModelQuota(REQUESTS, TOKENS), began
    for passed, who, requests, tokens, hub_dies in course:
        now += passed
        if hub_dies:
            quota = ModelQuota(REQUESTS, TOKENS)
            quota.recall(now, chain.from_iterable(router.granted(now) for router in routers))
        routers[who].leases.append((now, quota.lease(now, requests, tokens)))
        # What may be spent within the minute that ends now: a lease is good for a while.
        lately = [
            lease for router in routers for when, lease in router.leases if when + LEASE_SECONDS > now - 60
        ]
        assert sum(lease.requests for lease in lately) <= REQUESTS
        assert sum(lease.tokens for lease in lately) <= TOKENS


@given(st.lists(st.builds(Grant, st.floats(0, 100), st.integers(0, 50), st.integers(0, 5000)), max_size=40))
def test_what_is_recalled_is_forgotten_in_time(grants: list[Grant]) -> None:
    quota = ModelQuota(REQUESTS, TOKENS)
    quota.recall(1000.0, grants)
    counted = [grant for grant in grants if grant.age_s < WINDOW_SECONDS]
    assert quota.requests.free(1000.0) <= max(0, REQUESTS - sum(g.requests for g in counted if g.age_s < 60))
    assert quota.requests.free(1000.0 + WINDOW_SECONDS + 0.001) == REQUESTS
    assert quota.tokens.free(1000.0 + WINDOW_SECONDS + 0.001) == TOKENS


class Hub:
    """`LeaseSource` whose window can be lost."""

    def __init__(self) -> None:
        self.now = 0.0
        self.quota = ModelQuota(REQUESTS, 0)

    async def lease(self, model: str, requests: int, tokens: int) -> Lease:
        return self.quota.lease(self.now, requests, tokens)

    def dies(self, told: Iterable[Mapping[str, tuple[Grant, ...]]]) -> None:
        self.quota = ModelQuota(REQUESTS, 0)
        self.quota.recall(self.now, (grant for granted in told for grant in granted.get("m", ())))


async def test_what_a_router_tells_is_what_it_was_granted() -> None:
    hub = Hub()
    quotas = [Quotas(hub, lambda: hub.now) for _ in range(2)]
    limited = model(
        "m", "custom", "fake", "http://127.0.0.1:1", rate_limits={"requests_per_minute": REQUESTS}
    )
    for i in range(REQUESTS):
        assert await quotas[i % 2].reserve(limited, Demand(10, 10)) is not None
        hub.now += 0.5
        if i % 5 == 0:
            hub.dies(q.granted() for q in quotas)
    hub.dies(q.granted() for q in quotas)
    with pytest.raises(RateLimited):
        await quotas[0].reserve(limited, Demand(10, 10))
    hub.now += WINDOW_SECONDS
    assert await quotas[0].reserve(limited, Demand(10, 10)) is not None
    # What counts no more is forgotten.
    assert len(quotas[0].granted()["m"]) == 1
