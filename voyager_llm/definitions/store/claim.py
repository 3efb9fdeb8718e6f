"""A Postgres database as one run's own, by an advisory lock that ends with the connection.

A run knows what it wrote itself, so two on one database would not see each other's definitions. Used by the
launcher (`serve_app/claims.py`); not by the config hub: two of them share a database for a moment while a
cluster replaces another.
"""

from __future__ import annotations

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine
from sqlalchemy.pool import NullPool

from voyager_llm.definitions.store.faults import plain_faults

# Any number that nobody else takes: "voyager" in ASCII.
_KEY = int.from_bytes(b"voyager")
_CONNECT_SECONDS = 5.0
# Postgres cuts longer names.
_NAME_BYTES = 63

_TAKE = text("SELECT pg_try_advisory_lock(:key)")
_HOLDER = text(
    "SELECT a.application_name FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid "
    "WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1 "
    "AND (l.classid::bigint << 32 | l.objid::bigint) = :key "
    "AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())"
)


class DatabaseClaim:
    """A claim of ``holder`` on the database at ``url``."""

    def __init__(self, url: str, holder: str) -> None:
        self._engine = create_async_engine(
            url,
            poolclass=NullPool,
            isolation_level="AUTOCOMMIT",
            connect_args={
                "timeout": _CONNECT_SECONDS,
                "server_settings": {"application_name": holder[:_NAME_BYTES]},
            },
        )
        self._connection: AsyncConnection | None = None

    async def take(self) -> str:
        """Claim it. Returns who has it already, or an empty string. Raises `StoreUnavailable`."""
        with plain_faults(on_server=True):
            self._connection = await self._engine.connect()
            if await self._connection.scalar(_TAKE, {"key": _KEY}):
                return ""
            return await self._connection.scalar(_HOLDER, {"key": _KEY}) or "another run"

    async def release(self) -> None:
        if self._connection is not None:
            await self._connection.close()
        await self._engine.dispose()
