"""Many definitions into a cluster, which knows no transactions: all is tried before anything is written.

What the cluster's rules refuse is found by a dry run of each. After that, only a failure of the API server,
or another writer, can leave a part written: then the rest is left alone, and the answer says which is which.
Used by `kubernetes.py`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Protocol, TypeVar

from voyager_llm.domain.bulk import Applied, Outcome, Wanted
from voyager_llm.domain.definition import Kind
from voyager_llm.domain.record import Draft, Record, etag_of, refuse_stale
from voyager_llm.errors import NotFound, Unavailable, VoyagerError

# Requests to the API server at a time: more would only wait in its queue, and others behind them.
_AT_ONCE = 8

T = TypeVar("T")


class Cluster(Protocol):
    """What single writes use."""

    async def create(self, draft: Draft) -> Record: ...

    async def update(self, draft: Draft, etag: str = "") -> Record: ...

    async def get(self, kind: Kind, name: str, revision: int = 0, version: str = "") -> Record: ...

    async def check(self, draft: Draft, current: Record | None) -> None:
        """Raises what a write of the draft would raise; ``current`` None: it would be created."""
        ...

    def stands(self, draft: Draft, current: Record) -> bool:
        """Whether a write of the draft would change nothing."""
        ...


class ClusterWrite:
    """One bulk write."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._gate = asyncio.Semaphore(_AT_ONCE)
        # Why what is still to be written is left alone.
        self._stopped = False

    async def run(self, wanted: Sequence[Wanted], *, dry: bool) -> Sequence[Applied | VoyagerError]:
        """What came of each, in their order; the contract is `DefinitionStore.apply`'s."""
        plan = await asyncio.gather(*(self._at_once(lambda one=one: self._plan(one)) for one in wanted))
        if dry or any(isinstance(step, VoyagerError) for step in plan):
            return plan
        return await asyncio.gather(
            *(
                self._at_once(lambda one=one, step=step: self._write(one, step))
                for one, step in zip(wanted, plan, strict=True)
            )
        )

    async def _plan(self, one: Wanted) -> Applied | VoyagerError:
        draft = one.draft
        current: Record | None = None
        try:
            with suppress(NotFound):
                current = await self._cluster.get(draft.kind, draft.name)
            refuse_stale(current, one.etag)
            if current is not None and self._cluster.stands(draft, current):
                return _applied(draft, Outcome.UNCHANGED, current.revision)
            await self._cluster.check(draft, current)
        except VoyagerError as error:
            return error
        if current is None:
            return _applied(draft, Outcome.CREATED, 1)
        return _applied(draft, Outcome.UPDATED, current.revision + 1)

    async def _write(self, one: Wanted, step: Applied | VoyagerError) -> Applied | VoyagerError:
        if isinstance(step, VoyagerError) or step.outcome is Outcome.UNCHANGED:
            return step
        if self._stopped:
            return Unavailable("was not written, since another one failed; apply all again")
        try:
            if step.outcome is Outcome.CREATED:
                record = await self._cluster.create(one.draft)
            else:
                record = await self._cluster.update(one.draft, one.etag)
        except VoyagerError as error:
            self._stopped = True
            return error
        return _applied(one.draft, step.outcome, record.revision, written=True)

    async def _at_once(self, work: Callable[[], Awaitable[T]]) -> T:
        async with self._gate:
            return await work()


def _applied(draft: Draft, outcome: Outcome, revision: int, *, written: bool = False) -> Applied:
    return Applied(draft.kind, draft.name, outcome, revision, etag_of(revision, draft.digest), written)
