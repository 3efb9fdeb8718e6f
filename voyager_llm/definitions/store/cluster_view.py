"""Reads of definitions as they stand in the cluster, numbered by the history that follows.

What somebody applied a moment ago is read before it is in force. Used by `kubernetes.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime

from voyager_llm.definitions.crd.manifests import author_of, definition_of, written_at
from voyager_llm.definitions.crd.resources import BY_KIND
from voyager_llm.definitions.kube.client import Object
from voyager_llm.definitions.store.contract import DefinitionReader
from voyager_llm.definitions.store.live import LiveDefinitions
from voyager_llm.domain.definition import Kind
from voyager_llm.domain.prompt import PromptDefinition
from voyager_llm.domain.record import Draft, Record, draft_of
from voyager_llm.errors import NotFound, VoyagerError
from voyager_llm.templating.render import check_prompt


class ClusterView:
    """`DefinitionReader` over the objects of the cluster and the history."""

    def __init__(self, live: LiveDefinitions, history: DefinitionReader) -> None:
        self._live = live
        self._history = history

    async def get(self, kind: Kind, name: str, revision: int = 0, version: str = "") -> Record:
        current = await self._current(kind, name, await self._recorded(kind, name))
        if current is None:
            raise NotFound(f"no {kind} is named {name!r}", "name")
        if (revision or current.revision, version or current.version) == (current.revision, current.version):
            return current
        return await self._history.get(kind, name, revision, version)

    async def page(self, kind: Kind, after: str, limit: int) -> Sequence[Record]:
        recorded = {record.name: record for record in await self._history.page(kind, after, limit)}
        found: list[Record] = []
        for name in self._live.names(kind, after):
            if len(found) == limit:
                break
            known = recorded.get(name) or await self._recorded(kind, name)
            if (current := await self._current(kind, name, known)) is not None:
                found.append(current)
        return found

    async def history(self, kind: Kind, name: str, before: int, limit: int) -> Sequence[Record]:
        current = await self.get(kind, name)
        rows: Sequence[Record] = ()
        with suppress(NotFound):
            rows = await self._history.history(kind, name, before, limit)
        newest = max((row.revision for row in rows), default=0)
        ahead = [current] if not before and current.revision > newest else []
        return [*ahead, *rows][:limit]

    async def _recorded(self, kind: Kind, name: str) -> Record | None:
        try:
            return await self._history.get(kind, name)
        except NotFound:
            return None

    async def _current(self, kind: Kind, name: str, recorded: Record | None) -> Record | None:
        """A definition as it stands in the cluster. What is invalid there counts as its last good version,
        which is in force; None: there is none."""
        manifest = self._live.find(kind, name)
        if manifest is None:
            return None
        try:
            definition = definition_of(BY_KIND[kind], manifest)
            draft = draft_of(kind, definition, author_of(manifest))
            if recorded is not None and recorded.digest == draft.digest:
                return recorded
            if isinstance(definition, PromptDefinition):
                check_prompt(definition)
        except VoyagerError:
            return recorded
        return _first(draft, manifest) if recorded is None else await self._next(draft, manifest, recorded)

    async def _next(self, draft: Draft, manifest: Object, recorded: Record) -> Record:
        """A version that is not recorded as the current one, with the number that it will get."""
        if draft.version:
            with suppress(NotFound):
                same = await self._history.get(draft.kind, draft.name, version=draft.version)
                # Other content under an old version is refused; the version before it stays.
                return same if same.digest == draft.digest else recorded
        (newest,) = await self._history.history(draft.kind, draft.name, 0, 1)
        return replace(
            _first(draft, manifest),
            id=recorded.id,
            revision=newest.revision + 1,
            created_at=recorded.created_at,
        )


def _first(draft: Draft, manifest: Object) -> Record:
    """The first version of an object that the history does not know yet."""
    return Record(
        kind=draft.kind,
        name=draft.name,
        id=manifest["metadata"]["uid"],
        revision=1,
        version=draft.version,
        document=draft.document,
        digest=draft.digest,
        author=draft.author,
        created_at=datetime.fromisoformat(manifest["metadata"]["creationTimestamp"]),
        updated_at=written_at(manifest),
    )
