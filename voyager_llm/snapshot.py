"""RuntimeConfig: the one immutable, versioned configuration that the data plane reads.

The catalog compiles definitions into entries (`definitions/compiler.py`), publishes them as deltas, and every
replica keeps the result in a `SnapshotCell`. A request reads the cell once and keeps what it got for
its whole life. Deltas carry only what changed, so a change among 10,000 models stays small.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import chain
from types import MappingProxyType
from typing import Any

from voyager_llm.domain.alias import PROMPT_PREFIX
from voyager_llm.domain.definition import Kind
from voyager_llm.domain.endpoint import Endpoint
from voyager_llm.domain.evaluation import EvaluationDefinition
from voyager_llm.domain.model import ModelDefinition
from voyager_llm.domain.nearest import Names
from voyager_llm.domain.price import Price
from voyager_llm.domain.prompt import ModelRequirements, PromptDefinition
from voyager_llm.domain.route import RouteDefinition
from voyager_llm.errors import NotFound


@dataclass(frozen=True, slots=True)
class CompiledModel:
    """A model as routing sees it. ``endpoints`` holds the primary and perhaps the backup endpoint."""

    name: str
    endpoints: tuple[Endpoint, ...]
    # With its changes; `current_price` is the one in force.
    price: Price
    has_price: bool
    capabilities: frozenset[str]
    context_length: int | None
    requests_per_minute: int
    tokens_per_minute: int
    max_tokens: int | None
    # Names of parameters that requests may set although no table knows them.
    allowed: frozenset[str]
    definition: ModelDefinition

    @property
    def current_price(self) -> Price:
        """The price that is in force now."""
        return self.price.at(datetime.now(UTC)) if self.price.changes else self.price

    @property
    def is_limited(self) -> bool:
        return bool(self.requests_per_minute or self.tokens_per_minute)

    def takes(self, further: frozenset[str]) -> bool:
        """Whether requests may set all these parameters, which no table knows."""
        return self.allowed >= further

    def satisfies(self, require: ModelRequirements) -> bool:
        """Whether the model offers what a prompt or route requires. Unknown context length: no."""
        if not self.capabilities.issuperset(require.capabilities):
            return False
        if require.min_context_length and (self.context_length or 0) < require.min_context_length:
            return False
        ceiling = require.max_output_token_cost
        return ceiling is None or (self.has_price and self.current_price.output <= ceiling)


@dataclass(frozen=True, slots=True)
class PromptVersions:
    """All versions of a prompt by their version string."""

    name: str
    current: str
    versions: Mapping[str, PromptDefinition]

    def get(self, version: str) -> PromptDefinition:
        """A version, or the current one for an empty string. Raises `NotFound`."""
        found = self.versions.get(version or self.current)
        if found is None:
            raise NotFound(f"prompt {self.name} has no version {version}", "version")
        return found


Entry = CompiledModel | PromptVersions | RouteDefinition | EvaluationDefinition


@dataclass(frozen=True, slots=True)
class Change:
    """One definition that changed: its compiled entry, or None when it was deleted."""

    kind: Kind
    name: str
    digest: str
    entry: Entry | None


@dataclass(frozen=True, slots=True)
class Delta:
    """What leads from version ``base`` to ``version``; ``base`` 0 starts from nothing."""

    base: int
    version: int
    changes: tuple[Change, ...]
    # Digest of the bundle that a cluster published and that this completes; empty: none.
    published: str = ""


_NOBODY = Names(())


def _empty() -> Mapping[Any, Any]:
    return MappingProxyType({})


@dataclass(frozen=True, slots=True)
class RuntimeConfig:
    """Everything a request may need, at one moment. ``digest`` depends on the content alone."""

    version: int = 0
    models: Mapping[str, CompiledModel] = field(default_factory=_empty)
    routes: Mapping[str, RouteDefinition] = field(default_factory=_empty)
    prompts: Mapping[str, PromptVersions] = field(default_factory=_empty)
    digests: Mapping[tuple[Kind, str], str] = field(default_factory=_empty)
    # Names of models and routes by their aliases, and of prompts by theirs. A name goes before an alias.
    aliases: Mapping[str, str] = field(default_factory=_empty)
    prompt_aliases: Mapping[str, str] = field(default_factory=_empty)
    # Digest of the last bundle that a cluster published; empty where no cluster does.
    published: str = ""
    # What requests may call, to find what an unknown name was meant to be.
    called: Names = field(default=_NOBODY, compare=False, repr=False)
    prompts_called: Names = field(default=_NOBODY, compare=False, repr=False)

    def find(self, asked: str) -> CompiledModel | RouteDefinition | None:
        """The model or route that a request calls by its name or an alias."""
        for name in (asked, self.aliases.get(asked, "")):
            if found := self.routes.get(name) or self.models.get(name):
                return found
        return None

    def destination(self, asked: str) -> CompiledModel | RouteDefinition:
        """As `find`. Raises `NotFound`."""
        found = self.find(asked)
        if found is None:
            raise NotFound(self.called.unknown("model or route", asked), "model")
        return found

    def known(self, names: Iterable[str]) -> list[CompiledModel]:
        """Those of the models that exist."""
        return [model for name in names if (model := self.models.get(name)) is not None]

    def find_prompt(self, asked: str) -> PromptVersions | None:
        """The prompt that a request calls by its name or an alias."""
        return self.prompts.get(asked) or self.prompts.get(self.prompt_aliases.get(asked, ""))

    def prompt(self, asked: str, version: str = "") -> PromptDefinition:
        """A version of what `find_prompt` finds. Raises `NotFound`."""
        found = self.find_prompt(asked)
        if found is None:
            raise NotFound(self.prompts_called.unknown("prompt", asked), "prompt")
        return found.get(version)

    def digest(self) -> str:
        """SHA-256 over the digests of all entries, in the order of their names."""
        lines = (f"{kind}/{name} {value}\n" for (kind, name), value in sorted(self.digests.items()))
        return hashlib.sha256("".join(lines).encode()).hexdigest()

    def apply(self, delta: Delta) -> RuntimeConfig:
        """The configuration after a delta. Raises `ValueError` when the delta starts elsewhere."""
        if delta.base not in (0, self.version):
            raise ValueError(f"delta starts at version {delta.base}, this is {self.version}")
        start = self if delta.base else RuntimeConfig()
        models = _applied(start.models, delta.changes, Kind.MODEL)
        routes = _applied(start.routes, delta.changes, Kind.ROUTE)
        prompts = _applied(start.prompts, delta.changes, Kind.PROMPT)
        aliases = _aliases(start.aliases, [(start.models, models), (start.routes, routes)], delta.changes)
        prompt_aliases = _aliases(start.prompt_aliases, [(start.prompts, prompts)], delta.changes)
        prefixed = map(PROMPT_PREFIX.__add__, chain(prompts, prompt_aliases))
        return replace(
            start,
            version=delta.version,
            models=models,
            routes=routes,
            prompts=prompts,
            digests=_digests(start.digests, delta.changes),
            aliases=aliases,
            prompt_aliases=prompt_aliases,
            published=delta.published or start.published,
            called=Names(chain(models, routes, prefixed, aliases)),
            prompts_called=Names(chain(prompts, prompt_aliases)),
        )


def _applied(table: Mapping[str, Any], changes: Iterable[Change], kind: Kind) -> Mapping[str, Any]:
    relevant = [change for change in changes if change.kind is kind]
    if not relevant:
        return table
    copy = dict(table)
    for change in relevant:
        if change.entry is None:
            copy.pop(change.name, None)
        else:
            copy[change.name] = change.entry
    return MappingProxyType(copy)


def _aliases(
    before: Mapping[str, str],
    tables: Iterable[tuple[Mapping[str, Entry], Mapping[str, Entry]]],
    changes: Iterable[Change],
) -> Mapping[str, str]:
    """Aliases of all entries of ``tables``, each as it was and as it is. Only an entry that has or had some
    makes the others be looked at. An alias of two, which nobody accepts, is that of the first by name."""
    pairs = list(tables)
    names = {change.name for change in changes}
    if not any(further_names(table.get(name)) for pair in pairs for table in pair for name in names):
        return before
    found: dict[str, str] = {}
    for _, table in pairs:
        for name, entry in table.items():
            for alias in further_names(entry):
                found[alias] = min(found.get(alias, name), name)
    return MappingProxyType(found)


def further_names(entry: Entry | None) -> tuple[str, ...]:
    """The aliases of an entry."""
    if isinstance(entry, CompiledModel):
        return entry.definition.aliases
    if isinstance(entry, PromptVersions):
        current = entry.versions.get(entry.current)
        return current.aliases if current is not None else ()
    return entry.aliases if isinstance(entry, RouteDefinition) else ()


def _digests(
    table: Mapping[tuple[Kind, str], str], changes: Iterable[Change]
) -> Mapping[tuple[Kind, str], str]:
    copy = dict(table)
    for change in changes:
        if change.kind is Kind.EVALUATION:
            continue  # never on the request path
        if change.entry is None:
            copy.pop((change.kind, change.name), None)
        else:
            copy[change.kind, change.name] = change.digest
    return MappingProxyType(copy)


class SnapshotCell:
    """Holds the replica's current configuration. One event loop writes it; readers only look."""

    def __init__(self) -> None:
        self.current = RuntimeConfig()
        self._filled = asyncio.Event()

    async def filled(self) -> RuntimeConfig:
        """The configuration, once there is one: a replica that has just started has none yet."""
        await self._filled.wait()
        return self.current

    def apply(self, delta: Delta) -> bool:
        """Move to the delta's version. False: the delta does not fit, ask for the whole."""
        if delta.version <= self.current.version:
            return True
        if delta.base not in (0, self.current.version):
            return False
        self.current = self.current.apply(delta)
        self._filled.set()
        return True
