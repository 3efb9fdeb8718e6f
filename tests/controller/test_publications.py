"""Large publications in a real cluster: whole or not at all, little for a little change, nothing left."""

from __future__ import annotations

import base64
import random
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from controller.publish import PublishError
from controller.serve_config import load_base, with_definitions
from controller.shelf import Shelf
from scripts.kubernetes.control_plane import ControlPlane
from scripts.kubernetes.platform import NAMESPACE, SERVICE, eventually
from tests.controller.conftest import CONFIG_MAPS
from tests.controller.test_compile import model, prompt
from tests.controller.test_reconcile import Harness
from tests.support.dataplane import FakeDataPlane
from voyager_llm.definitions.adoption import Adoption
from voyager_llm.definitions.bundle import Bundle, Published, bundle_of
from voyager_llm.definitions.catalog import Catalog
from voyager_llm.definitions.kube import client as kube
from voyager_llm.definitions.kube.published import LABEL, PublishedReader, config_map, object_name
from voyager_llm.definitions.shards import DamagedError, sharded
from voyager_llm.definitions.store.sql import SqlStore
from voyager_llm.domain.definition import Kind
from voyager_llm.snapshot import Delta, SnapshotCell

MODELS, PROMPTS = 10_000, 20_000
TEMPLATE = "You are an expert. Answer {{ question }} for customer number %d, briefly and with care. " * 5


def a_model(name: str, **fields: Any) -> Published:
    document = {
        "name": name, "provider": "openai", "model_name": "gpt-4", "parameters": {"max_tokens": 4096},
        "cost": {"input_token_cost": "0.00003", "output_token_cost": "0.00006"}, **fields,
    }  # fmt: skip
    return Published(Kind.MODEL, name, document, "git")


def a_prompt(name: str, number: int) -> Published:
    template = TEMPLATE.replace("%d", str(number))
    document = {"name": name, "version": "1.0.0", "template": template,
                "parameters": [{"name": "question", "required": True}]}  # fmt: skip
    return Published(Kind.PROMPT, name, document, "git")


async def pieces(api: kube.KubeApi) -> set[str]:
    """The names of all ConfigMaps of publications."""
    found, _ = await api.list(CONFIG_MAPS, LABEL, metadata_only=True)
    return {item["metadata"]["name"] for item in found}


def text_of(pointer: Any) -> str:
    return with_definitions(load_base(), pointer)


@pytest.fixture
async def service(plane: ControlPlane) -> AsyncIterator[kube.KubeApi]:
    """The cluster as the service's own account sees it."""
    api = kube.connect(NAMESPACE, str(plane.kubeconfig(SERVICE)))
    yield api
    await api.close()


async def test_a_platform_of_thirty_thousand_definitions(
    cluster: kube.KubeApi, account: kube.KubeApi, service: kube.KubeApi, figures: Callable[[str], None]
) -> None:
    """Written by the controller's account, read by the service's."""
    platform = [a_model(f"model-{n}") for n in range(MODELS)]
    platform += [a_prompt(f"prompt-{n}", n) for n in range(PROMPTS)]
    bundle = bundle_of(platform)
    shelf, reader = Shelf(account), PublishedReader(service)
    started = time.monotonic()
    pointer = await shelf.put(bundle, anew=True)
    put = time.monotonic() - started
    assert len(text_of(pointer)) < 10_000
    started = time.monotonic()
    found = await reader.read(pointer)
    read = time.monotonic() - started
    assert found == bundle
    assert found.digest == bundle.digest == Bundle(found.entries).digest
    there = await pieces(cluster)
    first = await cluster.get(CONFIG_MAPS, min(there))
    assert first["immutable"] is True
    assert await shelf.settled() == 0

    more = bundle_of([*platform, a_model("one-more")])
    started = time.monotonic()
    after = await shelf.put(more, anew=True)
    changed = time.monotonic() - started
    new = await pieces(cluster) - there
    started = time.monotonic()
    assert await reader.read(after) == more
    read_again = time.monotonic() - started
    # What was in force a moment ago is still there, and readable by whoever is pointed to it.
    assert await PublishedReader(service).read(pointer) == bundle
    packed = sum(len(shard.packed()) for shard in sharded(more).shards)
    figures(
        f"{MODELS} models, {PROMPTS} prompts, {len(bundle.content) / 1e6:.1f} MB: {len(there)} ConfigMaps of "
        f"{packed / 1e6:.2f} MB in all, written in {put:.1f} s, read in {read:.1f} s. One more model: "
        f"{len(new)} new ones in {changed:.1f} s, read in {read_again:.1f} s"
    )
    assert len(there) > 20
    assert len(new) <= 3  # its shard, or the halves of that, and the index
    assert await shelf.settled() == 0  # the last known good is kept
    yet_another = bundle_of([*platform, a_model("another")])
    last = await shelf.put(yet_another, anew=True)
    assert await shelf.settled() >= 1
    assert await PublishedReader(service).read(last) == yet_another
    assert await PublishedReader(service).read(after) == more
    with pytest.raises(DamagedError, match="is missing"):
        await PublishedReader(service).read(pointer)


async def test_a_small_platform_needs_no_objects(cluster: kube.KubeApi, account: kube.KubeApi) -> None:
    """It grows into them, and out of them again; two publications later none is left."""
    shelf = Shelf(account)
    small = bundle_of([a_model("m")])
    large = bundle_of([a_prompt(f"p{n}", n) for n in range(20_000)])
    assert "definitions" in await shelf.put(small, anew=True)
    assert await pieces(cluster) == set()
    for bundle in (large, small):
        pointer = await shelf.put(bundle, anew=True)
        assert await shelf.find(text_of(pointer)) == bundle
        await shelf.settled()
    assert await pieces(cluster)
    await shelf.put(bundle_of([a_model("other")]), anew=True)
    await shelf.settled()
    assert await pieces(cluster) == set()


async def test_a_publication_is_mended_by_whoever_looks_next(
    cluster: kube.KubeApi, account: kube.KubeApi
) -> None:
    bundle = bundle_of(_noise(12))
    shelf = Shelf(account)
    pointer = await shelf.put(bundle, anew=True)
    whole = await pieces(cluster)
    shard, *_, other = (object_name(piece.name) for piece in sharded(bundle).shards)
    await cluster.delete(CONFIG_MAPS, shard)
    await _damage(cluster, other)
    for looking in (shelf, Shelf(account)):  # the same controller, and one that was started just now
        assert await looking.put(bundle, anew=True) == pointer
        assert await pieces(cluster) == whole
        assert await PublishedReader(account).read(pointer) == bundle
        await _damage(cluster, shard)
        await cluster.delete(CONFIG_MAPS, other)


async def test_the_data_plane_keeps_its_last_good_configuration(
    cluster: kube.KubeApi, account: kube.KubeApi, service: kube.KubeApi, tmp_path: Path
) -> None:
    """A missing shard, then a damaged one: what is in force stays, and why is told."""
    cell = SnapshotCell()

    async def publish(delta: Delta) -> None:
        assert cell.apply(delta)

    catalog = Catalog(SqlStore(f"sqlite+aiosqlite:///{tmp_path / 'store.db'}"), publish)
    await catalog.open()
    assert cell.apply(*catalog.since(0))
    adoption, reader, shelf = Adoption(catalog), PublishedReader(service), Shelf(account)
    good, next_ = bundle_of(_noise(12)), bundle_of([*_noise(13), a_model("new")])
    pointers = [await shelf.put(bundle, anew=True) for bundle in (good, next_)]
    adoption.publish(lambda: reader.read(pointers[0]))
    await adoption.step()
    assert cell.current.published == good.digest
    in_force = cell.current
    changed = sharded(next_).names() - sharded(good).names() - {sharded(next_).index.name}
    name = object_name(min(changed))
    before = await cluster.get(CONFIG_MAPS, name)
    adoption.publish(lambda: reader.read(pointers[1]))
    await cluster.delete(CONFIG_MAPS, name)
    with pytest.raises(DamagedError, match=f"{name} is missing"):
        await adoption.step()
    await _restore(cluster, before, binaryData={"definitions": base64.b64encode(b"other").decode()})
    with pytest.raises(DamagedError, match=f"{name} does not hold what its name says"):
        await adoption.step()
    assert cell.current is in_force
    await cluster.delete(CONFIG_MAPS, name)
    await _restore(cluster, before)
    await adoption.step()
    assert cell.current.published == next_.digest
    assert "new" in cell.current.models
    await catalog.close()


@pytest.fixture
async def harness(
    account: kube.KubeApi, cluster: kube.KubeApi, dataplane: FakeDataPlane
) -> AsyncIterator[Harness]:
    running = Harness(account, cluster, dataplane)
    yield running
    await running.client.close()


async def test_from_large_objects_to_statuses_and_back(harness: Harness, cluster: kube.KubeApi) -> None:
    """Rounds of the reconciler: published in pieces, mended when the data plane misses one, collected."""
    for entry in _noise(8):
        await harness.create(Kind.PROMPT, prompt(entry.name, template=str(entry.document["template"])))
    await harness.create(Kind.MODEL, model("m"))
    assert (await harness.settle("m")).settled
    first = await pieces(cluster)
    assert len(first) > 2
    assert {entry.name for entry in (await harness.published()).entries} >= {"m", "noise-0"}
    assert await harness.condition(Kind.PROMPT, "noise-0", "Ready") == ("True", "Ready")

    shard = min(first)
    await harness.create(Kind.MODEL, model("n"))
    await harness.round()
    await harness.kuberay()
    await cluster.delete(CONFIG_MAPS, shard)
    harness.dataplane.publication = f"ConfigMap {shard} is missing"
    await harness.round(wake=False)
    assert await harness.condition(Kind.MODEL, "n", "Programmed") == ("False", "PublicationUnreadable")
    await harness.round(wake=False)
    assert shard in await pieces(cluster)

    harness.dataplane.publication = ""
    for name in ("n", "o", "p"):
        if name != "n":
            await harness.create(Kind.MODEL, model(name))
        assert (await harness.settle("m", "n")).settled
    # What nobody has needed for two publications is gone; what is in force is whole.
    assert len(await pieces(cluster)) <= len(first) + 3
    assert first - await pieces(cluster)
    assert {entry.name for entry in (await harness.published()).entries} >= {"m", "n", "o", "p"}
    # A controller that starts now knows no other last good configuration than this one.
    harness.reconciler = harness.fresh()
    assert not (await harness.round()).published


async def test_a_definition_that_fits_no_object_is_told_and_the_last_one_stays(
    cluster: kube.KubeApi, account: kube.KubeApi
) -> None:
    huge = base64.b64encode(random.Random(7).randbytes(1_300_000)).decode()
    shelf = Shelf(account)
    with pytest.raises(PublishError, match="prompt huge has "):
        await shelf.put(bundle_of([Published(Kind.PROMPT, "huge", {"template": huge}, "git")]), anew=True)


async def test_nobody_may_do_more_than_is_needed(
    cluster: kube.KubeApi, account: kube.KubeApi, service: kube.KubeApi
) -> None:
    """The controller leaves other ConfigMaps alone, even if it wanted; the service reads what it can name."""
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "anothers"}, "data": {"a": "b"}}
    await cluster.create(CONFIG_MAPS, body)
    try:

        async def refused() -> bool:
            try:
                await account.delete(CONFIG_MAPS, "anothers")
            except kube.KubeError as error:
                return error.status == 422 or "publications alone" in error.message
            await cluster.create(CONFIG_MAPS, body)
            return False

        await eventually(refused, 20)  # a policy is in force a moment after it is there
        with pytest.raises(kube.KubeError, match="publications alone"):
            await account.create(CONFIG_MAPS, {**body, "metadata": {"name": "mine"}})
        with pytest.raises(kube.KubeError, match="forbidden"):
            await account.replace(CONFIG_MAPS, body)
        piece = sharded(bundle_of(_noise(1))).shards[0]
        name = object_name(piece.name)
        await account.create(CONFIG_MAPS, config_map(piece))
        assert (await service.get(CONFIG_MAPS, name))["immutable"]
        for forbidden in (
            service.list(CONFIG_MAPS),
            service.delete(CONFIG_MAPS, name),
            service.create(CONFIG_MAPS, body),
        ):
            with pytest.raises(kube.KubeError, match="forbidden"):
                await forbidden
        await account.delete(CONFIG_MAPS, name)
    finally:
        await cluster.delete(CONFIG_MAPS, "anothers")


def _noise(number: int) -> list[Published]:
    """Prompts that do not shrink: some of them fill a shard."""
    chance = random.Random(3)
    texts = [base64.b64encode(chance.randbytes(90_000)).decode() for _ in range(number)]
    return [
        Published(
            Kind.PROMPT, f"noise-{n}", {"name": f"noise-{n}", "version": "1.0.0", "template": text}, "git"
        )
        for n, text in enumerate(texts)
    ]


async def _damage(api: kube.KubeApi, name: str) -> None:
    """Another hand: the same name, other content."""
    found = await api.get(CONFIG_MAPS, name)
    await api.delete(CONFIG_MAPS, name)
    await _restore(api, found, binaryData={"definitions": base64.b64encode(b"other").decode()})


async def _restore(api: kube.KubeApi, found: dict[str, Any], **changes: Any) -> None:
    metadata = {key: found["metadata"][key] for key in ("name", "labels")}
    body = {key: found[key] for key in ("apiVersion", "kind", "immutable", "binaryData")}
    await api.create(CONFIG_MAPS, {**body, "metadata": metadata, **changes})
