"""Routes that stood in the database alone become objects of the cluster, and none is lost on the way."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import create_async_engine

import voyager_llm.definitions.store.migrations as migrations
from scripts.kubernetes.control_plane import ControlPlane
from scripts.kubernetes.platform import NAMESPACE, SERVICE, path_of
from tests.support.stores import changed, url_of
from voyager_llm.definitions.adoption import Adoption
from voyager_llm.definitions.bundle import Bundle, Published, bundle_of
from voyager_llm.definitions.catalog import Catalog
from voyager_llm.definitions.crd.resources import RESOURCES
from voyager_llm.definitions.kube import client as kube
from voyager_llm.definitions.store.kubernetes import KubernetesStore
from voyager_llm.definitions.store.sql import SqlStore
from voyager_llm.domain.definition import Kind
from voyager_llm.domain.record import draft_of
from voyager_llm.domain.route import RouteDefinition
from voyager_llm.snapshot import Delta

ROUTE: dict[str, Any] = {
    "name": "Support_Route", "targets": [{"model": "m", "weight": 2.0}],
    "require": {"max_output_token_cost": 0.001},
}  # fmt: skip
MODEL = {"name": "m", "provider": "openai", "model_name": "gpt-4"}
OURS = Published(Kind.MODEL, "m", MODEL, "git")


class Hub:
    """A config hub's catalog, with a clock to turn. ``reached``: whether its cluster is there."""

    def __init__(self, file: Path, plane: ControlPlane) -> None:
        self.now = 100.0
        self.reached = True
        self.history = SqlStore(url_of(file))
        self.catalog = Catalog(
            KubernetesStore(lambda: self._connect(plane), self.history), _nobody, self.history
        )
        self.adoption = Adoption(self.catalog, 30.0, lambda: self.now)

    def _connect(self, plane: ControlPlane) -> kube.KubeApi:
        if not self.reached:
            raise kube.KubeError(0, "", "away")
        return kube.connect(NAMESPACE, str(plane.kubeconfig(SERVICE)))

    async def publish(self, *entries: Published) -> set[str]:
        """What a controller published; the routes that are in force then."""

        async def read() -> Bundle:
            return bundle_of(entries)

        self.adoption.publish(read)
        await self.adoption.step()
        return set(self.catalog.config.routes)


async def _nobody(delta: Delta) -> None:
    """There are no routers."""


@pytest.fixture
async def file(tmp_path: Path) -> Path:
    """A database of the release before clusters had routes, with one in it."""
    found = tmp_path / "old.db"
    engine = create_async_engine(url_of(found))

    def first(connection: Connection) -> None:
        config = Config()
        config.set_main_option("script_location", str(Path(migrations.__file__).parent))
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")

    async with engine.begin() as connection:
        await connection.run_sync(first)
    await engine.dispose()
    draft = draft_of(Kind.ROUTE, RouteDefinition.model_validate(ROUTE), "ada")
    document = orjson.dumps(draft.document).decode()
    changed(
        found,
        "INSERT INTO definitions VALUES ('route', 'Support_Route', 'id', 1, 0, 0)",
        "INSERT INTO definition_versions VALUES "
        f"('route', 'Support_Route', 1, '', '{document}', '{draft.digest}', 'ada', 0)",
        "INSERT INTO definitions VALUES ('route', 'old', 'id2', 1, 1, 0)",
    )
    return found


@pytest.fixture
async def hub(file: Path, plane: ControlPlane, cluster: kube.KubeApi) -> AsyncIterator[Hub]:
    for resource in RESOURCES:
        for found in (await cluster.list(path_of(resource.definition)))[0]:
            await cluster.delete(path_of(resource.definition), found["metadata"]["name"])
    running = Hub(file, plane)
    yield running
    await running.catalog.close()


async def objects(cluster: kube.KubeApi) -> list[dict[str, Any]]:
    return list((await cluster.list(path_of(Kind.ROUTE)))[0])


async def test_a_route_of_before_becomes_an_object(cluster: kube.KubeApi, hub: Hub) -> None:
    await hub.catalog.open()
    # The controller compiled this before there was an object.
    assert await hub.publish(OURS) == {"Support_Route"}
    (found,) = await objects(cluster)
    assert found["metadata"]["name"] == "support-route"
    assert found["metadata"]["annotations"]["llm.voyager.io/author"] == "ada"
    assert found["spec"]["targets"] == [{"model": "m", "weight": 2}]
    assert found["spec"]["require"]["max_output_token_cost"] == 0.001
    assert await hub.history.unpublished() == []
    route = Published(Kind.ROUTE, "Support_Route", ROUTE, "ada")
    assert await hub.publish(OURS, route) == {"Support_Route"}
    hub.now += 31
    # From now on it is the cluster's: who deletes the object deletes the route.
    assert await hub.publish(OURS) == set()


async def test_while_the_cluster_is_away_no_route_is_lost(cluster: kube.KubeApi, hub: Hub) -> None:
    hub.reached = False
    await hub.catalog.open()
    for _ in range(3):
        assert await hub.publish(OURS) == {"Support_Route"}
        hub.now += 31
    assert await objects(cluster) == []
    hub.reached = True
    assert await hub.publish(OURS) == {"Support_Route"}
    assert len(await objects(cluster)) == 1


async def test_an_object_of_that_name_knows_better(cluster: kube.KubeApi, hub: Hub) -> None:
    head = {"apiVersion": "llm.voyager.io/v1", "kind": "RouteDefinition"}
    annotations = {"llm.voyager.io/name": "Support_Route"}
    metadata = {"name": "support-route", "annotations": annotations}
    await cluster.create(
        path_of(Kind.ROUTE), {**head, "metadata": metadata, "spec": {"targets": [{"model": "n"}]}}
    )
    await hub.catalog.open()
    await hub.publish(OURS)
    (found,) = await objects(cluster)
    assert found["spec"]["targets"] == [{"model": "n"}]
    assert await hub.history.unpublished() == []


async def test_a_route_of_the_api_is_an_object(cluster: kube.KubeApi, hub: Hub) -> None:
    await hub.catalog.open()
    await hub.publish(OURS)
    given = {"name": "r", "targets": [{"model": "m"}], "aliases": ["openrouter/auto"]}
    made = await hub.catalog.create(Kind.ROUTE, given, "ada")
    stored = await cluster.get(path_of(Kind.ROUTE), "r")
    assert stored["spec"]["aliases"] == ["openrouter/auto"]
    after = await hub.catalog.update(Kind.ROUTE, "r", {"policy": "sticky"}, "bob", etag=made.etag)
    assert (after.revision, after.author) == (2, "bob")
    assert (await cluster.get(path_of(Kind.ROUTE), "r"))["spec"]["policy"] == "sticky"
    await hub.catalog.delete(Kind.ROUTE, "r")
    assert "r" not in {found["metadata"]["name"] for found in await objects(cluster)}
