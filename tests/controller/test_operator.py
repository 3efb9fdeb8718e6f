"""The controller's process: it is woken by what happens, and survives what happens to the cluster."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from controller.serve_config import bundle_in
from scripts.kubernetes.control_plane import ControlPlane
from scripts.kubernetes.platform import CONTROLLER, RAY_SERVICES, eventually, path_of
from tests.controller.test_compile import model, prompt
from tests.support.controllers import RunningController
from tests.support.dataplane import FakeDataPlane
from voyager_llm.crd.resources import BY_KIND
from voyager_llm.domain.definition import Kind
from voyager_llm.kube import client as kube


@pytest.fixture
def kubeconfig(plane: ControlPlane) -> Path:
    return plane.kubeconfig(CONTROLLER)


@pytest.fixture
def controller(
    kubeconfig: Path, cluster: kube.KubeApi, dataplane: FakeDataPlane, tmp_path: Path
) -> Iterator[RunningController]:
    running = RunningController(kubeconfig, dataplane.url, tmp_path)
    yield running
    running.stop()
    assert "Traceback" not in running.log.read_text(), running.log.read_text()[-3000:]


LEASES = kube.Path("/apis/coordination.k8s.io/v1", "leases", "llm")


async def create(api: kube.KubeApi, kind: Kind, manifest: dict[str, Any]) -> None:
    body = {"apiVersion": "llm.voyager.io/v1", "kind": BY_KIND[kind].kind, **manifest}
    await api.create(path_of(kind), {**body, "metadata": {"name": manifest["metadata"]["name"]}})


async def names(api: kube.KubeApi) -> set[str]:
    service = await api.get(RAY_SERVICES, "voyager")
    bundle = bundle_in(service["spec"].get("serveConfigV2") or "")
    return {entry.name for entry in bundle.entries} if bundle else set()


async def publishes(api: kube.KubeApi, *expected: str, seconds: float = 40.0) -> None:
    async def holds() -> bool:
        return await names(api) == set(expected)

    await eventually(holds, seconds)


async def test_it_follows_what_happens(
    cluster: kube.KubeApi, controller: RunningController, dataplane: FakeDataPlane
) -> None:
    await create(cluster, Kind.MODEL, model("a"))
    await publishes(cluster, "a")
    started = time.monotonic()
    await create(cluster, Kind.PROMPT, prompt("p"))
    await publishes(cluster, "a", "p")
    assert time.monotonic() - started < 5  # by the watch, not by the next LIST
    await cluster.delete(path_of(Kind.PROMPT), "p")
    await publishes(cluster, "a")


async def test_the_api_server_restarts_in_the_middle(
    plane: ControlPlane, cluster: kube.KubeApi, controller: RunningController
) -> None:
    """Definitions that came and went in the gap are seen, though etcd has forgotten the gap and the watch
    cannot go on from where it was (410): a LIST tells, no watch needs to."""
    await create(cluster, Kind.MODEL, model("kept"))
    await create(cluster, Kind.MODEL, model("gone"))
    await publishes(cluster, "gone", "kept")
    controller.process.send_signal(signal.SIGSTOP)  # it sees nothing of what follows
    await cluster.delete(path_of(Kind.MODEL), "gone")
    await create(cluster, Kind.MODEL, model("new"))
    plane.compact()
    plane.stop("kube-apiserver", signal.SIGKILL)
    controller.process.send_signal(signal.SIGCONT)
    await asyncio.sleep(2)
    plane.start_server()
    await asyncio.to_thread(plane.wait_until_ready)
    await publishes(cluster, "kept", "new", seconds=90)
    # Nothing of it is left over: the next change is seen at once.
    await create(cluster, Kind.MODEL, model("later"))
    await publishes(cluster, "kept", "later", "new")


async def test_etcd_is_slow(
    plane: ControlPlane, cluster: kube.KubeApi, controller: RunningController
) -> None:
    await create(cluster, Kind.MODEL, model("a"))
    await publishes(cluster, "a")
    plane.pause("etcd", on=True)
    await asyncio.sleep(8)
    plane.pause("etcd", on=False)
    await eventually(lambda: _made(cluster, "b"))
    await publishes(cluster, "a", "b", seconds=60)


async def _made(api: kube.KubeApi, name: str) -> bool:
    await create(api, Kind.MODEL, model(name))
    return True


async def test_of_two_one_acts_and_the_other_takes_over(
    kubeconfig: Path, cluster: kube.KubeApi, dataplane: FakeDataPlane, tmp_path: Path
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
            await publishes(cluster, "a", "b", seconds=60)
            assert await holder() == "two"
        finally:
            two.stop()
    finally:
        one.stop()
