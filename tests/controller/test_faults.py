"""What happens to a cluster, and what it costs: seconds, publications, requests to the API server, memory."""

from __future__ import annotations

import asyncio
import signal
import statistics
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import psutil

from scripts.kubernetes.control_plane import ControlPlane
from scripts.kubernetes.platform import RAY_SERVICES, eventually, path_of
from tests.controller.conftest import LEASES
from tests.controller.test_compile import model
from tests.controller.test_operator import create, names, publishes
from tests.support.controllers import RunningController
from tests.support.dataplane import FakeDataPlane
from voyager_llm.definitions.kube import client as kube
from voyager_llm.domain.definition import Kind

OURS = r'group="(llm\.voyager\.io|ray\.io|events\.k8s\.io|coordination\.k8s\.io)"'
PUBLICATIONS = 'resource="rayservices".*verb="APPLY"'

Figures = Callable[[str], None]


async def seconds(work: Awaitable[object]) -> float:
    started = time.monotonic()
    await work
    return time.monotonic() - started


def memory_mb(controller: RunningController) -> float:
    return psutil.Process(controller.process.pid).memory_info().rss / 1e6


async def generation(api: kube.KubeApi) -> int:
    """Rises with every publication that changes something."""
    return (await api.get(RAY_SERVICES, "voyager"))["metadata"]["generation"]


async def told(api: kube.KubeApi) -> int:
    """How many models have a status of their current generation."""
    found, _ = await api.list(path_of(Kind.MODEL))
    return sum(
        (item.get("status") or {}).get("observedGeneration") == item["metadata"]["generation"]
        for item in found
    )


async def all_told(api: kube.KubeApi, number: int, limit_s: float = 60.0) -> None:
    async def complete() -> bool:
        return await told(api) == number

    await eventually(complete, limit_s)


async def reason(api: kube.KubeApi, name: str, type_: str) -> str:
    status = (await api.get(path_of(Kind.MODEL), name)).get("status") or {}
    return next((c["reason"] for c in status.get("conditions") or () if c["type"] == type_), "")


async def define(api: kube.KubeApi, *wanted: str) -> list[float]:
    """Create models, a few at once. Seconds that each took."""
    gate = asyncio.Semaphore(8)

    async def one(name: str) -> float:
        async with gate:
            return await seconds(create(api, Kind.MODEL, model(name)))

    return list(await asyncio.gather(*(one(name) for name in wanted)))


async def test_the_api_server_dies_in_the_middle(
    plane: ControlPlane, cluster: kube.KubeApi, controller: RunningController, figures: Figures
) -> None:
    """-9 while statuses are written. Definitions that came and went in the gap are seen, though etcd has
    forgotten the gap and the watch cannot go on from where it was (410): a LIST tells, no watch needs to."""
    many = [f"m{i:03}" for i in range(300)]
    await define(cluster, "gone", *many)
    await publishes(cluster, "gone", *many)
    plane.stop("kube-apiserver", signal.SIGKILL)
    await asyncio.sleep(3)  # it tries, and cannot
    controller.process.send_signal(signal.SIGSTOP)  # it sees nothing of what follows
    plane.start_server()
    await asyncio.to_thread(plane.wait_until_ready)
    written = await told(cluster)
    await cluster.delete(path_of(Kind.MODEL), "gone")
    await create(cluster, Kind.MODEL, model("new"))
    plane.compact()
    before = await generation(cluster)
    requests = plane.requests(OURS)
    controller.process.send_signal(signal.SIGCONT)
    published = await seconds(publishes(cluster, "new", *many, seconds=90))
    complete = published + await seconds(all_told(cluster, len(many) + 1))
    cost = plane.requests(OURS) - requests
    publications = await generation(cluster) - before
    # Nothing of it is left over: the next change is seen at once.
    await create(cluster, Kind.MODEL, model("later"))
    later = await seconds(publishes(cluster, "later", "new", *many, seconds=10))
    figures(
        f"the server died with {written} of 301 statuses written; published {published:.1f} s after it was "
        f"back, {publications} time(s); all statuses after {complete:.1f} s, {cost} requests; the next "
        f"change after {later:.1f} s; {memory_mb(controller):.0f} MB"
    )
    assert written < 301
    assert publications == 1
    assert cost < 1500


async def test_etcd_is_slow(
    plane: ControlPlane, cluster: kube.KubeApi, controller: RunningController, figures: Figures
) -> None:
    """It runs a fiftieth of the time, then not at all for longer than a lease lasts."""
    await create(cluster, Kind.MODEL, model("first"))
    await publishes(cluster, "first")
    many = [f"s{i:02}" for i in range(40)]
    with plane.slowed("etcd", 0.02):
        creating = await define(cluster, *many)
        published = await seconds(publishes(cluster, "first", *many, seconds=60))
        complete = published + await seconds(all_told(cluster, 41, 90))
    plane.pause("etcd", on=True)
    await asyncio.sleep(20)
    plane.pause("etcd", on=False)
    await eventually(lambda: _made(cluster, "thawed"))
    thawed = await seconds(publishes(cluster, "first", "thawed", *many, seconds=60))
    figures(
        f"writes took {statistics.median(creating):.2f} s (median of 40); the last one published after "
        f"{published:.1f} s, all statuses after {complete:.1f} s; frozen for 20 s, the next change was "
        f"published {thawed:.1f} s after it was made; {memory_mb(controller):.0f} MB"
    )
    assert statistics.median(creating) > 0.2  # it was slow indeed


async def _made(api: kube.KubeApi, name: str) -> bool:
    await create(api, Kind.MODEL, model(name))
    return True


async def test_a_second_writer_of_the_configuration(
    plane: ControlPlane, cluster: kube.KubeApi, controller: RunningController, figures: Figures
) -> None:
    """It is named in the conditions, not fought; when it lets go, what waited is published."""
    await create(cluster, Kind.MODEL, model("a"))
    await publishes(cluster, "a")
    other = {"apiVersion": "ray.io/v1", "kind": "RayService", "metadata": {"name": "voyager"}}
    theirs = {"serveConfigV2": "applications: []"}
    await cluster.apply(RAY_SERVICES, {**other, "spec": theirs}, "somebody-else", force=True)
    await create(cluster, Kind.MODEL, model("b"))

    async def named() -> bool:
        return await reason(cluster, "b", "Programmed") == "PublishConflict"

    noticed = await seconds(eventually(named, 30))
    attempts, requests = plane.requests(PUBLICATIONS), plane.requests(OURS)
    await asyncio.sleep(15)
    attempts, requests = plane.requests(PUBLICATIONS) - attempts, plane.requests(OURS) - requests
    spec = (await cluster.get(RAY_SERVICES, "voyager"))["spec"]
    assert spec["serveConfigV2"] == "applications: []"
    await cluster.apply(RAY_SERVICES, {**other, "spec": {}}, "somebody-else", force=True)
    recovered = await seconds(publishes(cluster, "a", "b", seconds=60))
    figures(
        f"named after {noticed:.1f} s; {attempts} attempts and {requests} requests in the 15 s after; "
        f"published {recovered:.1f} s after the other let go"
    )
    assert attempts <= 5


async def test_killed_between_publish_and_status(
    kubeconfig: Path, cluster: kube.KubeApi, dataplane: FakeDataPlane, tmp_path: Path, figures: Figures
) -> None:
    """-9 at that very moment: after it published, a controller asks the data plane, which does not answer
    here, and only then writes statuses. Its successor publishes nothing again, and completes the statuses."""
    many = [f"k{i:02}" for i in range(50)]
    await define(cluster, *many)
    dataplane.answers.clear()
    first = RunningController(kubeconfig, dataplane.url, tmp_path, "first")
    try:
        await publishes(cluster, *many)
        await eventually(lambda: _is_set(dataplane), 10)
        assert await told(cluster) == 0
    finally:
        first.kill()
    dataplane.answers.set()
    published = await generation(cluster)
    second = RunningController(kubeconfig, dataplane.url, tmp_path, "second")
    try:
        complete = await seconds(all_told(cluster, 50))
        assert await generation(cluster) == published
        assert set(many) == await names(cluster)
        figures(
            f"killed with 0 of 50 statuses written; its successor wrote them {complete:.1f} s after its "
            f"start (a lease lasts 15 s), and published nothing again"
        )
    finally:
        second.stop()


async def _is_set(dataplane: FakeDataPlane) -> bool:
    return dataplane.asked.is_set()


async def test_of_two_one_acts_and_the_other_takes_over(
    kubeconfig: Path, cluster: kube.KubeApi, dataplane: FakeDataPlane, tmp_path: Path, figures: Figures
) -> None:
    async def holder() -> str:
        return (await cluster.get(LEASES, "voyager-llm-controller"))["spec"].get("holderIdentity") or ""

    async def led_by(identity: str) -> bool:
        return await holder() == identity

    one = RunningController(kubeconfig, dataplane.url, tmp_path, "one")
    try:
        await eventually(lambda: led_by("one"), 40)
        two = RunningController(kubeconfig, dataplane.url, tmp_path, "two")
        try:
            await create(cluster, Kind.MODEL, model("a"))
            await publishes(cluster, "a")
            assert await holder() == "one"
            one.kill()
            await create(cluster, Kind.MODEL, model("b"))
            taken = await seconds(publishes(cluster, "a", "b", seconds=60))
            assert await holder() == "two"
            figures(f"the leader was killed; the other one published {taken:.1f} s later")
        finally:
            two.stop()
    finally:
        one.stop()
