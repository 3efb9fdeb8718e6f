"""Databases that fail: each fault is told for what it is, nothing acknowledged is lost, reads go on."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import event
from sqlalchemy.exc import OperationalError
from sqlalchemy.pool import Pool

from deployments.serving.results import as_value
from scripts.fake_provider.running import FakeProvider
from tests.support.postgres import running_postgres
from tests.support.service import LocalService, start
from tests.support.stores import changed, draft, url_of
from voyager_llm.definitions.store.database import only_existing
from voyager_llm.definitions.store.faults import fault_of
from voyager_llm.definitions.store.sql import SqlStore
from voyager_llm.domain.definition import Kind
from voyager_llm.errors import Internal, NotFound, StoreUnavailable


@pytest.fixture
async def store(file: Path) -> AsyncIterator[SqlStore]:
    """One that holds the model `kept`."""
    opened = SqlStore(url_of(file))
    await opened.open()
    await opened.create(draft("kept"))
    yield opened
    await opened.close()


@contextmanager
def every_connection(pragma: str) -> Iterator[None]:
    """Connections that are made meanwhile are set so."""

    def run(connection: Any, _record: Any) -> None:
        connection.cursor().execute(f"PRAGMA {pragma}")

    event.listen(Pool, "connect", run)
    try:
        yield
    finally:
        event.remove(Pool, "connect", run)


async def refused_with(store: SqlStore, reason: str) -> None:
    """A write is refused, before and after what can be read stays the same."""
    with pytest.raises(StoreUnavailable, match=reason) as refused:
        await store.create(draft("new"))
    assert "/" not in refused.value.message, "no path is told to clients"
    assert (await store.get(Kind.MODEL, "kept")).name == "kept"
    with pytest.raises(NotFound):
        await store.get(Kind.MODEL, "new")


async def test_a_locked_database_says_so(store: SqlStore, file: Path) -> None:
    with closing(sqlite3.connect(file)) as other:
        other.execute("BEGIN EXCLUSIVE")
        await refused_with(store, "locked by another process")
    assert (await store.create(draft("new"))).revision == 1


async def test_a_full_disk_is_told_and_loses_nothing_acknowledged(store: SqlStore, file: Path) -> None:
    await store.close()
    with closing(sqlite3.connect(file)) as looking:
        (pages,) = looking.execute("PRAGMA page_count").fetchone()
    with every_connection(f"max_page_count={pages + 1}"):
        acknowledged, fault = await filled(store)
        assert "disk is full" in fault.message
        assert [(await store.get(Kind.MODEL, name)).name for name in acknowledged] == acknowledged
        with pytest.raises(NotFound):
            await store.get(Kind.MODEL, f"model-{len(acknowledged)}")


async def filled(store: SqlStore) -> tuple[list[str], StoreUnavailable]:
    """Write until it fails: what was acknowledged, and the fault."""
    names: list[str] = []
    while len(names) < 1000:
        try:
            await store.create(draft(f"model-{len(names)}"))
        except StoreUnavailable as fault:
            return names, fault
        names.append(f"model-{len(names)}")
    raise AssertionError("it was never full")


async def test_a_database_that_became_read_only_is_told(store: SqlStore) -> None:
    await store.close()
    with every_connection("query_only=ON"):
        await refused_with(store, "read-only")


async def test_a_write_to_a_removed_file_is_refused(store: SqlStore, file: Path) -> None:
    aside = file.with_name("aside")
    shutil.move(file, aside)
    await refused_with(store, "removed or replaced")
    shutil.move(aside, file)
    assert (await store.create(draft("new"))).revision == 1, "put back, it takes writes again"


async def test_a_write_to_a_replaced_file_is_refused(store: SqlStore, file: Path) -> None:
    copy = file.with_name("copy")
    shutil.copy(file, copy)
    copy.replace(file)
    await refused_with(store, "removed or replaced")


async def test_a_write_without_its_log_file_is_refused(store: SqlStore, file: Path) -> None:
    """What is written to an unlinked write-ahead log is gone with the process."""
    file.with_name(f"{file.name}-wal").unlink()
    await refused_with(store, "removed or replaced")


async def test_a_removed_folder_is_noticed(store: SqlStore, file: Path) -> None:
    shutil.rmtree(file.parent)
    await refused_with(store, "removed or replaced")


async def test_what_is_acknowledged_is_in_the_file(store: SqlStore, file: Path) -> None:
    """The other side: nothing refuses while all is well, and another process sees each write at once."""
    with closing(sqlite3.connect(file)) as other:
        for number in range(5):
            await store.create(draft(f"model-{number}"))
            (count,) = other.execute("SELECT count(*) FROM definitions").fetchone()
            assert count == number + 2


async def test_a_server_that_went_away_is_told_and_found_again(tmp_path: Path) -> None:
    with running_postgres(tmp_path / "postgres") as url:
        store = SqlStore(url)
        await store.open()
        await store.create(draft("kept"))
    with pytest.raises(StoreUnavailable, match="cannot be reached"):
        await store.get(Kind.MODEL, "kept")
    with running_postgres(tmp_path / "postgres") as url:
        assert (await store.get(Kind.MODEL, "kept")).name == "kept"
    await store.close()


async def test_a_database_that_is_gone_is_not_made_anew(store: SqlStore, file: Path) -> None:
    """As a hub would that is started again: empty, it would take all definitions from the routers."""
    url = only_existing(url_of(file))
    shutil.move(file, file.with_name("aside"))
    again = SqlStore(url)
    with pytest.raises(StoreUnavailable, match="cannot be opened"):
        await again.open()
    shutil.move(file.with_name("aside"), file)
    await again.open()
    assert (await again.get(Kind.MODEL, "kept")).name == "kept"
    await again.close()


@given(st.text(min_size=1), st.integers(1, 28), st.integers(0, 40))
def test_what_drivers_say_changes_no_word_of_ours(text: str, primary: int, extended: int) -> None:
    """So none of it is passed on: statements, parameters, paths, users."""

    def told(said: str) -> str:
        error = sqlite3.OperationalError(said)
        error.sqlite_errorcode = primary | extended << 8
        return fault_of(OperationalError(said, {"key": said}, error), on_server=False).message

    assert told(text) == told("")
    assert told(text).startswith("the definitions' database")


async def test_what_no_longer_parses_is_named_and_the_rest_works(
    tmp_path: Path, provider: FakeProvider, caplog: pytest.LogCaptureFixture
) -> None:
    before = await start(tmp_path)
    for name in ("good", "bad", "torn"):
        await before.model(name, provider.profile(name))
    await before.route("through", "bad", "good")
    for version in ("1.0.0", "1.1.0"):
        prompt = {"name": "p", "version": version, "template": "hello"}
        assert (await before.http.post("/api/v1/prompts", json=prompt)).status_code in (201, 409)
    assert (await before.http.patch("/api/v1/prompts/p", json={"template": "bye"})).status_code == 200
    await before.close()
    changed(
        tmp_path / "voyager.db",
        "UPDATE definition_versions SET document = json_set(document, '$.provider', json('[1]')), "
        "digest = 'another' WHERE name = 'bad'",
        "UPDATE definition_versions SET document = '{not json' WHERE name = 'torn'",
        "UPDATE definition_versions SET document = '[]' WHERE name = 'p' AND revision = 2",
        "INSERT INTO definitions (kind, name, id, revision, deleted, created_at) "
        "VALUES ('later', 'x', 'x', 1, 0, 0)",
        "INSERT INTO definition_versions "
        "(kind, name, revision, version, document, digest, author, written_at) "
        "VALUES ('later', 'x', 1, '', '{}', '', '', 0)",
    )
    after = await start(tmp_path)
    try:
        await works_without_them(after, caplog.text)
        # Written anew, they are as good as others.
        answer = await after.http.patch("/api/v1/models/bad", json={"provider": "custom"})
        assert answer.status_code == 200, answer.text
        assert (await after.http.delete("/api/v1/models/torn")).status_code == 200
        assert (await after.chat("bad")).status_code == 200
        assert list(after.catalog.unreadable) == [(Kind.PROMPT, "p")]
    finally:
        await after.close()


async def works_without_them(service: LocalService, log: str) -> None:
    unreadable = service.catalog.unreadable
    assert sorted(unreadable) == [(Kind.MODEL, "bad"), (Kind.MODEL, "torn"), (Kind.PROMPT, "p")]
    assert all(reason in log for reason in unreadable.values())
    assert "provider" in unreadable[Kind.MODEL, "bad"]
    assert (await service.chat("good")).status_code == 200
    assert (await service.chat("through")).status_code == 200, "a route goes on with the models that are left"
    assert (await service.chat("bad")).status_code == 404
    # The current version of the prompt is the broken one: nothing else answers in its place.
    assert (await service.chat("prompt:p@1.0.0")).status_code == 200
    assert (await service.chat("prompt:p")).status_code == 404
    listed = (await service.http.get("/api/v1/models")).json()["models"]
    assert {model["name"] for model in listed} >= {"good", "bad"}


async def test_a_fault_reaches_the_client_as_it_is(local: LocalService, tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "voyager.db")) as other:
        other.execute("BEGIN EXCLUSIVE")
        model = {"name": "m", "provider": "openai", "model_name": "m"}
        answer = await local.http.post("/api/v1/models", json=model)
    assert answer.status_code == 503
    assert answer.json()["details"][0]["reason"] == "STORE_UNAVAILABLE"
    assert "locked by another process" in answer.json()["message"]
    assert answer.headers["retry-after"] == "1"


async def test_a_fault_of_ours_is_no_absence_but_logged(caplog: pytest.LogCaptureFixture) -> None:
    async def recurses() -> None:
        raise RecursionError("in a template, say")

    result = await as_value(recurses())
    assert isinstance(result, Internal)
    assert "template" not in result.message
    assert "in a template, say" in caplog.text
