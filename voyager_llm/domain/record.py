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
        return etag_of(self.revision, self.digest)


def etag_of(revision: int, digest: str) -> str:
    """A version's etag, of its number and its content."""
    return f"{revision}-{digest[:12]}"


def refuse_stale(current: Record | None, etag: str) -> None:
    """Raises `VersionConflict` when an etag was given and is not the current version's; None: there is none.

    One of the same content is as good: what stands in a cluster is read before its number is settled."""
    refuse_stale_etag(current.etag if current is not None else "", etag)


def refuse_stale_etag(current: str, etag: str) -> None:
    """The same of the etag alone; empty where there is no current version."""
    if etag and etag.rpartition("-")[2] != current.rpartition("-")[2]:
        known = f"the current one is {current}" if current else "there is no such definition"
        raise VersionConflict(f"etag is stale; {known}", "etag")


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


def other_content(draft: Draft) -> VersionConflict:
    """The error of a prompt's version that is stored already, and holds something else."""
    return VersionConflict(
        f"{draft.kind} {draft.name} has version {draft.version} already, and versions are immutable; choose "
        "the next one",
        "version",
    )
