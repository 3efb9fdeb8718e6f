"""The store on SQLite or Postgres, through SQLAlchemy: what is asked of the database (`database.py`).

Used by the catalog; which database is said by `settings.store_url()`.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import orjson
from sqlalchemy import Row, and_, delete, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from voyager_llm.definitions.store.database import Database
from voyager_llm.definitions.store.schema import DEFINITIONS as D
from voyager_llm.definitions.store.schema import UNPUBLISHED as U
from voyager_llm.definitions.store.schema import VERSIONS as V
from voyager_llm.definitions.store.sql_bulk import BulkWrite
from voyager_llm.domain.bulk import Applied, Wanted
from voyager_llm.domain.definition import Kind
from voyager_llm.domain.record import Draft, Record, other_content, refuse_stale
from voyager_llm.errors import AlreadyExists, NotFound, VersionConflict, VoyagerError


class SqlStore:
    """`DefinitionStore` over a SQLAlchemy URL (``sqlite+aiosqlite:`` or ``postgresql+asyncpg:``).

    Every method raises `StoreUnavailable` when the database fails, with the reason."""

    def __init__(self, url: str) -> None:
        """Raises `InvalidArgument` for a URL of another kind."""
        self._database = Database(url)

    async def open(self) -> None:
        await self._database.open()

    async def close(self) -> None:
        await self._database.close()

    async def erase(self) -> None:
        """Forget everything, history included; for tests and fresh starts."""
        async with self._database.writing() as connection:
            await connection.execute(delete(V))
            await connection.execute(delete(D))
            await connection.execute(delete(U))

    async def create(self, draft: Draft) -> Record:
        try:
            async with self._database.writing() as connection:
                row = await self._definition(connection, draft.kind, draft.name)
                if row is not None and not row.deleted:
                    raise AlreadyExists(f"{draft.kind} {draft.name} exists already", "name")
                now = _now()
                if row is None:
                    id_ = str(uuid.uuid4())
                    await connection.execute(
                        insert(D).values(
                            kind=draft.kind, name=draft.name, id=id_, revision=1, deleted=0, created_at=now
                        )
                    )
                    return await self._write(connection, draft, id_, 1, now, now)
                if (same := await self._same_version(connection, draft)) is not None:
                    return await self._return_to(connection, row, same)
                return await self._advance(connection, draft, row)
        except IntegrityError:
            raise AlreadyExists(f"{draft.kind} {draft.name} exists already", "name") from None

    async def update(self, draft: Draft, etag: str = "") -> Record:
        try:
            async with self._database.writing() as connection:
                row = await self._existing(connection, draft.kind, draft.name)
                current = await self._version(connection, row, row.revision)
                refuse_stale(current, etag)
                if current.digest == draft.digest:
                    return current
                if (same := await self._same_version(connection, draft)) is not None:
                    return await self._return_to(connection, row, same)
                return await self._advance(connection, draft, row)
        except IntegrityError:
            raise VersionConflict("was changed by another at the same time; read it again", "etag") from None

    async def apply(self, wanted: Sequence[Wanted], *, dry: bool = False) -> Sequence[Applied | VoyagerError]:
        try:
            async with self._database.writing(exclusively=not dry) as connection:
                bulk = BulkWrite(connection, _now())
                plan = await bulk.plan(wanted)
                steps = [step for step in plan if not isinstance(step, VoyagerError)]
                if dry or len(steps) < len(plan):
                    return [step if isinstance(step, VoyagerError) else step.applied for step in plan]
                return await bulk.write(steps)
        except IntegrityError:
            raise VersionConflict("another wrote some of them at the same time; try again") from None

    async def delete(self, kind: Kind, name: str, etag: str = "") -> None:
        async with self._database.writing() as connection:
            row = await self._existing(connection, kind, name)
            refuse_stale(await self._version(connection, row, row.revision), etag)
            await connection.execute(update(D).where(_is(kind, name)).values(deleted=1))

    async def get(self, kind: Kind, name: str, revision: int = 0, version: str = "") -> Record:
        async with self._database.reading() as connection:
            row = await self._existing(connection, kind, name)
            if not version:
                return await self._version(connection, row, revision or row.revision)
            found = (
                await connection.execute(select(V).where(_versions_of(kind, name), V.c.version == version))
            ).first()
            if found is None:
                raise NotFound(f"{kind} {name} has no version {version}", "version")
            return _record(row, found)

    async def page(self, kind: Kind, after: str, limit: int) -> Sequence[Record]:
        query = (
            select(D, V)
            .join(V, and_(V.c.kind == D.c.kind, V.c.name == D.c.name, V.c.revision == D.c.revision))
            .where(D.c.kind == kind, D.c.deleted == 0, D.c.name > after)
            .order_by(D.c.name)
            .limit(limit)
        )
        async with self._database.reading() as connection:
            return [_joined(row) for row in await connection.execute(query)]

    async def history(self, kind: Kind, name: str, before: int, limit: int) -> Sequence[Record]:
        query = select(V).where(_versions_of(kind, name)).order_by(V.c.revision.desc()).limit(limit)
        if before:
            query = query.where(V.c.revision < before)
        async with self._database.reading() as connection:
            row = await self._existing(connection, kind, name)
            return [_record(row, version) for version in await connection.execute(query)]

    async def everything(self) -> Sequence[Record]:
        same = and_(V.c.kind == D.c.kind, V.c.name == D.c.name)
        query = (
            select(D, V)
            .join(V, same)
            .where(
                D.c.deleted == 0,
                (V.c.revision == D.c.revision) | (D.c.kind == Kind.PROMPT),
                D.c.kind.in_(list(Kind)),  # a newer version may know others
            )
            .order_by(D.c.kind, D.c.name, V.c.revision == D.c.revision, V.c.revision)
        )
        async with self._database.reading() as connection:
            return [_joined(row) for row in await connection.execute(query)]

    async def settle(self) -> Collection[tuple[Kind, str]]:
        return ()

    async def unpublished(self) -> Sequence[Record]:
        query = (
            select(D, V)
            .join(V, and_(V.c.kind == D.c.kind, V.c.name == D.c.name, V.c.revision == D.c.revision))
            .join(U, and_(U.c.kind == D.c.kind, U.c.name == D.c.name))
            .where(D.c.deleted == 0)
            .order_by(D.c.kind, D.c.name)
        )
        async with self._database.reading() as connection:
            return [_joined(row) for row in await connection.execute(query)]

    async def was_published(self, kind: Kind, name: str) -> None:
        async with self._database.writing() as connection:
            await connection.execute(delete(U).where(U.c.kind == kind, U.c.name == name))

    async def digests(self) -> Mapping[tuple[Kind, str], str]:
        query = (
            select(D.c.kind, D.c.name, V.c.digest)
            .join(V, and_(V.c.kind == D.c.kind, V.c.name == D.c.name, V.c.revision == D.c.revision))
            .where(D.c.deleted == 0)
        )
        async with self._database.reading() as connection:
            return {(Kind(row.kind), row.name): row.digest for row in await connection.execute(query)}

    async def _definition(self, connection: AsyncConnection, kind: Kind, name: str) -> Row[Any] | None:
        query = select(D).where(_is(kind, name)).with_for_update()
        return (await connection.execute(query)).first()

    async def _existing(self, connection: AsyncConnection, kind: Kind, name: str) -> Row[Any]:
        row = (await connection.execute(select(D).where(_is(kind, name)))).first()
        if row is None or row.deleted:
            raise NotFound(f"no {kind} is named {name!r}", "name")
        return row

    async def _version(self, connection: AsyncConnection, row: Row[Any], revision: int) -> Record:
        query = select(V).where(_versions_of(row.kind, row.name), V.c.revision == revision)
        found = (await connection.execute(query)).first()
        if found is None:
            raise NotFound(f"{row.kind} {row.name} has no revision {revision}", "revision")
        return _record(row, found)

    async def _same_version(self, connection: AsyncConnection, draft: Draft) -> Row[Any] | None:
        """The stored version that a prompt's draft repeats. Raises `VersionConflict` for other content."""
        if not draft.version:
            return None
        query = select(V).where(_versions_of(draft.kind, draft.name), V.c.version == draft.version)
        found = (await connection.execute(query)).first()
        if found is not None and found.digest != draft.digest:
            raise other_content(draft)
        return found

    async def _return_to(self, connection: AsyncConnection, row: Row[Any], version: Row[Any]) -> Record:
        """Make an old version current again."""
        await self._point(connection, row, version.revision)
        return _record(row, version)

    async def _point(self, connection: AsyncConnection, row: Row[Any], revision: int) -> None:
        moved = await connection.execute(
            update(D)
            .where(_is(row.kind, row.name), D.c.revision == row.revision)
            .values(revision=revision, deleted=0)
        )
        if moved.rowcount != 1:
            raise VersionConflict("was changed by another at the same time; read it again", "etag")

    async def _advance(self, connection: AsyncConnection, draft: Draft, row: Row[Any]) -> Record:
        latest = select(V.c.revision).where(_versions_of(draft.kind, draft.name))
        newest = await connection.scalar(latest.order_by(V.c.revision.desc()).limit(1))
        revision = (newest or 0) + 1
        await self._point(connection, row, revision)
        return await self._write(connection, draft, row.id, revision, row.created_at, _now())

    async def _write(
        self, connection: AsyncConnection, draft: Draft, id_: str, revision: int, created: int, now: int
    ) -> Record:
        values = {
            "kind": draft.kind,
            "name": draft.name,
            "revision": revision,
            "version": draft.version,
            "document": orjson.dumps(draft.document).decode(),
            "digest": draft.digest,
            "author": draft.author,
            "written_at": now,
        }
        await connection.execute(insert(V).values(**values))
        return Record(
            kind=draft.kind,
            name=draft.name,
            id=id_,
            revision=revision,
            version=draft.version,
            document=draft.document,
            digest=draft.digest,
            author=draft.author,
            created_at=_time(created),
            updated_at=_time(now),
        )


def _document(text: str) -> dict[str, Any]:
    """A stored document; an empty one, which is no definition, where another hand left no JSON object."""
    try:
        found = orjson.loads(text)
    except orjson.JSONDecodeError:
        return {}
    return found if isinstance(found, dict) else {}


def _is(kind: Kind, name: str) -> Any:
    return and_(D.c.kind == kind, D.c.name == name)


def _versions_of(kind: Kind, name: str) -> Any:
    return and_(V.c.kind == kind, V.c.name == name)


def _now() -> int:
    return time.time_ns() // 1000


def _time(microseconds: int) -> datetime:
    return datetime.fromtimestamp(microseconds / 1_000_000, UTC)


def _record(definition: Row[Any], version: Row[Any]) -> Record:
    return Record(
        kind=Kind(definition.kind),
        name=definition.name,
        id=definition.id,
        revision=version.revision,
        version=version.version,
        document=_document(version.document),
        digest=version.digest,
        author=version.author,
        created_at=_time(definition.created_at),
        updated_at=_time(version.written_at),
    )


def _joined(row: Row[Any]) -> Record:
    values = row._mapping  # pyright: ignore[reportPrivateUsage]
    return Record(
        kind=Kind(values[D.c.kind]),
        name=values[D.c.name],
        id=values[D.c.id],
        revision=values[V.c.revision],
        version=values[V.c.version],
        document=_document(values[V.c.document]),
        digest=values[V.c.digest],
        author=values[V.c.author],
        created_at=_time(values[D.c.created_at]),
        updated_at=_time(values[V.c.written_at]),
    )
