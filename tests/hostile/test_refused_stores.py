"""Stores that cannot be used: the start is refused within seconds, with the reason and no secret."""

from __future__ import annotations

import asyncio
import os
import socket
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from serve_app.preflight import open_store
from serve_app.refusals import Refused
from tests.hostile.test_runs import AT_ONCE_S
from tests.support.postgres import running_postgres
from tests.support.running import run_to_its_end
from tests.support.stores import changed, with_one_model
from voyager_llm.settings import Settings


def garbage(file: Path) -> None:
    file.write_bytes(b"no database " * 500)


def half(file: Path) -> None:
    with_one_model(file)
    with file.open("r+b") as opened:
        opened.truncate(file.stat().st_size // 2)


def torn(file: Path) -> None:
    with_one_model(file)
    with file.open("r+b") as opened:
        opened.seek(4096)
        opened.write(b"\xff" * 4096)


def folder(file: Path) -> None:
    file.mkdir()


def newer(file: Path) -> None:
    with_one_model(file)
    changed(file, "UPDATE alembic_version SET version_num = '9999'")


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        (garbage, "damaged or is no database"),
        (half, "damaged or is no database"),
        (torn, "damaged or is no database"),
        (folder, "is a directory"),
        (newer, "written by a newer version"),
    ],
)
def test_a_store_that_cannot_be_used_is_refused_before_the_start(
    broken: Callable[[Path], None], reason: str, file: Path
) -> None:
    broken(file)
    with pytest.raises(Refused, match=f"{reason}.*{file}"):
        open_store(Settings(data_dir=file.parent))


def test_a_directory_is_called_one_at_the_start(file: Path) -> None:
    """Not a file with several names, which it is, too."""
    file.mkdir()
    ended = run_to_its_end(file.parent)
    assert f"is a directory: move it away, or name another file ({file})" in ended.output
    assert ended.code == 2


def test_a_locked_store_is_refused_before_the_start(file: Path) -> None:
    with_one_model(file)
    with closing(sqlite3.connect(file)) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(Refused, match="locked by another process"):
            open_store(Settings(data_dir=file.parent))


def test_a_pipe_is_no_store_and_nobody_waits_for_it(file: Path) -> None:
    os.mkfifo(file)
    with pytest.raises(Refused, match="cannot be opened"):
        open_store(Settings(data_dir=file.parent))


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("postgresql+asyncpg://ada:pass-word@127.0.0.1:1/voyager", "cannot be reached.*127.0.0.1:1/voyager"),
        ("postgresql+asyncpg://ada:pass-word@nobody.invalid/voyager", "cannot be reached"),
    ],
)
def test_a_server_that_cannot_be_reached_is_refused_without_its_password(url: str, reason: str) -> None:
    with pytest.raises(Refused, match=reason) as refused:
        open_store(Settings(database_url=url))
    assert "pass-word" not in str(refused.value)
    assert "ada" not in str(refused.value)


def test_a_server_that_is_silent_is_refused_within_seconds() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"postgresql+asyncpg://ada:pass-word@127.0.0.1:{silent.getsockname()[1]}/voyager"
        began = time.monotonic()
        with pytest.raises(Refused, match="cannot be reached"):
            open_store(Settings(database_url=url))
    assert time.monotonic() - began < 15.0


def test_a_server_that_takes_no_writes_is_refused(tmp_path: Path) -> None:
    with running_postgres(tmp_path / "postgres") as url:
        open_store(Settings(database_url=url))
        asyncio.run(executed(url, "ALTER DATABASE postgres SET default_transaction_read_only = on"))
        with pytest.raises(Refused, match="read-only"):
            open_store(Settings(database_url=url))


async def executed(url: str, statement: str) -> None:
    engine = create_async_engine(url, isolation_level="AUTOCOMMIT")
    async with engine.connect() as connection:
        await connection.execute(text(statement))
    await engine.dispose()


def test_a_server_that_does_not_know_us_is_refused(tmp_path: Path) -> None:
    with running_postgres(tmp_path / "postgres") as url:
        with pytest.raises(Refused, match="refused our user name or password"):
            open_store(Settings(database_url=url.replace("postgres:@", "ada:pass-word@")))
        with pytest.raises(Refused, match="does not exist on its server"):
            open_store(Settings(database_url=url.replace("/postgres?", "/nothing?")))


def test_a_refused_store_costs_seconds_and_one_line(file: Path) -> None:
    garbage(file)
    ended = run_to_its_end(file.parent)
    assert ended.output == (
        "error: the definitions' database is damaged or is no database: restore a backup, or move it away "
        f"and start afresh ({file})\n"
    )
    assert ended.code == 2
    assert ended.seconds < AT_ONCE_S
