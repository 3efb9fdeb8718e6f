"""Of several controllers one acts; when it dies another takes over, never both at once."""

from __future__ import annotations

from dataclasses import dataclass

from controller.leases import DURATION_S, Leadership
from tests.controller.conftest import LEASES
from voyager_llm.definitions.kube import client as kube


@dataclass
class Clock:
    now: float = 0.0

    def __call__(self) -> float:
        return self.now


NAME = "voyager-llm-controller"


async def test_one_leads_and_the_other_takes_over(cluster: kube.KubeApi, account: kube.KubeApi) -> None:
    clock = Clock()
    one, two = (Leadership(account, NAME, name, clock) for name in ("one", "two"))
    assert await one.attempt()
    assert not await two.attempt()
    assert (one.held(), two.held()) == (True, False)
    # The first one dies: it renews no more, and stops acting before the other may start.
    clock.now += DURATION_S - 0.1
    assert not await two.attempt()
    assert not one.held()
    clock.now += 0.2
    assert await two.attempt()
    assert (one.held(), two.held()) == (False, True)
    assert not await one.attempt()
    lease = await cluster.get(LEASES, NAME)
    assert (lease["spec"]["holderIdentity"], lease["spec"]["leaseTransitions"]) == ("two", 2)


async def test_renewing_keeps_the_other_away(cluster: kube.KubeApi, account: kube.KubeApi) -> None:
    clock = Clock()
    one, two = (Leadership(account, NAME, name, clock) for name in ("one", "two"))
    for _ in range(10):
        assert await one.attempt()
        clock.now += 4.0
        assert not await two.attempt()
        assert one.held()


async def test_who_leaves_lets_go_at_once(cluster: kube.KubeApi, account: kube.KubeApi) -> None:
    one, two = (Leadership(account, NAME, name) for name in ("one", "two"))
    assert await one.attempt()
    await one.release()
    assert not one.held()
    assert await two.attempt()
