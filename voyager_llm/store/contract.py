"""The contract of a definition store, and the record it returns.

`sql.py` keeps it for SQLite and Postgres; one test (`tests/contract/test_store.py`) holds both to it.
Used by the catalog.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from voyager_llm.domain.definition import Frozen, Kind, canonical, digest, document
from voyager_llm.domain.prompt import PromptDefinition
from voyager_llm.errors import VersionConflict


@dataclass(frozen=True, slots=True)
class Record:
    """One stored version of one definition."""

    kind: Kind
    name: str
    # UUID of the definition; the same over all its versions.
    id: str
    # Counts the versions, from 1.
    revision: int
    # Semantic version of a prompt; empty for other kinds.
    version: str
    document: dict[str, Any]
    # SHA-256 of the canonical document.
    digest: str
    author: str
    created_at: datetime
    # When this version was written.
    updated_at: datetime

    @property
    def etag(self) -> str:
        """Changes with every version; for optimistic concurrency."""
        return f"{self.revision}-{self.digest[:12]}"


def refuse_stale(current: Record, etag: str) -> None:
    """Raises `VersionConflict` when an etag was given and is not the current version's.

    One of the same content is as good: what stands in a cluster is read before its number is settled."""
    if etag and etag.rpartition("-")[2] != current.etag.rpartition("-")[2]:
        raise VersionConflict(f"etag is stale; the current one is {current.etag}", "etag")


@dataclass(frozen=True, slots=True)
class Draft:
    """A version to be written."""

    kind: Kind
    name: str
    version: str
    document: dict[str, Any]
    digest: str
    author: str


def draft_of(kind: Kind, definition: Frozen, author: str) -> Draft:
    """A definition, ready to be written."""
    return Draft(
        kind=kind,
        name=getattr(definition, "name", ""),
        version=definition.version if isinstance(definition, PromptDefinition) else "",
        document=document(definition),
        digest=digest(canonical(definition)),
        author=author,
    )


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

    async def delete(self, kind: Kind, name: str, etag: str = "") -> None:
        """The history stays. Raises `NotFound` and `VersionConflict`."""
        ...

    async def everything(self) -> Sequence[Record]:
        """Current versions of all kinds, and every version of the prompts among them, the current one
        last."""
        ...

    async def digests(self) -> Mapping[tuple[Kind, str], str]:
        """The digest of every current version, by kind and name."""
        ...
