"""The catalog: every write of a definition, from validation to publication.

One write at a time: validate → check what it refers to → store → compile → publish a delta. What is
invalid is refused before it is stored, so the configuration in force is always a good one. Reads go to
the store. Run by the config hub (`deployments/config_hub.py`).
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

from voyager_llm.definitions.bundle import Bundle, Published
from voyager_llm.definitions.compiler import compile_model
from voyager_llm.definitions.drafts import (
    DEFINITIONS,
    Drafted,
    Drafts,
    Taken,
    drafts_of,
    keeps_its_last,
    taken,
    valid,
)
from voyager_llm.definitions.names import refuse_taken
from voyager_llm.definitions.patch import patched
from voyager_llm.definitions.store.contract import DefinitionStore
from voyager_llm.domain.bulk import Applied, Item, Wanted, fault_of, refusal
from voyager_llm.domain.definition import Frozen, Kind, parse
from voyager_llm.domain.evaluation import EvaluationDefinition
from voyager_llm.domain.model import ModelDefinition
from voyager_llm.domain.prompt import PromptDefinition, next_patch
from voyager_llm.domain.record import Draft, Record, draft_of
from voyager_llm.domain.route import RouteDefinition
from voyager_llm.errors import FailedPrecondition, Fault, InvalidArgument, NotFound, VoyagerError
from voyager_llm.pace import Pace
from voyager_llm.snapshot import Change, Delta, Entry, PromptVersions, RuntimeConfig

log = logging.getLogger(__name__)

# Where an evaluation names a definition of another kind.
_REFERENCES_OF_EVALUATIONS = {Kind.MODEL: "model_ref", Kind.ROUTE: "model_ref", Kind.PROMPT: "prompt_ref"}

_PAGE = 1000

# Deltas kept for replicas that missed some; older ones fetch the whole.
_KEPT_DELTAS = 256

Publish = Callable[[Delta], Awaitable[None]]


class Catalog:
    """Definitions and the configuration compiled from them."""

    def __init__(
        self, store: DefinitionStore, publish: Publish, history: DefinitionStore | None = None
    ) -> None:
        """``history``: where what a cluster publishes is recorded; by default ``store`` itself."""
        self._store = store
        self._history = history or store
        # What was taken over from the cluster, with the digest it is stored under.
        self._adopted: dict[tuple[Kind, str], tuple[Published, str]] = {}
        self._publish = publish
        self._writing = asyncio.Lock()
        self._deltas: deque[Delta] = deque(maxlen=_KEPT_DELTAS)
        self.config = RuntimeConfig()
        # Bulk writes under way, which go on when whoever asked for one leaves.
        self._applying: set[asyncio.Task[Sequence[Applied]]] = set()
        # What is stored and cannot be used, with the reason: it is left out until somebody mends it.
        self.unreadable: dict[tuple[Kind, str], str] = {}

    async def open(self) -> None:
        """Open the store and compile all it holds but for what is `unreadable`."""
        await self._store.open()
        changes: dict[tuple[Kind, str], Change] = {}
        for record in await self._store.everything():
            key = record.kind, record.name
            before = changes[key].entry if key in changes else None
            versions = before if isinstance(before, PromptVersions) else None
            try:
                definition = parse(DEFINITIONS[record.kind], record.document)
                changes[key] = _change(record, definition, versions)
            except Exception as error:
                # Written under other rules, or by another hand: no reason to serve nobody.
                self.unreadable[key] = f"{record.kind} {record.name} {record.version}".strip() + f": {error}"
                log.error("%s; it is left out until it is written anew", self.unreadable[key])
                if versions is not None:
                    # The current version comes last: older ones answer by their number alone.
                    entry = replace(versions, current=record.version)
                    changes[key] = Change(record.kind, record.name, record.digest, entry)
        # Higher than any version of a run before this one, so that replicas which outlived it move on.
        version = time.time_ns() // 1_000_000
        self.config = RuntimeConfig().apply(Delta(0, version, tuple(changes.values())))

    async def close(self) -> None:
        await self._store.close()

    async def create(self, kind: Kind, given: Mapping[str, Any], author: str) -> Record:
        """Raises `InvalidArgument`, `AlreadyExists`, `VersionConflict`, `FailedPrecondition`."""
        definition = valid(kind, given)
        async with self._writing:
            self._refer(definition)
            record = await self._store.create(draft_of(kind, definition, author))
            await self._written(record, definition)
        return record

    async def update(
        self,
        kind: Kind,
        name: str,
        patch: Mapping[str, Any],
        author: str,
        mask: Sequence[str] = (),
        etag: str = "",
    ) -> Record:
        """Change the fields that ``mask`` names (empty: those that ``patch`` has).

        Raises what `create` does, and `NotFound`."""
        async with self._writing:
            current = await self._store.get(kind, name)
            changed = patched(current.document, patch, mask)
            if changed.get("name") != name:
                raise InvalidArgument("a name cannot be changed", "name")
            if kind is Kind.PROMPT and not patch.get("version"):
                changed["version"] = next_patch(await self._latest_version(name))
            definition = valid(kind, changed)
            self._refer(definition)
            record = await self._store.update(draft_of(kind, definition, author), etag or current.etag)
            if record.revision != current.revision:
                await self._written(record, definition)
        return record

    async def delete(self, kind: Kind, name: str, etag: str = "") -> None:
        """Raises `NotFound`, `VersionConflict`, and `FailedPrecondition` while a route or an evaluation
        needs it."""
        async with self._writing:
            await self._refuse_while_needed(kind, name)
            await self._store.delete(kind, name, etag)
            await self._advance(Change(kind, name, "", None))

    async def rollback(
        self, kind: Kind, name: str, revision: int, version: str, author: str, etag: str = ""
    ) -> Record:
        """A new version with the content of an old one, named by number or semantic version."""
        if not revision and not version:
            field = "version" if kind is Kind.PROMPT else "revision"
            raise InvalidArgument("say which version to go back to", field)
        async with self._writing:
            current = await self._store.get(kind, name)
            old = dict((await self._store.get(kind, name, revision, version)).document)
            if kind is Kind.PROMPT:
                old["version"] = next_patch(await self._latest_version(name))
            definition = valid(kind, old)
            self._refer(definition)
            record = await self._store.update(draft_of(kind, definition, author), etag or current.etag)
            if record.revision != current.revision:
                await self._written(record, definition)
        return record

    async def apply(
        self, items: Sequence[Item], author: str, *, validate_only: bool = False
    ) -> Sequence[Applied]:
        """Create and update all of them, or none. With ``validate_only`` nothing is written.

        Raises `InvalidArgument`, or `VersionConflict` where others were faster and nothing else is wrong,
        with all ``faults`` up to a bound."""
        drafts = await drafts_of(items, author)
        # From here on it is done whole: what is stored must be in force.
        task = asyncio.create_task(self._apply(drafts, validate_only))
        self._applying.add(task)
        task.add_done_callback(self._applying.discard)
        return await asyncio.shield(task)

    async def _apply(self, drafts: Drafts, validate_only: bool) -> Sequence[Applied]:
        async with self._writing:
            changes = await self._changes(drafts.valid)
            faults = [*drafts.faults, *await self._dangling(drafts, changes)]
            dry = validate_only or bool(faults)
            found = await self._store.apply([one.wanted for one in drafts.valid], dry=dry)
            applied: list[Applied] = []
            written: list[Change] = []
            for one, change, result in zip(drafts.valid, changes, found, strict=True):
                if isinstance(result, VoyagerError):
                    faults.append(fault_of(one.item.place, result))
                    continue
                applied.append(result)
                if result.written:
                    written.append(change)
            await self._advance(*written)
            if faults:
                raise refusal(faults, len(written))
        return applied

    async def _changes(self, drafts: Sequence[Drafted]) -> list[Change]:
        """The entries that definitions are compiled to."""
        pace = Pace()
        changes: list[Change] = []
        for one in drafts:
            await pace.rest()
            before = self.config.prompts.get(one.wanted.draft.name)
            changes.append(_change(one.wanted.draft, one.definition, before))
        return changes

    async def _dangling(self, drafts: Drafts, changes: Sequence[Change]) -> list[Fault]:
        """References to what would not exist after the write. Those to an item that is refused anyway are
        left out: it may have been meant."""
        pace = Pace()
        after = self.config.apply(Delta(self.config.version, self.config.version + 1, tuple(changes)))
        faults: list[Fault] = []
        for one in drafts.valid:
            await pace.rest()
            try:
                self._refer(one.definition, after)
            except FailedPrecondition as error:
                if not drafts.broken & _names(one.definition):
                    faults.append(fault_of(one.item.place, error))
        return faults

    async def adopt(self, bundle: Bundle, spare: Collection[tuple[Kind, str]] = ()) -> None:
        """Make a cluster's definitions ours: those of its kinds become what ``bundle`` holds, but for the
        names in ``spare``. One that cannot be taken keeps its last good version, and the log says why."""
        before = await self._recorded(bundle.kinds)
        drafts = await taken(bundle, self._adopted, before)
        async with self._writing:
            known = await self._recorded(bundle.kinds)
            # What a write changed meanwhile is spared, too: whoever wrote it is about to say so.
            moved = {key for key in known.keys() | before.keys() if known.get(key) != before.get(key)}
            spared = moved | set(spare)
            changes = await self._take({key: new for key, new in drafts.items() if key not in spared})
            for kind, name in sorted(known.keys() - bundle.by_name.keys() - spared):
                await self._history.delete(kind, name)
                self._adopted.pop((kind, name), None)
                changes.append(Change(kind, name, "", None))
            await self._advance(*changes, published=bundle.digest)

    async def settle(self) -> Collection[tuple[Kind, str]]:
        """As `DefinitionStore.settle`."""
        async with self._writing:
            return await self._store.settle()

    async def _recorded(self, kinds: Collection[Kind]) -> Mapping[tuple[Kind, str], str]:
        """The history's digests of what a cluster publishes."""
        return {k: v for k, v in (await self._history.digests()).items() if k[0] in kinds}

    async def _take(self, drafts: dict[tuple[Kind, str], Taken]) -> list[Change]:
        """Record definitions of a cluster's, all in one transaction. What there is to tell the routers."""
        results = await self._history.apply([Wanted(new.draft) for new in drafts.values()])
        refused = {
            k: found for k, found in zip(drafts, results, strict=True) if isinstance(found, VoyagerError)
        }
        if refused:  # then nothing was written
            for key, error in refused.items():
                keeps_its_last(drafts[key].entry, error)
            return await self._take({key: new for key, new in drafts.items() if key not in refused})
        changes: list[Change] = []
        pace = Pace()
        for (key, new), result in zip(drafts.items(), results, strict=True):
            await pace.rest()
            self._adopted[key] = (new.entry, new.draft.digest)
            if isinstance(result, Applied) and result.written:
                changes.append(_change(new.draft, new.definition, self.config.prompts.get(new.draft.name)))
        return changes

    async def get(self, kind: Kind, name: str, revision: int = 0, version: str = "") -> Record:
        return _readable(await self._store.get(kind, name, revision, version))

    async def page(self, kind: Kind, after: str, limit: int) -> Sequence[Record]:
        found = await self._store.page(kind, after, limit)
        # Long lists are not read through: what is current was, when the store was opened.
        return [_readable(record) if (kind, record.name) in self.unreadable else record for record in found]

    async def history(self, kind: Kind, name: str, before: int, limit: int) -> Sequence[Record]:
        return [_readable(record) for record in await self._store.history(kind, name, before, limit)]

    def since(self, version: int) -> list[Delta]:
        """The deltas that lead from ``version`` to now; all from nothing where they are gone."""
        if version == self.config.version:
            return []
        steps = [delta for delta in self._deltas if delta.base >= version]
        if version and steps and steps[0].base == version:
            return steps
        return [self._whole()]

    def _whole(self) -> Delta:
        config = self.config
        tables: dict[Kind, Mapping[str, Entry]] = {
            Kind.MODEL: config.models,
            Kind.ROUTE: config.routes,
            Kind.PROMPT: config.prompts,
        }
        changes = tuple(
            Change(kind, name, value, tables[kind][name])
            for (kind, name), value in config.digests.items()
            if kind in tables
        )
        return Delta(0, config.version, changes, config.published)

    def _refer(self, definition: Frozen, within: RuntimeConfig | None = None) -> None:
        """Refuse names that are taken, and references to what does not exist, in ``within`` (None: in what is
        in force). Raises `FailedPrecondition`."""
        config = within or self.config
        refuse_taken(config, definition, self.config)
        if isinstance(definition, RouteDefinition):
            missing = sorted(definition.references() - config.models.keys())
            if missing:
                raise FailedPrecondition(f"no model is named {missing[0]!r}", "targets")
        elif isinstance(definition, EvaluationDefinition):
            _refer_evaluation(definition, config)

    async def _refuse_while_needed(self, kind: Kind, name: str) -> None:
        """Raises `FailedPrecondition` that names a definition which refers to this one."""
        if kind is Kind.MODEL:
            routes = [route.name for route in self.config.routes.values() if name in route.references()]
            if routes:
                raise FailedPrecondition(f"route {min(routes)} uses this model", "name")
        field = _REFERENCES_OF_EVALUATIONS.get(kind)
        last = ""
        while field and (page := await self._store.page(Kind.EVALUATION, last, _PAGE)):
            last = page[-1].name
            for record in page:
                if (record.document.get(field) or {}).get("name") == name:
                    raise FailedPrecondition(f"evaluation {record.name} uses this {kind}", "name")

    async def _latest_version(self, name: str) -> str:
        newest = await self._store.history(Kind.PROMPT, name, 0, 1)
        return newest[0].version

    async def _written(self, record: Record, definition: Frozen) -> None:
        before = self.config.prompts.get(record.name) if record.kind is Kind.PROMPT else None
        await self._advance(_change(record, definition, before))

    async def _advance(self, *changes: Change, published: str = "") -> None:
        if not changes and published in ("", self.config.published):
            return
        for change in changes:
            self.unreadable.pop((change.kind, change.name), None)
        delta = Delta(self.config.version, self.config.version + 1, changes, published)
        self.config = self.config.apply(delta)
        self._deltas.append(delta)
        await self._publish(delta)


def _names(definition: Frozen) -> set[str]:
    """What a definition refers to."""
    if isinstance(definition, RouteDefinition):
        return definition.references()
    if isinstance(definition, EvaluationDefinition):
        return {definition.model_ref.name, definition.prompt_ref.name}
    return set()


def _refer_evaluation(definition: EvaluationDefinition, config: RuntimeConfig) -> None:
    known = definition.model_ref.name
    if known not in config.models and known not in config.routes:
        raise FailedPrecondition(f"no model or route is named {known!r}", "model_ref.name")
    wanted = definition.prompt_ref
    prompt = config.prompts.get(wanted.name)
    if prompt is None:
        raise FailedPrecondition(f"no prompt is named {wanted.name!r}", "prompt_ref")
    try:
        prompt.get(wanted.version)
    except NotFound as error:
        raise FailedPrecondition(error.message, "prompt_ref") from None


def _readable(record: Record) -> Record:
    """The record; with its name alone where what is stored is no definition, so that it can be shown."""
    try:
        parse(DEFINITIONS[record.kind], record.document)
    except InvalidArgument:
        return replace(record, document={"name": record.name})
    return record


def _change(record: Record | Draft, definition: Frozen, before: PromptVersions | None) -> Change:
    entry: Entry
    if isinstance(definition, ModelDefinition):
        entry = compile_model(definition)
    elif isinstance(definition, PromptDefinition):
        versions = dict(before.versions) if before else {}
        versions[definition.version] = definition
        entry = PromptVersions(record.name, definition.version, versions)
    elif isinstance(definition, (RouteDefinition, EvaluationDefinition)):
        entry = definition
    else:
        raise TypeError(f"no entry for {type(definition).__name__}")
    return Change(record.kind, record.name, record.digest, entry)
