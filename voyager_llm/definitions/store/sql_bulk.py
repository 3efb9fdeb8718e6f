"""Many definitions in one transaction: look at a few hundred at a time, decide, write what is to be written.

Statements are few whatever the number of definitions, and each is short enough not to hold the event loop up.
Used by `sql.py`.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any

import orjson
from sqlalchemy import and_, bindparam, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from voyager_llm.definitions.store.schema import DEFINITIONS as D
from voyager_llm.definitions.store.schema import VERSIONS as V
from voyager_llm.domain.bulk import Applied, Outcome, Wanted
from voyager_llm.domain.definition import Kind
from voyager_llm.domain.record import Draft, etag_of, other_content, refuse_stale_etag
from voyager_llm.errors import VersionConflict, VoyagerError
from voyager_llm.pace import Pace, chunks

# Definitions of one statement.
_AT_ONCE = 200


@dataclass(frozen=True, slots=True)
class _Known:
    """What is stored of a definition: its current version, and the number of its newest."""

    revision: int
    digest: str
    deleted: bool
    newest: int


@dataclass(frozen=True, slots=True)
class Step:
    """What one definition needs. ``known`` None: it is new. ``is_new_version``: a version is to be inserted;
    else the definition points to an old one."""

    draft: Draft
    known: _Known | None
    applied: Applied
    is_new_version: bool


# (revision, digest) of stored versions, by a prompt's name and version.
_Versions = Mapping[tuple[str, str], tuple[int, str]]


class BulkWrite:
    """One bulk write on a connection whose transaction the caller ends. ``now``: microseconds."""

    def __init__(self, connection: AsyncConnection, now: int) -> None:
        self._connection = connection
        self._now = now

    async def plan(self, wanted: Sequence[Wanted]) -> list[Step | VoyagerError]:
        """A step for each, in the order of ``wanted``, or why there is none."""
        pace = Pace()
        steps: dict[tuple[Kind, str], Step | VoyagerError] = {}
        # In one order, whoever writes: two of them wait for one another, and neither for ever.
        ordered = sorted(wanted, key=lambda one: (one.draft.kind, one.draft.name))
        for kind, of_kind in groupby(ordered, key=lambda one: one.draft.kind):
            for some in chunks(list(of_kind), _AT_ONCE):
                known = await self._known(kind, [one.draft.name for one in some])
                versions = await self._versions([one.draft for one in some if one.draft.version])
                for one in some:
                    await pace.rest()
                    steps[kind, one.draft.name] = _step(one, known.get(one.draft.name), versions)
        return [steps[one.draft.kind, one.draft.name] for one in wanted]

    async def write(self, steps: Sequence[Step]) -> list[Applied]:
        """Write what is not unchanged. What came of each. Raises `VersionConflict` where somebody else wrote
        meanwhile, and `IntegrityError`."""
        changed = [step for step in steps if step.applied.outcome is not Outcome.UNCHANGED]
        for some in chunks(changed, _AT_ONCE):
            created = [_definition(step, self._now) for step in some if step.known is None]
            versions = [_version(step, self._now) for step in some if step.is_new_version]
            moved = [_move(step, step.known) for step in some if step.known is not None]
            if created:
                await self._connection.execute(insert(D), created)
            if versions:
                await self._connection.execute(insert(V), versions)
            if moved:
                result = await self._connection.execute(_MOVE, moved)
                # Where the driver counts: the rows are locked where it does not.
                if result.rowcount not in (-1, len(moved)):
                    raise VersionConflict("was changed by another at the same time; try again")
        return [
            replace(step.applied, written=step.applied.outcome is not Outcome.UNCHANGED) for step in steps
        ]

    async def _known(self, kind: Kind, names: Sequence[str]) -> dict[str, _Known]:
        every = V.alias()
        newest = (
            select(func.max(every.c.revision))
            .where(every.c.kind == D.c.kind, every.c.name == D.c.name)
            .scalar_subquery()
        )
        query = (
            select(D, V.c.digest, newest.label("newest"))
            .join(V, and_(V.c.kind == D.c.kind, V.c.name == D.c.name, V.c.revision == D.c.revision))
            .where(D.c.kind == kind, D.c.name.in_(names))
            .with_for_update(of=D)
        )
        return {
            row.name: _Known(row.revision, row.digest, bool(row.deleted), row.newest)
            for row in await self._connection.execute(query)
        }

    async def _versions(self, drafts: Sequence[Draft]) -> _Versions:
        if not drafts:
            return {}
        query = select(V.c.name, V.c.version, V.c.revision, V.c.digest).where(
            V.c.kind == drafts[0].kind,
            V.c.name.in_([draft.name for draft in drafts]),
            V.c.version.in_([draft.version for draft in drafts]),
        )
        rows = await self._connection.execute(query)
        return {(row.name, row.version): (row.revision, row.digest) for row in rows}


def _step(wanted: Wanted, known: _Known | None, versions: _Versions) -> Step | VoyagerError:
    """What single writes would do: create what is not there, update what is."""
    draft = wanted.draft
    try:
        if known is None or known.deleted:
            refuse_stale_etag("", wanted.etag)
        else:
            refuse_stale_etag(etag_of(known.revision, known.digest), wanted.etag)
            if known.digest == draft.digest:
                return Step(draft, known, _applied(draft, Outcome.UNCHANGED, known.revision), False)
        outcome = Outcome.CREATED if known is None or known.deleted else Outcome.UPDATED
        if draft.version and (same := versions.get((draft.name, draft.version))) is not None:
            revision, digest = same
            if digest != draft.digest:
                raise other_content(draft)
            return Step(draft, known, _applied(draft, outcome, revision), False)
        revision = 1 if known is None else known.newest + 1
        return Step(draft, known, _applied(draft, outcome, revision), True)
    except VersionConflict as error:
        return error


def _applied(draft: Draft, outcome: Outcome, revision: int) -> Applied:
    return Applied(draft.kind, draft.name, outcome, revision, etag_of(revision, draft.digest))


def _definition(step: Step, now: int) -> dict[str, Any]:
    return {
        "kind": step.draft.kind,
        "name": step.draft.name,
        "id": str(uuid.uuid4()),
        "revision": step.applied.revision,
        "deleted": 0,
        "created_at": now,
    }


def _version(step: Step, now: int) -> dict[str, Any]:
    draft = step.draft
    return {
        "kind": draft.kind,
        "name": draft.name,
        "revision": step.applied.revision,
        "version": draft.version,
        "document": orjson.dumps(draft.document).decode(),
        "digest": draft.digest,
        "author": draft.author,
        "written_at": now,
    }


def _move(step: Step, known: _Known) -> dict[str, Any]:
    return {
        "of_kind": step.draft.kind,
        "of_name": step.draft.name,
        "from_revision": known.revision,
        "to_revision": step.applied.revision,
    }


_MOVE = (
    update(D)
    .where(
        D.c.kind == bindparam("of_kind"),
        D.c.name == bindparam("of_name"),
        D.c.revision == bindparam("from_revision"),
    )
    .values(revision=bindparam("to_revision"), deleted=0)
)
