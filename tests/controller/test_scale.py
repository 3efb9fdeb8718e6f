"""1,000 models and 2,000 prompts: one publication, one status each, then silence."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path

import psutil

from scripts.kubernetes.control_plane import ControlPlane
from scripts.kubernetes.platform import CONTROLLER, RAY_SERVICES, eventually, path_of
from tests.controller.test_compile import model, prompt
from tests.controller.test_operator import create, names
from tests.support.controllers import RunningController
from tests.support.dataplane import FakeDataPlane
from voyager_llm.definitions.kube import client as kube
from voyager_llm.domain.definition import Kind

MODELS, PROMPTS = 1000, 2000
# Requests on our kinds, and on what the controller writes.
OURS = r'group="(llm\.voyager\.io|ray\.io|events\.k8s\.io)"'
TEMPLATE = "You are an expert. Answer {{ question }} for customer number %d, briefly and with care. " * 5


async def test_a_platform_of_three_thousand_definitions(
    plane: ControlPlane,
    cluster: kube.KubeApi,
    dataplane: FakeDataPlane,
    tmp_path: Path,
    figures: Callable[[str], None],
) -> None:
    await _define(cluster)
    before = plane.requests(OURS)
    generation = (await cluster.get(RAY_SERVICES, "voyager"))["metadata"]["generation"]
    started = time.monotonic()
    controller = RunningController(plane.kubeconfig(CONTROLLER), dataplane.url, tmp_path)
    try:

        async def published() -> bool:
            return len(await names(cluster)) == MODELS + PROMPTS

        await eventually(published, 120)
        converged = time.monotonic() - started

        async def told() -> bool:
            found, _ = await cluster.list(path_of(Kind.PROMPT))
            return all((item.get("status") or {}).get("version") for item in found)

        await eventually(told, 120)
        all_told = time.monotonic() - started
        memory = psutil.Process(controller.process.pid).memory_info().rss / 1e6
        requests = plane.requests(OURS) - before
        publications = (await cluster.get(RAY_SERVICES, "voyager"))["metadata"]["generation"] - generation
        # One more change is one more publication, and touches nothing else.
        quiet = plane.requests(OURS)
        await create(cluster, Kind.MODEL, model("one-more"))
        changed = time.monotonic()

        async def followed() -> bool:
            return "one-more" in await names(cluster)

        await eventually(followed, 60)
        change = time.monotonic() - changed
        await asyncio.sleep(5)
        after = plane.requests(OURS) - quiet
    finally:
        controller.stop()
    figures(
        f"{MODELS} models, {PROMPTS} prompts: published after {converged:.1f} s, {publications} time(s); "
        f"all statuses after {all_told:.1f} s, {requests} requests; the controller holds {memory:.0f} MB. "
        f"One more model: published after {change:.1f} s, {after} requests."
    )
    assert publications <= 2
    assert memory < 600
    # A status each, lists in pages of 500, watches, and what this test itself asked.
    assert requests < (MODELS + PROMPTS) * 1.3 + 2000
    assert after < 400


async def _define(cluster: kube.KubeApi) -> None:
    gate = asyncio.Semaphore(16)

    async def one(kind: Kind, name: str, number: int) -> None:
        async with gate:
            if kind is Kind.MODEL:
                await create(cluster, kind, model(name, capabilities=[f"c{number % 7}"]))
            else:
                await create(cluster, kind, _prompt(name, number))

    await asyncio.gather(
        *(one(Kind.MODEL, f"model-{n}", n) for n in range(MODELS)),
        *(one(Kind.PROMPT, f"prompt-{n}", n) for n in range(PROMPTS)),
    )


def _prompt(name: str, number: int) -> dict[str, object]:
    found = prompt(name, template=TEMPLATE.replace("%d", str(number)))
    found["spec"]["parameters"] = [{"name": "question", "required": True}]
    return found
