"""The contract of a definition store.

`sql.py` keeps it for SQLite and Postgres; one test (`tests/contract/test_store.py`) holds both to it.
Used by the catalog.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

from voyager_llm.domain.bulk import Applied, Wanted
from voyager_llm.domain.definition import Kind
from voyager_llm.domain.record import Draft, Record
from voyager_llm.errors import VoyagerError


class DefinitionReader(Protocol):
    """Reads definitions and their history."""

    async def get(self, kind: Kind, name: str, revision: int = 0, version: str = "") -> Record:
        """The current version, or one by its number or semantic version. Raises `NotFound`."""
        ...

    async def page(self, kind: Kind, after: str, limit: int) -> Sequence[Record]:
        """Current versions with names after ``after``, by name."""
        ...

    async def history(self, kind: Kind, name: str, before: int, limit: int) -> Sequence[Record]:
        """Versions with numbers below ``before`` (0: all), newest first. Raises `NotFound`."""
        ...


class DefinitionStore(DefinitionReader, Protocol):
    """Durable definitions with their whole history. What a write returned survives a crash."""

    async def open(self) -> None:
        """Connect and bring the schema up to date."""
        ...

    async def close(self) -> None: ...

    async def create(self, draft: Draft) -> Record:
        """Raises `AlreadyExists`, or `VersionConflict` when a deleted prompt of this name had other
        content under the same version."""
        ...

    async def update(self, draft: Draft, etag: str = "") -> Record:
        """A new version. Equal content returns the current one, and a prompt's old version with the
        content it always had becomes current again. Raises `NotFound`, and `VersionConflict` for a stale
        etag, a concurrent write, or other content under a version."""
        ...

    async def apply(self, wanted: Sequence[Wanted], *, dry: bool = False) -> Sequence[Applied | VoyagerError]:
        """Create or update each, as `create` and `update` do; no two of one kind and name. What came of
        each, in their order. Nothing is written where ``dry``, or where any is an error, but for what says
        that it was: a cluster has no transactions. Raises `VersionConflict` for a concurrent write."""
        ...

    async def delete(self, kind: Kind, name: str, etag: str = "") -> None:
        """The history stays. Raises `NotFound` and `VersionConflict`."""
        ...

    async def everything(self) -> Sequence[Record]:
        """Current versions of all kinds, and every version of the prompts among them, the current one
        last."""
        ...

    async def settle(self) -> Collection[tuple[Kind, str]]:
        """Bring what an earlier release kept elsewhere to where it belongs. Those that came there just now,
        or could not yet: what is published may not know of them."""
        ...

    async def digests(self) -> Mapping[tuple[Kind, str], str]:
        """The digest of every current version, by kind and name."""
        ...


class History(DefinitionStore, Protocol):
    """A store behind a cluster's custom resources."""

    async def unpublished(self) -> Sequence[Record]:
        """Definitions that the cluster has not been told of: they were written when it had no such kind."""
        ...

    async def was_published(self, kind: Kind, name: str) -> None:
        """The cluster has it now."""
        ...
