"""The store's contract, held by SQLite, a real Postgres and a real API server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from scripts.kubernetes.control_plane import ControlPlane
from scripts.kubernetes.platform import admin, path_of
from tests.support.postgres import running_postgres
from voyager_llm.definitions.crd.resources import RESOURCES
from voyager_llm.definitions.kube.client import KubeApi
from voyager_llm.definitions.store.contract import DefinitionStore
from voyager_llm.definitions.store.kubernetes import KubernetesStore
from voyager_llm.definitions.store.sql import SqlStore
from voyager_llm.domain.bulk import Applied, Wanted
from voyager_llm.domain.definition import Frozen, Kind, canonical, digest, document
from voyager_llm.domain.model import ModelDefinition
from voyager_llm.domain.prompt import PromptDefinition
from voyager_llm.domain.record import Draft
from voyager_llm.domain.route import RouteDefinition, RouteTarget
from voyager_llm.errors import AlreadyExists, NotFound, VersionConflict, VoyagerError


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with running_postgres(tmp_path_factory.mktemp("postgres")) as url:
        yield url


@pytest.fixture(params=["sqlite", "postgres", "kubernetes"])
async def store(
    request: pytest.FixtureRequest, tmp_path: Path, postgres: str, plane: ControlPlane, cluster: KubeApi
) -> AsyncIterator[DefinitionStore]:
    url = postgres if request.param == "postgres" else f"sqlite+aiosqlite:///{tmp_path / 'store.db'}"
    history = SqlStore(url)
    await history.open()
    await history.open()  # opening again changes nothing
    await history.erase()
    if request.param != "kubernetes":
        yield history
        await history.close()
        return
    for resource in RESOURCES:
        for found in (await cluster.list(path_of(resource.definition)))[0]:
            await cluster.delete(path_of(resource.definition), found["metadata"]["name"])
    clustered = KubernetesStore(lambda: admin(plane), history)
    await clustered.open()
    yield clustered
    await clustered.close()


def draft(content: str, *, kind: Kind = Kind.MODEL, name: str = "m", version: str = "") -> Draft:
    definition: Frozen
    if kind is Kind.PROMPT:
        definition = PromptDefinition(name=name, version=version, template=content)
    elif kind is Kind.ROUTE:
        definition = RouteDefinition(name=name, targets=(RouteTarget(model=content),))
    else:
        definition = ModelDefinition(name=name, provider="openai", model_name=content)
    return Draft(kind, name, version, document(definition), digest(canonical(definition)), "ada")


async def test_create_get_and_history(store: DefinitionStore) -> None:
    first = await store.create(draft("one"))
    assert (first.revision, first.author, first.document["model_name"]) == (1, "ada", "one")
    second = await store.update(draft("two"))
    assert (second.revision, second.id) == (2, first.id)
    assert second.created_at == first.created_at
    assert (await store.get(Kind.MODEL, "m")).document["model_name"] == "two"
    assert (await store.get(Kind.MODEL, "m", 1)).document["model_name"] == "one"
    assert [r.revision for r in await store.history(Kind.MODEL, "m", 0, 10)] == [2, 1]
    assert [r.revision for r in await store.history(Kind.MODEL, "m", 2, 10)] == [1]


async def test_equal_content_makes_no_version(store: DefinitionStore) -> None:
    first = await store.create(draft("one"))
    assert (await store.update(draft("one"))).etag == first.etag


async def test_names_are_taken_once(store: DefinitionStore) -> None:
    await store.create(draft("one"))
    with pytest.raises(AlreadyExists):
        await store.create(draft("two"))
    await store.create(draft("other", kind=Kind.ROUTE))


async def test_a_stale_etag_is_refused(store: DefinitionStore) -> None:
    first = await store.create(draft("one"))
    await store.update(draft("two"), first.etag)
    with pytest.raises(VersionConflict, match="stale"):
        await store.update(draft("three"), first.etag)
    with pytest.raises(VersionConflict, match="stale"):
        await store.delete(Kind.MODEL, "m", first.etag)


async def test_deleted_is_gone_but_not_its_history(store: DefinitionStore) -> None:
    await store.create(draft("one"))
    await store.delete(Kind.MODEL, "m")
    with pytest.raises(NotFound):
        await store.get(Kind.MODEL, "m")
    with pytest.raises(NotFound):
        await store.delete(Kind.MODEL, "m")
    again = await store.create(draft("two"))
    assert again.revision == 2
    assert [r.revision for r in await store.history(Kind.MODEL, "m", 0, 10)] == [2, 1]


async def test_a_prompts_version_means_one_content_for_ever(store: DefinitionStore) -> None:
    async def write(content: str, version: str) -> object:
        return await store.update(draft(content, kind=Kind.PROMPT, name="p", version=version))

    await store.create(draft("one", kind=Kind.PROMPT, name="p", version="1.0.0"))
    with pytest.raises(VersionConflict, match="immutable"):
        await write("two", "1.0.0")
    await write("two", "1.1.0")
    assert (await store.get(Kind.PROMPT, "p", version="1.0.0")).document["template"] == "one"
    await store.delete(Kind.PROMPT, "p")
    with pytest.raises(VersionConflict, match="immutable"):
        await store.create(draft("three", kind=Kind.PROMPT, name="p", version="1.1.0"))


async def test_an_old_version_of_a_prompt_becomes_current_again(store: DefinitionStore) -> None:
    """A cluster goes back by applying what it had: the same version with the same content."""
    for content, version in (("one", "1.0.0"), ("two", "1.1.0")):
        given = draft(content, kind=Kind.PROMPT, name="p", version=version)
        await (store.create(given) if version == "1.0.0" else store.update(given))
    back = await store.update(draft("one", kind=Kind.PROMPT, name="p", version="1.0.0"))
    assert (back.version, back.revision) == ("1.0.0", 1)
    assert (await store.get(Kind.PROMPT, "p")).version == "1.0.0"
    assert [r.version for r in await store.everything()] == ["1.1.0", "1.0.0"]
    assert await store.digests() == {
        (Kind.PROMPT, "p"): draft("one", kind=Kind.PROMPT, name="p", version="1.0.0").digest
    }
    await store.delete(Kind.PROMPT, "p")
    again = await store.create(draft("one", kind=Kind.PROMPT, name="p", version="1.0.0"))
    assert again.revision == 1
    forward = await store.update(draft("three", kind=Kind.PROMPT, name="p", version="1.2.0"))
    assert forward.revision == 3


async def test_pages_follow_the_names(store: DefinitionStore) -> None:
    for name in ("b", "d", "a", "c"):
        await store.create(draft("x", name=name))
    await store.delete(Kind.MODEL, "d")
    assert [r.name for r in await store.page(Kind.MODEL, "", 2)] == ["a", "b"]
    assert [r.name for r in await store.page(Kind.MODEL, "b", 2)] == ["c"]


async def test_everything_holds_all_versions_of_prompts(store: DefinitionStore) -> None:
    await store.create(draft("one"))
    await store.update(draft("two"))
    await store.create(draft("one", kind=Kind.PROMPT, name="p", version="1.0.0"))
    await store.update(draft("two", kind=Kind.PROMPT, name="p", version="1.1.0"))
    found = [(r.kind.value, r.revision) for r in await store.everything()]
    assert found == [("model", 2), ("prompt", 1), ("prompt", 2)]


async def test_of_two_writers_one_wins(store: DefinitionStore) -> None:
    first = await store.create(draft("one"))
    results = await asyncio.gather(
        *(store.update(draft(f"from-{i}"), first.etag) for i in range(5)), return_exceptions=True
    )
    won = [result for result in results if not isinstance(result, BaseException)]
    assert len(won) == 1
    assert all(isinstance(r, VoyagerError) for r in results if isinstance(r, BaseException)), results
    assert (await store.get(Kind.MODEL, "m")).document == won[0].document


def wanted(*drafts: Draft, etag: str = "") -> list[Wanted]:
    return [Wanted(given, etag) for given in drafts]


async def outcomes(store: DefinitionStore, given: list[Wanted], *, dry: bool = False) -> list[str]:
    """What came of each: the outcome, or the error's code."""
    return [
        found.code if isinstance(found, VoyagerError) else found.outcome
        for found in await store.apply(given, dry=dry)
    ]


async def test_many_are_written_as_single_writes_would(store: DefinitionStore) -> None:
    await store.create(draft("one", name="known"))
    await store.create(draft("one", name="same"))
    await store.create(draft("one", name="gone"))
    await store.delete(Kind.MODEL, "gone")
    given = wanted(
        draft("two", name="known"), draft("one", name="same"), draft("two", name="gone"),
        draft("one", name="new"), draft("hi", kind=Kind.PROMPT, name="p", version="1.0.0"),
        draft("known", kind=Kind.ROUTE, name="r"),
    )  # fmt: skip
    planned = await store.apply(given, dry=True)
    assert [found.code for found in planned if isinstance(found, VoyagerError)] == []
    with pytest.raises(NotFound):
        await store.get(Kind.MODEL, "new")
    expected = ["updated", "unchanged", "created", "created", "created", "created"]
    assert await outcomes(store, given) == expected
    for found in await store.apply(given):
        assert isinstance(found, Applied)
        assert (found.outcome, found.written) == ("unchanged", False)
        record = await store.get(found.kind, found.name)
        assert (record.revision, record.etag, record.author) == (found.revision, found.etag, "ada")
    assert [r.revision for r in await store.history(Kind.MODEL, "gone", 0, 9)] == [2, 1]
    assert [r.revision for r in await store.history(Kind.MODEL, "known", 0, 9)] == [2, 1]
    assert set(await store.digests()) == {(one.draft.kind, one.draft.name) for one in given}


async def test_of_many_none_is_written_where_one_is_refused(store: DefinitionStore) -> None:
    first = await store.create(draft("one"))
    await store.update(draft("two"))
    await store.create(draft("one", kind=Kind.PROMPT, name="p", version="1.0.0"))
    given = [
        *wanted(draft("three"), etag=first.etag),
        *wanted(draft("other", kind=Kind.PROMPT, name="p", version="1.0.0")),
        *wanted(draft("one", name="absent"), etag="1-000000000000"),
        *wanted(draft("one", name="good")),
    ]
    refused = ["version_conflict"] * 3
    assert await outcomes(store, given) == [*refused, "created"]
    assert await outcomes(store, given, dry=True) == [*refused, "created"]
    with pytest.raises(NotFound):
        await store.get(Kind.MODEL, "good")
    assert (await store.get(Kind.MODEL, "m")).document["model_name"] == "two"


async def test_many_prompts_go_back_and_forth_with_their_versions(store: DefinitionStore) -> None:
    """A version that had the same content before becomes current again."""

    def prompts(content: str, version: str) -> list[Wanted]:
        return wanted(*(draft(content, kind=Kind.PROMPT, name=f"p{n}", version=version) for n in range(3)))

    old, new = prompts("one", "1.0.0"), prompts("two", "1.1.0")
    assert await outcomes(store, old) == ["created"] * 3
    assert await outcomes(store, new) == ["updated"] * 3
    assert await outcomes(store, old) == ["updated"] * 3
    assert (await store.get(Kind.PROMPT, "p1")).revision == 1
    assert await outcomes(store, prompts("three", "1.2.0")) == ["updated"] * 3
    assert (await store.get(Kind.PROMPT, "p2")).revision == 3


async def test_more_than_one_statement_takes_is_one_transaction(store: DefinitionStore) -> None:
    """The last of many is refused: none of those before it is there."""
    many = wanted(*(draft("one", name=f"m{n:04}") for n in range(450)))
    bad = wanted(draft("one", name="z"), etag="1-000000000000")
    assert set(await outcomes(store, [*many, *bad])) == {"created", "version_conflict"}
    assert await store.digests() == {}
    assert set(await outcomes(store, many)) == {"created"}
    assert len(await store.digests()) == 450


async def test_of_two_bulk_writes_at_once_each_is_whole(store: DefinitionStore) -> None:
    names = [f"m{n}" for n in range(20)]

    async def write(content: str) -> None:
        with suppress(VoyagerError):  # whoever was faster wins
            await store.apply(wanted(*(draft(content, name=name) for name in names)))

    await write("zero")
    await asyncio.gather(*(write(content) for content in ("one", "two", "three")))
    held = {(await store.get(Kind.MODEL, name)).document["model_name"] for name in names}
    assert len(held) == 1 or isinstance(store, KubernetesStore)  # a cluster has no transactions
