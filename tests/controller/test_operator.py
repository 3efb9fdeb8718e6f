"""The controller's process is woken by what happens. What it survives is in `test_faults.py`."""

from __future__ import annotations

import time
from typing import Any

from scripts.kubernetes.platform import eventually, path_of
from tests.controller.test_compile import model, prompt
from tests.support.controllers import RunningController
from tests.support.dataplane import FakeDataPlane
from tests.support.publications import published
from voyager_llm.definitions.crd.resources import BY_KIND
from voyager_llm.definitions.kube import client as kube
from voyager_llm.domain.definition import Kind


async def create(api: kube.KubeApi, kind: Kind, manifest: dict[str, Any]) -> None:
    body = {"apiVersion": "llm.voyager.io/v1", "kind": BY_KIND[kind].kind, **manifest}
    await api.create(path_of(kind), {**body, "metadata": {"name": manifest["metadata"]["name"]}})


async def names(api: kube.KubeApi) -> set[str]:
    return {entry.name for entry in (await published(api)).entries}


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
