"""What others write into the cluster is read, changed and deleted at once, before it is published."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from scripts.kubernetes.control_plane import ControlPlane
from scripts.kubernetes.platform import NAMESPACE, SERVICE, eventually, path_of
from tests.contract.test_store import draft
from voyager_llm.definitions.crd.manifests import NAME, author_of
from voyager_llm.definitions.crd.resources import BY_KIND, RESOURCES
from voyager_llm.definitions.kube import client as kube
from voyager_llm.definitions.store.kubernetes import KubernetesStore
from voyager_llm.definitions.store.sql import SqlStore
from voyager_llm.domain.definition import Kind
from voyager_llm.domain.record import Draft, Record
from voyager_llm.errors import NotFound, Unavailable, VersionConflict


@pytest.fixture
async def history(tmp_path: Path) -> AsyncIterator[SqlStore]:
    """As the store sees it, and as publications fill it."""
    opened = SqlStore(f"sqlite+aiosqlite:///{tmp_path / 'history.db'}")
    await opened.open()
    yield opened
    await opened.close()


@pytest.fixture
async def store(
    plane: ControlPlane, cluster: kube.KubeApi, history: SqlStore
) -> AsyncIterator[KubernetesStore]:
    """Under the role that the service has."""
    for resource in RESOURCES:
        for found in (await cluster.list(path_of(resource.definition)))[0]:
            await cluster.delete(path_of(resource.definition), found["metadata"]["name"])
    opened = KubernetesStore(lambda: kube.connect(NAMESPACE, str(plane.kubeconfig(SERVICE))), history)
    await opened.open()
    yield opened
    await opened.close()


async def kubectl(api: kube.KubeApi, kind: Kind, name: str, **spec: Any) -> None:
    """Somebody else applies an object."""
    head = {"apiVersion": "llm.voyager.io/v1", "kind": BY_KIND[kind].kind, "metadata": {"name": name}}
    await api.apply(path_of(kind), {**head, "spec": spec}, "kubectl", force=True)


async def model(api: kube.KubeApi, name: str, model_name: str) -> None:
    await kubectl(api, Kind.MODEL, name, provider="openai", model_name=model_name)


async def shows(read: Callable[[], Awaitable[Record]], **fields: Any) -> Record:
    """Wait until a read shows these fields of the document."""
    found: list[Record] = []

    async def shown() -> bool:
        try:
            record = await read()
        except NotFound:
            return False
        found.append(record)
        return all(record.document.get(name) == value for name, value in fields.items())

    await eventually(shown, 10)
    return found[-1]


def of(record: Record) -> Draft:
    """What a publication makes of an object's definition."""
    return Draft(record.kind, record.name, record.version, record.document, record.digest, record.author)


async def test_what_was_applied_is_read_before_it_is_in_force(
    cluster: kube.KubeApi, store: KubernetesStore
) -> None:
    await model(cluster, "m", "one")
    found = await shows(lambda: store.get(Kind.MODEL, "m"), model_name="one")
    assert (found.author, found.revision) == ("kubectl", 1)
    assert [record.name for record in await store.page(Kind.MODEL, "", 10)] == ["m"]
    assert [record.revision for record in await store.history(Kind.MODEL, "m", 0, 10)] == [1]
    assert await store.digests() == {}  # what is in force is published, not watched
    assert await store.everything() == []


async def test_a_change_goes_on_from_what_was_applied(
    cluster: kube.KubeApi, store: KubernetesStore, history: SqlStore
) -> None:
    await store.create(draft("one"))
    await asyncio.sleep(1.1)  # the cluster dates writes to the second
    await model(cluster, "m", "two")
    seen = await shows(lambda: store.get(Kind.MODEL, "m"), model_name="two")
    await asyncio.sleep(1.1)
    changed = await store.update(draft("three"), seen.etag)
    assert (changed.revision, changed.document["model_name"]) == (3, "three")
    found = await history.history(Kind.MODEL, "m", 0, 10)
    assert [(r.author, r.document["model_name"]) for r in found] == [
        ("ada", "three"), ("kubectl", "two"), ("ada", "one"),
    ]  # fmt: skip
    written = await cluster.get(path_of(Kind.MODEL), "m")
    assert written["spec"]["model_name"] == "three"
    assert author_of(written) == "ada"


async def test_an_etag_outlives_the_publication(
    cluster: kube.KubeApi, store: KubernetesStore, history: SqlStore
) -> None:
    await store.create(draft("one"))
    await store.delete(Kind.MODEL, "m")
    await model(cluster, "m", "two")
    seen = await shows(lambda: store.get(Kind.MODEL, "m"), model_name="two")
    assert seen.revision == 1  # its number is not settled: the history knows an older one
    recorded = await history.create(of(seen))
    assert recorded.revision == 2
    assert (await store.update(draft("three"), seen.etag)).revision == 3
    with pytest.raises(VersionConflict, match="stale"):
        await store.update(draft("four"), seen.etag)


async def test_what_was_deleted_is_gone_and_may_come_back(
    cluster: kube.KubeApi, store: KubernetesStore, history: SqlStore
) -> None:
    await store.create(draft("one"))
    await cluster.delete(path_of(Kind.MODEL), "m")

    async def gone() -> bool:
        return not await store.page(Kind.MODEL, "", 10)

    await eventually(gone, 10)
    with pytest.raises(NotFound):
        await store.get(Kind.MODEL, "m")
    with pytest.raises(NotFound):
        await store.update(draft("two"))
    assert len(await history.everything()) == 1  # in force until a publication says otherwise
    assert (await store.create(draft("two"))).revision == 2
    assert [r.revision for r in await store.history(Kind.MODEL, "m", 0, 10)] == [2, 1]


async def test_what_is_invalid_counts_as_its_last_good_version(
    cluster: kube.KubeApi, store: KubernetesStore
) -> None:
    """The rules of the cluster cannot parse a template. A write through the API mends it."""
    given = draft("one", kind=Kind.PROMPT, name="p", version="1.0.0")
    await store.create(given)
    await kubectl(cluster, Kind.PROMPT, "p", version="1.1.0", template="{{ broken")
    await kubectl(cluster, Kind.PROMPT, "q", version="1.0.0", template="{{ broken")
    await model(cluster, "m", "one")
    await shows(lambda: store.get(Kind.MODEL, "m"), model_name="one")
    await asyncio.sleep(0.5)  # watches of different kinds run beside each other
    current = await store.get(Kind.PROMPT, "p")
    assert (current.version, current.document["template"]) == ("1.0.0", "one")
    assert [record.name for record in await store.page(Kind.PROMPT, "", 10)] == ["p"]
    assert await store.update(draft("one", kind=Kind.PROMPT, name="p", version="1.0.0")) == current
    assert (await cluster.get(path_of(Kind.PROMPT), "p"))["spec"]["template"] == "one"  # mended by itself
    await kubectl(cluster, Kind.PROMPT, "p", version="1.1.0", template="{{ broken")
    await asyncio.sleep(0.5)
    mended = await store.update(draft("two", kind=Kind.PROMPT, name="p", version="1.2.0"), current.etag)
    assert mended.revision == 2
    assert (await cluster.get(path_of(Kind.PROMPT), "p"))["spec"]["template"] == "two"


async def test_other_content_under_an_old_version_does_not_count(
    cluster: kube.KubeApi, store: KubernetesStore
) -> None:
    """Deleted and made anew, an object escapes the rule that a version's content never changes."""
    await store.create(draft("one", kind=Kind.PROMPT, name="p", version="1.0.0"))
    await cluster.delete(path_of(Kind.PROMPT), "p")
    await kubectl(cluster, Kind.PROMPT, "p", version="1.0.0", template="other")
    await kubectl(cluster, Kind.PROMPT, "q", version="1.0.0", template="last")
    await shows(lambda: store.get(Kind.PROMPT, "q"), template="last")
    assert (await store.get(Kind.PROMPT, "p")).document["template"] == "one"


async def test_going_back_by_applying_what_there_was(cluster: kube.KubeApi, store: KubernetesStore) -> None:
    for content, version in (("one", "1.0.0"), ("two", "1.1.0")):
        given = draft(content, kind=Kind.PROMPT, name="p", version=version)
        await (store.create(given) if content == "one" else store.update(given))
    await kubectl(cluster, Kind.PROMPT, "p", version="1.0.0", template="one")
    back = await shows(lambda: store.get(Kind.PROMPT, "p"), template="one")
    assert back.revision == 1
    assert [r.revision for r in await store.history(Kind.PROMPT, "p", 0, 10)] == [2, 1]


async def test_pages_hold_both_old_and_new(cluster: kube.KubeApi, store: KubernetesStore) -> None:
    for name in ("b", "d", "Upper_Case"):
        await store.create(draft("x", name=name))
    for name in ("a", "c", "e"):
        await model(cluster, name, "y")
    await cluster.delete(path_of(Kind.MODEL), "d")

    async def followed() -> bool:
        return len(await store.page(Kind.MODEL, "", 10)) == 5

    await eventually(followed, 10)
    names: list[str] = []
    while page := await store.page(Kind.MODEL, names[-1] if names else "", 2):
        names += [record.name for record in page]
    assert names == ["Upper_Case", "a", "b", "c", "e"]


async def test_an_object_may_have_another_name_than_its_definition(
    cluster: kube.KubeApi, store: KubernetesStore
) -> None:
    spec = {"provider": "openai", "model_name": "one"}
    metadata = {"name": "other", "annotations": {NAME: "Mine"}}
    head = {"apiVersion": "llm.voyager.io/v1", "kind": "ModelDefinition", "metadata": metadata}
    await cluster.create(path_of(Kind.MODEL), {**head, "spec": spec})
    seen = await shows(lambda: store.get(Kind.MODEL, "Mine"), model_name="one")
    await store.update(draft("two", name="Mine"), seen.etag)
    assert (await cluster.get(path_of(Kind.MODEL), "other"))["spec"]["model_name"] == "two"
    await store.delete(Kind.MODEL, "Mine")
    assert (await cluster.list(path_of(Kind.MODEL)))[0] == []


async def test_reads_outlive_the_api_server(
    plane: ControlPlane, cluster: kube.KubeApi, store: KubernetesStore
) -> None:
    """And what happened while nothing was seen is seen, though etcd has forgotten it (410)."""
    await model(cluster, "kept", "one")
    await model(cluster, "gone", "one")
    await shows(lambda: store.get(Kind.MODEL, "gone"), model_name="one")
    plane.stop("kube-apiserver", signal.SIGKILL)
    try:
        assert [record.name for record in await store.page(Kind.MODEL, "", 10)] == ["gone", "kept"]
        with pytest.raises(Unavailable):
            await store.update(draft("two", name="kept"))
        assert (await store.get(Kind.MODEL, "kept")).document["model_name"] == "one"
    finally:
        plane.start_server()
        await asyncio.to_thread(plane.wait_until_ready)
    await cluster.delete(path_of(Kind.MODEL), "gone")
    await model(cluster, "new", "one")
    plane.compact()
    plane.stop("kube-apiserver", signal.SIGKILL)
    plane.start_server()
    await asyncio.to_thread(plane.wait_until_ready)

    async def caught_up() -> bool:
        return [record.name for record in await store.page(Kind.MODEL, "", 10)] == ["kept", "new"]

    await eventually(caught_up, 40)
    assert (await store.update(draft("two", name="kept"))).document["model_name"] == "two"
