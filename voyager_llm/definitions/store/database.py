"""One database: connections to it, its schema, and what it may not be asked to do. Used by `sql.py`.

A SQLite file that was removed or replaced stays open behind the back of its name: it takes every write, and
all of them are lost with the process. The same holds for the write-ahead log beside it. So every write looks
whether what it wrote to still stands where it stood.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

from alembic import command
from alembic.config import Config
from sqlalchemy import URL, Connection, event, make_url, text
from sqlalchemy.exc import ArgumentError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry

from voyager_llm.definitions.store.faults import CANNOT_OPEN, DAMAGED, IS_DIRECTORY, READ_ONLY, plain_faults
from voyager_llm.errors import InvalidArgument, StoreUnavailable

SQLITE, POSTGRES = "sqlite+aiosqlite", "postgresql+asyncpg"

_MIGRATIONS = Path(__file__).parent / "migrations"
_CONNECT_SECONDS = 5.0
_STATEMENT_SECONDS = 30.0
# Where a connection of the pool notes which write-ahead log it opened.
_LOG = "write-ahead log"
# How SQLite is told of a file with options.
_URI = "file:"

_MOVED = (
    "the file of the definitions' database was removed or replaced while the service runs, and a write would "
    "be lost: put the file back, or restart the service"
)

# Device and number of a file: another file under the same name has others. None: there is none.
Identity = tuple[int, int] | None


class Database:
    """A database behind a SQLAlchemy URL (``sqlite+aiosqlite:`` or ``postgresql+asyncpg:``).

    Every method raises `StoreUnavailable` when the database fails, with the reason."""

    def __init__(self, url: str) -> None:
        """Raises `InvalidArgument` for a URL of another kind."""
        address = parsed(url)
        self._file = file_of(address)
        self._on_server = address.drivername == POSTGRES
        self._opened: Identity = None
        # SQLite waits for locks as `_prepare` says, and for nothing else.
        waits = {"timeout": _CONNECT_SECONDS, "command_timeout": _STATEMENT_SECONDS}
        self._engine: AsyncEngine = create_async_engine(
            address,
            pool_pre_ping=True,
            hide_parameters=True,
            connect_args=waits if self._on_server else {},
        )
        if not self._on_server:
            event.listen(self._engine.sync_engine, "connect", self._prepare)

    async def open(self) -> None:
        """Bring the schema up to date, and see that the database is sound and can be written."""
        with plain_faults(on_server=self._on_server):
            if self._file is not None:
                self._file.parent.mkdir(parents=True, exist_ok=True)
                if self._file.is_dir():
                    raise StoreUnavailable(IS_DIRECTORY)
                if self._file.exists() and not self._file.is_file():
                    raise StoreUnavailable(CANNOT_OPEN)  # SQLite would wait for what a pipe has to say
            async with self._engine.begin() as connection:
                await connection.run_sync(_migrate)
            if self._file is not None:
                self._opened = _identity(self._file)
            async with self._engine.connect() as connection:
                await connection.run_sync(_try_server if self._on_server else _try_file)

    async def close(self) -> None:
        await self._engine.dispose()

    @asynccontextmanager
    async def reading(self) -> AsyncGenerator[AsyncConnection]:
        with plain_faults(on_server=self._on_server):
            async with self._engine.connect() as connection:
                yield connection

    @asynccontextmanager
    async def writing(self, *, exclusively: bool = False) -> AsyncGenerator[AsyncConnection]:
        """A transaction. Looks before and after it where the file is: before, so that nothing is begun
        in vain; after, so that no write is answered that went nowhere.

        ``exclusively``: no other process writes to a SQLite file between what is read and what is written;
        a server locks the rows that are read for update."""
        with plain_faults(on_server=self._on_server):
            async with self._engine.begin() as connection:
                log: Identity = connection.info.get(_LOG)
                self._refuse_if_moved(log)
                if exclusively and not self._on_server:
                    await connection.exec_driver_sql("BEGIN IMMEDIATE")
                yield connection
            self._refuse_if_moved(log)

    def _refuse_if_moved(self, log: Identity) -> None:
        if self._file is not None and (
            _identity(self._file) != self._opened or _identity(_log_of(self._file)) != log
        ):
            raise StoreUnavailable(_MOVED)

    def _prepare(self, connection: Any, record: ConnectionPoolEntry) -> None:
        """Set a new connection to SQLite up: a commit is on the disk when it returns."""
        cursor = connection.cursor()
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "busy_timeout=5000", "foreign_keys=ON"):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.execute("SELECT count(*) FROM sqlite_schema")  # opens the write-ahead log
        cursor.close()
        if self._file is not None:
            record.info[_LOG] = _identity(_log_of(self._file))


def parsed(url: str) -> URL:
    """The address of a database. Raises `InvalidArgument` when it is none that can be used."""
    try:
        address = make_url(url)
    except (ArgumentError, ValueError):
        address = None
    if address is None or address.drivername not in (SQLITE, POSTGRES):
        raise InvalidArgument(f"is no URL that starts with {SQLITE}:/// or {POSTGRES}://", "database_url")
    return address


def file_of(address: URL) -> Path | None:
    """The file of a SQLite database; None: it is in memory, or another kind of database."""
    if address.drivername != SQLITE or not address.database or address.database == ":memory:":
        return None
    if address.database.startswith(_URI):
        return Path(unquote(address.database.removeprefix(_URI)))
    return Path(address.database).absolute()


def only_existing(url: str) -> str:
    """The same database, which is not made anew should its file be gone by the time it is opened."""
    address = parsed(url)
    file = file_of(address)
    if file is None:
        return url
    query = {**address.query, "mode": "rw", "uri": "true"}
    return address.set(database=_URI + quote(str(file)), query=query).render_as_string(hide_password=False)


def _log_of(file: Path) -> Path:
    return file.with_name(f"{file.name}-wal")


def _identity(file: Path) -> Identity:
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _migrate(connection: Connection) -> None:
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def _try_file(connection: Connection) -> None:
    """Raises what SQLite says when its file is damaged, locked or not writable."""
    if connection.execute(text("PRAGMA quick_check(1)")).scalar_one() != "ok":
        raise StoreUnavailable(DAMAGED)
    connection.exec_driver_sql("BEGIN IMMEDIATE")
    connection.exec_driver_sql("ROLLBACK")


def _try_server(connection: Connection) -> None:
    """Raises `StoreUnavailable` when the server takes no writes, e.g. since it is a replica."""
    if connection.execute(text("SHOW transaction_read_only")).scalar_one() == "on":
        raise StoreUnavailable(READ_ONLY)
