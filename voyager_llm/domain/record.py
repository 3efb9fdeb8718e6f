"""A stored version of a definition, and one to be stored. Used by stores, and by all who show definitions."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

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
