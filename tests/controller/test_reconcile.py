"""Rounds of the reconciler against a real API server, under the roles that we ship."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from controller.dataplane import DataPlane
from controller.publish import RayServicePublisher
from controller.reconciler import Outcome, Reconciler
from controller.serve_config import load_base
from scripts.kubernetes.platform import NAMESPACE, RAY_SERVICES, eventually, path_of
from tests.controller.test_compile import evaluation, model, prompt, route
from tests.support.dataplane import FakeDataPlane
from tests.support.publications import published
from voyager_llm.definitions.bundle import Bundle
from voyager_llm.definitions.crd.resources import ALLOW_EMPTY, BY_KIND
from voyager_llm.definitions.kube import client as kube
from voyager_llm.domain.definition import Kind
from voyager_llm.domain.health import Phase


class Harness:
    """A reconciler of which a test runs single rounds, with a clock to turn."""

    def __init__(self, account: kube.KubeApi, cluster: kube.KubeApi, dataplane: FakeDataPlane) -> None:
        self.account = account
        self.cluster = cluster
        self.dataplane = dataplane
        self.now = 1_800_000_000.0
        self.client = DataPlane(dataplane.url)
        self.reconciler = self.fresh()

    def fresh(self) -> Reconciler:
        """A controller that was started just now."""
        publisher = RayServicePublisher(self.account, "voyager")
        return Reconciler(self.account, publisher, self.client, load_base(), clock=lambda: self.now)

    async def round(self, *, wake: bool = True) -> Outcome:
        if wake:
            self.reconciler.wake()
        return await self.reconciler.round()

    async def create(self, kind: Kind, manifest: dict[str, Any]) -> dict[str, Any]:
        body = {"apiVersion": "llm.voyager.io/v1", "kind": BY_KIND[kind].kind, **manifest}
        body["metadata"] = {"name": manifest["metadata"]["name"]}
        return await self.cluster.create(path_of(kind), body)

    async def published(self) -> Bundle:
        return await published(self.cluster)

    async def created(self, kind: Kind, manifest: dict[str, Any]) -> bool:
        await self.create(kind, manifest)
        return True

    async def has_published(self) -> bool:
        return bool((await self.published()).entries)

    async def kuberay(self, state: str = "RUNNING") -> None:
        """What KubeRay would write into the RayService's status."""
        service = await self.cluster.get(RAY_SERVICES, "voyager")
        status = {
            "observedGeneration": service["metadata"]["generation"],
            "activeServiceStatus": {"applicationStatuses": {"voyager": {"status": state}}},
        }
        await self.cluster.merge(RAY_SERVICES, "voyager", {"status": status}, "status")

    async def status(self, kind: Kind, name: str) -> dict[str, Any]:
        return (await self.cluster.get(path_of(kind), name)).get("status") or {}

    async def condition(self, kind: Kind, name: str, type_: str) -> tuple[str, str]:
        conditions = {c["type"]: c for c in (await self.status(kind, name))["conditions"]}
        return conditions[type_]["status"], conditions[type_]["reason"]

    async def settle(self, *models: str, phase: Phase = Phase.READY, **prompts: int) -> Outcome:
        """Publish, let KubeRay and the replicas follow, and look again."""
        await self.round()
        await self.kuberay()
        self.dataplane.holds((await self.published()).digest, *models, phase=phase, **prompts)
        return await self.round(wake=False)


@pytest.fixture
async def harness(
    account: kube.KubeApi, cluster: kube.KubeApi, dataplane: FakeDataPlane
) -> AsyncIterator[Harness]:
    running = Harness(account, cluster, dataplane)
    yield running
    await running.client.close()


async def test_from_objects_to_statuses(harness: Harness) -> None:
    await harness.create(Kind.MODEL, model("m"))
    await harness.create(Kind.PROMPT, prompt("p"))
    await harness.create(Kind.EVALUATION, evaluation("e", "m", "p"))
    first = await harness.round()
    assert first.published
    assert not first.settled
    assert (await harness.status(Kind.MODEL, "m"))["phase"] == "Pending"
    assert await harness.condition(Kind.MODEL, "m", "Programmed") == ("False", "Pending")
    await harness.kuberay()
    harness.dataplane.holds((await harness.published()).digest, "m", p=3)
    assert (await harness.round(wake=False)).settled
    status = await harness.status(Kind.MODEL, "m")
    assert (status["phase"], status["availability"], status["average_latency_ms"]) == ("Ready", 99.5, 12.0)
    assert status["observedGeneration"] == 1
    for kind, name in ((Kind.MODEL, "m"), (Kind.PROMPT, "p"), (Kind.EVALUATION, "e")):
        assert await harness.condition(kind, name, "Ready") == ("True", "Ready")
    prompt_status = await harness.status(Kind.PROMPT, "p")
    assert (prompt_status["version"], prompt_status["usage_count"]) == ("1.0.0", 6)


async def test_a_routes_status_is_that_of_its_targets(harness: Harness) -> None:
    for name in "abc":
        await harness.create(Kind.MODEL, model(name))
    await harness.create(Kind.ROUTE, route("r", "a", "b"))
    await harness.create(Kind.ROUTE, route("lonely", "c"))
    await harness.create(Kind.ROUTE, route("early", "a", "later"))
    await harness.settle("a", "b")
    assert (await harness.published()).by_name.keys() >= {(Kind.ROUTE, "r"), (Kind.ROUTE, "early")}
    status = await harness.status(Kind.ROUTE, "r")
    assert (status["phase"], status["targets"], status["available_targets"]) == ("Ready", 2, 2)
    assert await harness.condition(Kind.ROUTE, "r", "Ready") == ("True", "Ready")
    assert (await harness.status(Kind.ROUTE, "lonely"))["phase"] == "Pending"
    assert await harness.condition(Kind.ROUTE, "lonely", "Available") == ("Unknown", "NoTraffic")
    early = await harness.status(Kind.ROUTE, "early")
    assert (early["phase"], early["available_targets"]) == ("Degraded", 1)
    assert await harness.condition(Kind.ROUTE, "early", "ResolvedRefs") == ("False", "ModelNotFound")
    assert await harness.condition(Kind.ROUTE, "early", "Ready") == ("False", "ModelNotFound")
    await harness.settle("a", "b", "c", phase=Phase.UNAVAILABLE)
    harness.now += 60
    await harness.round(wake=False)
    assert (await harness.status(Kind.ROUTE, "r"))["phase"] == "Unavailable"
    assert await harness.condition(Kind.ROUTE, "r", "Available") == ("False", "Unhealthy")


async def test_an_alias_that_another_has_is_told(harness: Harness) -> None:
    await harness.create(Kind.MODEL, model("a", aliases=["openrouter/a", "gpt"]))
    await harness.settle("a")
    assert await harness.condition(Kind.MODEL, "a", "AliasesGranted") == ("True", "Granted")
    await harness.create(Kind.MODEL, model("b", aliases=["gpt", "b:free"]))
    await harness.settle("a", "b")
    assert await harness.condition(Kind.MODEL, "a", "Ready") == ("True", "Ready")
    assert await harness.condition(Kind.MODEL, "b", "Accepted") == ("True", "Accepted")
    assert await harness.condition(Kind.MODEL, "b", "Ready") == ("False", "NameTaken")
    told = {c["type"]: c["message"] for c in (await harness.status(Kind.MODEL, "b"))["conditions"]}
    assert told["AliasesGranted"] == "ModelDefinition a is called 'gpt' already"
    assert (await harness.published()).by_name[Kind.MODEL, "b"].document["aliases"] == ["b:free"]
    await harness.cluster.delete(path_of(Kind.MODEL), "a")
    await harness.settle("b")
    assert await harness.condition(Kind.MODEL, "b", "AliasesGranted") == ("True", "Granted")


async def test_nothing_changed_means_nothing_written(harness: Harness) -> None:
    await harness.create(Kind.MODEL, model("m"))
    await harness.settle("m")
    for _ in range(3):
        again = await harness.round()
        assert (again.published, again.statuses_written) == (False, 0)


async def test_a_bad_object_is_told_and_spares_the_others(harness: Harness) -> None:
    await harness.create(Kind.PROMPT, prompt("p"))
    await harness.settle()
    await harness.cluster.merge(
        path_of(Kind.PROMPT), "p", {"spec": {"version": "1.1.0", "template": "{{ nobody }}"}}
    )
    await harness.create(Kind.MODEL, model("m"))
    await harness.settle("m")
    status = await harness.status(Kind.PROMPT, "p")
    assert status["phase"] == "Invalid"
    assert status["version"] == "1.0.0"  # what is served
    (accepted,) = [c for c in status["conditions"] if c["type"] == "Accepted"]
    assert (accepted["status"], accepted["observedGeneration"]) == ("False", 2)
    assert "nobody" in accepted["message"]
    assert await harness.condition(Kind.MODEL, "m", "Ready") == ("True", "Ready")


async def test_success_is_what_the_replicas_report(harness: Harness) -> None:
    await harness.create(Kind.MODEL, model("m"))
    await harness.settle("m")
    await harness.cluster.merge(path_of(Kind.MODEL), "m", {"spec": {"model_name": "gpt-4o"}})
    await harness.round()
    await harness.kuberay()
    assert not (await harness.round(wake=False)).settled
    assert await harness.condition(Kind.MODEL, "m", "Programmed") == ("False", "Pending")
    harness.dataplane.holds((await harness.published()).digest, "m")
    assert (await harness.round(wake=False)).settled
    assert await harness.condition(Kind.MODEL, "m", "Programmed") == ("True", "Programmed")


async def test_a_second_writer_is_a_conflict_not_a_fight(harness: Harness) -> None:
    await harness.create(Kind.MODEL, model("m"))
    await harness.settle("m")
    other = {
        "apiVersion": "ray.io/v1", "kind": "RayService", "metadata": {"name": "voyager"},
        "spec": {"serveConfigV2": "applications: []"},
    }  # fmt: skip
    await harness.cluster.apply(RAY_SERVICES, other, "somebody-else", force=True)
    await harness.create(Kind.MODEL, model("n"))
    assert not (await harness.round()).published
    assert await harness.condition(Kind.MODEL, "n", "Programmed") == ("False", "PublishConflict")
    service = await harness.cluster.get(RAY_SERVICES, "voyager")
    assert service["spec"]["serveConfigV2"] == "applications: []"
    assert await harness.condition(Kind.MODEL, "m", "Ready") == ("True", "Ready")


async def test_no_models_at_all_must_be_meant(harness: Harness) -> None:
    await harness.create(Kind.MODEL, model("m"))
    await harness.settle("m")
    before = await harness.published()
    await harness.cluster.delete(path_of(Kind.MODEL), "m")
    assert not (await harness.round()).published
    assert await harness.published() == before
    await harness.cluster.merge(RAY_SERVICES, "voyager", {"metadata": {"annotations": {ALLOW_EMPTY: "true"}}})
    assert (await harness.round()).published
    assert not (await harness.published()).entries


async def test_a_fresh_controller_keeps_last_good_versions(harness: Harness) -> None:
    """They are read back out of what is published; no memory of its own is needed."""
    await harness.create(Kind.PROMPT, prompt("p"))
    await harness.settle()
    await harness.cluster.merge(
        path_of(Kind.PROMPT), "p", {"spec": {"version": "2.0.0", "template": "{{ nobody }}"}}
    )
    harness.reconciler = harness.fresh()
    await harness.round()
    assert (await harness.published()).by_name[Kind.PROMPT, "p"].document["version"] == "1.0.0"


async def test_a_flapping_provider_does_not_flood_the_server(
    harness: Harness, figures: Callable[[str], None]
) -> None:
    await harness.create(Kind.MODEL, model("m"))
    await harness.settle("m")
    digest = (await harness.published()).digest
    written = 0
    for second in range(120):
        phase = Phase.UNAVAILABLE if second % 2 else Phase.READY
        harness.dataplane.holds(digest, "m", phase=phase)
        harness.now += 1
        written += (await harness.round(wake=False)).statuses_written
    figures(f"{written} status writes while a model's health turned 120 times in two minutes")
    assert 1 <= written <= 4


async def test_figures_are_written_every_five_minutes(harness: Harness) -> None:
    await harness.create(Kind.MODEL, model("m"))
    await harness.settle("m")
    digest = (await harness.published()).digest
    written: list[int] = []
    for _ in range(7):
        harness.now += 100
        harness.dataplane.holds(digest, "m")
        harness.dataplane.replicas = {
            name: replica.model_copy(update={"models": {"m": replica.models["m"].model_copy(
                update={"latency_ms": harness.now % 1000})}})
            for name, replica in (harness.dataplane.replicas or {}).items()
        }  # fmt: skip
        written.append((await harness.round(wake=False)).statuses_written)
    assert sum(written) == 2


async def test_usage_outlives_replicas_and_controllers(harness: Harness) -> None:
    await harness.create(Kind.PROMPT, prompt("p"))
    await harness.settle(p=5)
    harness.now += 400
    harness.dataplane.holds((await harness.published()).digest, p=2)  # both replicas are new
    await harness.round(wake=False)
    assert (await harness.status(Kind.PROMPT, "p"))["usage_count"] == 14
    harness.reconciler = harness.fresh()
    harness.now += 400
    await harness.round()
    assert (await harness.status(Kind.PROMPT, "p"))["usage_count"] == 14  # none is counted twice
    harness.now += 400
    harness.dataplane.holds((await harness.published()).digest, p=3)
    await harness.round(wake=False)
    assert (await harness.status(Kind.PROMPT, "p"))["usage_count"] == 16


async def test_turns_become_events(harness: Harness) -> None:
    stored = await harness.create(Kind.MODEL, model("m"))
    await harness.settle("m")
    events, _ = await harness.cluster.list(kube.Path("/apis/events.k8s.io/v1", "events", NAMESPACE))
    mine = {
        (e["type"], e["reason"]) for e in events if e["regarding"].get("uid") == stored["metadata"]["uid"]
    }
    assert mine == {("Normal", "Ready")}


async def test_a_data_plane_that_is_away_for_a_moment_changes_nothing(harness: Harness) -> None:
    await harness.create(Kind.MODEL, model("m"))
    await harness.settle("m")
    harness.dataplane.replicas = None
    harness.now += 50
    assert (await harness.round(wake=False)).statuses_written == 0
    harness.now += 50
    await harness.round(wake=False)
    assert await harness.condition(Kind.MODEL, "m", "Programmed") == ("True", "Programmed")
    assert (await harness.condition(Kind.MODEL, "m", "Available"))[0] == "Unknown"


async def test_no_verb_is_missing_and_none_too_many(account: kube.KubeApi, harness: Harness) -> None:
    """All tests here run under the shipped role; what it must not do, it cannot."""
    await harness.create(Kind.MODEL, model("m"))
    for forbidden in (
        account.delete(path_of(Kind.MODEL), "m"),
        account.merge(path_of(Kind.MODEL), "m", {"spec": {"model_name": "x"}}),
        account.list(kube.Path("/api/v1", "secrets", NAMESPACE)),
        account.delete(RAY_SERVICES, "voyager"),
    ):
        with pytest.raises(kube.KubeError) as refused:
            await forbidden
        assert refused.value.status == 403


async def test_what_fails_is_not_tried_all_the_time(
    account: kube.KubeApi, cluster: kube.KubeApi, dataplane: FakeDataPlane
) -> None:
    """While another owns the configuration, the server is not flooded with attempts and LISTs."""
    harness = Harness(account, cluster, dataplane)
    attempts = 0
    publish = RayServicePublisher.publish

    class Counting(RayServicePublisher):
        async def publish(self, text: str) -> None:
            nonlocal attempts
            attempts += 1
            await publish(self, text)

    other = {
        "apiVersion": "ray.io/v1", "kind": "RayService", "metadata": {"name": "voyager"},
        "spec": {"serveConfigV2": "applications: []"},
    }  # fmt: skip
    await cluster.apply(RAY_SERVICES, other, "somebody-else", force=True)
    await harness.create(Kind.MODEL, model("m"))
    reconciler = Reconciler(account, Counting(account, "voyager"), harness.client, load_base())
    running = asyncio.create_task(reconciler.run())
    await asyncio.sleep(8)
    running.cancel()
    await harness.client.close()
    assert 2 <= attempts <= 6


async def test_the_loop_runs_by_itself(harness: Harness) -> None:
    running = asyncio.create_task(harness.reconciler.run())
    await harness.create(Kind.MODEL, model("m"))
    harness.reconciler.wake()
    await eventually(harness.has_published)
    running.cancel()


async def test_an_object_older_than_the_schema(harness: Harness, figures: Callable[[str], None]) -> None:
    """It was valid once. The stricter schema leaves it in the cluster; it is told, and the others go on."""
    crds = kube.Path("/apis/apiextensions.k8s.io/v1", "customresourcedefinitions")
    name = "modeldefinitions.llm.voyager.io"
    strict = await harness.cluster.get(crds, name)
    loose = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    versions = [
        {**strict["spec"]["versions"][0], "schema": {"openAPIV3Schema": loose}, "selectableFields": None}
    ]
    await harness.cluster.merge(crds, name, {"spec": {"versions": versions}})
    try:
        await eventually(lambda: harness.created(Kind.MODEL, model("old", provider="of-the-past")))
    finally:
        await harness.cluster.merge(crds, name, {"spec": {"versions": strict["spec"]["versions"]}})

    async def is_strict() -> bool:
        try:
            await harness.create(Kind.MODEL, model("probe", provider="of-the-past"))
        except kube.KubeError as error:
            return error.status == 422
        await harness.cluster.delete(path_of(Kind.MODEL), "probe")
        return False

    await eventually(is_strict)
    await harness.create(Kind.MODEL, model("new"))
    await harness.settle("new")
    assert await harness.condition(Kind.MODEL, "new", "Ready") == ("True", "Ready")
    assert await harness.condition(Kind.MODEL, "old", "Accepted") == ("False", "Invalid")
    again = [(await harness.round()).statuses_written for _ in range(5)]
    figures(f"told in the round that saw it, beside a new one; status writes in five rounds after: {again}")
    assert again == [0] * 5
