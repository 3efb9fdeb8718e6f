"""The store's contract, held by SQLite and by a real Postgres."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.support.postgres import running_postgres
from voyager_llm.domain.definition import Kind
from voyager_llm.errors import AlreadyExists, NotFound, VersionConflict, VoyagerError
from voyager_llm.store.contract import Draft
from voyager_llm.store.sql import SqlStore


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with running_postgres(tmp_path_factory.mktemp("postgres")) as url:
        yield url


@pytest.fixture(params=["sqlite", "postgres"])
async def store(request: pytest.FixtureRequest, tmp_path: Path, postgres: str) -> AsyncIterator[SqlStore]:
    url = postgres if request.param == "postgres" else f"sqlite+aiosqlite:///{tmp_path / 'store.db'}"
    opened = SqlStore(url)
    await opened.open()
    await opened.open()  # opening again changes nothing
    if request.param == "postgres":
        await opened.erase()
    yield opened
    await opened.close()


def draft(content: str, *, kind: Kind = Kind.MODEL, name: str = "m", version: str = "") -> Draft:
    return Draft(kind, name, version, {"name": name, "content": content}, f"digest-{content}", "ada")


async def test_create_get_and_history(store: SqlStore) -> None:
    first = await store.create(draft("one"))
    assert (first.revision, first.author, first.document["content"]) == (1, "ada", "one")
    second = await store.update(draft("two"))
    assert (second.revision, second.id) == (2, first.id)
    assert second.created_at == first.created_at
    assert (await store.get(Kind.MODEL, "m")).document["content"] == "two"
    assert (await store.get(Kind.MODEL, "m", 1)).document["content"] == "one"
    assert [r.revision for r in await store.history(Kind.MODEL, "m", 0, 10)] == [2, 1]
    assert [r.revision for r in await store.history(Kind.MODEL, "m", 2, 10)] == [1]


async def test_equal_content_makes_no_version(store: SqlStore) -> None:
    first = await store.create(draft("one"))
    assert (await store.update(draft("one"))).etag == first.etag


async def test_names_are_taken_once(store: SqlStore) -> None:
    await store.create(draft("one"))
    with pytest.raises(AlreadyExists):
        await store.create(draft("two"))
    await store.create(draft("other kind", kind=Kind.ROUTE))


async def test_a_stale_etag_is_refused(store: SqlStore) -> None:
    first = await store.create(draft("one"))
    await store.update(draft("two"), first.etag)
    with pytest.raises(VersionConflict, match="stale"):
        await store.update(draft("three"), first.etag)
    with pytest.raises(VersionConflict, match="stale"):
        await store.delete(Kind.MODEL, "m", first.etag)


async def test_deleted_is_gone_but_not_its_history(store: SqlStore) -> None:
    await store.create(draft("one"))
    await store.delete(Kind.MODEL, "m")
    with pytest.raises(NotFound):
        await store.get(Kind.MODEL, "m")
    with pytest.raises(NotFound):
        await store.delete(Kind.MODEL, "m")
    again = await store.create(draft("two"))
    assert again.revision == 2
    assert [r.revision for r in await store.history(Kind.MODEL, "m", 0, 10)] == [2, 1]


async def test_a_prompts_version_means_one_content_for_ever(store: SqlStore) -> None:
    async def write(content: str, version: str) -> object:
        return await store.update(draft(content, kind=Kind.PROMPT, name="p", version=version))

    await store.create(draft("one", kind=Kind.PROMPT, name="p", version="1.0.0"))
    with pytest.raises(VersionConflict, match="immutable"):
        await write("two", "1.0.0")
    await write("two", "1.1.0")
    assert (await store.get(Kind.PROMPT, "p", version="1.0.0")).document["content"] == "one"
    await store.delete(Kind.PROMPT, "p")
    with pytest.raises(VersionConflict, match="immutable"):
        await store.create(draft("three", kind=Kind.PROMPT, name="p", version="1.1.0"))


async def test_pages_follow_the_names(store: SqlStore) -> None:
    for name in ("b", "d", "a", "c"):
        await store.create(draft("x", name=name))
    await store.delete(Kind.MODEL, "d")
    assert [r.name for r in await store.page(Kind.MODEL, "", 2)] == ["a", "b"]
    assert [r.name for r in await store.page(Kind.MODEL, "b", 2)] == ["c"]


async def test_everything_holds_all_versions_of_prompts(store: SqlStore) -> None:
    await store.create(draft("one"))
    await store.update(draft("two"))
    await store.create(draft("one", kind=Kind.PROMPT, name="p", version="1.0.0"))
    await store.update(draft("two", kind=Kind.PROMPT, name="p", version="1.1.0"))
    found = [(r.kind.value, r.revision) for r in await store.everything()]
    assert found == [("model", 2), ("prompt", 1), ("prompt", 2)]


async def test_of_two_writers_one_wins(store: SqlStore) -> None:
    first = await store.create(draft("one"))
    results = await asyncio.gather(
        *(store.update(draft(f"from {i}"), first.etag) for i in range(5)), return_exceptions=True
    )
    won = [result for result in results if not isinstance(result, BaseException)]
    assert len(won) == 1
    assert all(isinstance(r, VoyagerError) for r in results if isinstance(r, BaseException)), results
    assert (await store.get(Kind.MODEL, "m")).document == won[0].document
