"""Documents into definitions that are valid by themselves: of single writes, of bulk writes, of a cluster.

Whether what they refer to exists is the catalog's to say (`catalog.py`), which calls this.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from voyager_llm.definitions.bundle import Bundle, Published
from voyager_llm.domain.bulk import Item, Wanted, fault_of
from voyager_llm.domain.definition import Frozen, Kind, parse
from voyager_llm.domain.evaluation import EvaluationDefinition
from voyager_llm.domain.model import ModelDefinition
from voyager_llm.domain.prompt import PromptDefinition
from voyager_llm.domain.record import Draft, draft_of
from voyager_llm.domain.route import RouteDefinition
from voyager_llm.errors import AlreadyExists, Fault, VoyagerError
from voyager_llm.pace import Pace
from voyager_llm.templating.render import check_prompt

log = logging.getLogger(__name__)

DEFINITIONS: dict[Kind, type[Frozen]] = {
    Kind.MODEL: ModelDefinition,
    Kind.PROMPT: PromptDefinition,
    Kind.ROUTE: RouteDefinition,
    Kind.EVALUATION: EvaluationDefinition,
}


@dataclass(frozen=True, slots=True)
class Drafted:
    """A valid item, ready to be stored."""

    item: Item
    definition: Frozen
    wanted: Wanted


@dataclass(frozen=True, slots=True)
class Drafts:
    """The items of a bulk write: those that are valid, and what is wrong with the others.

    ``broken``: the names of the others, so that nobody is told that they do not exist."""

    valid: tuple[Drafted, ...]
    faults: tuple[Fault, ...]
    broken: frozenset[str]


@dataclass(frozen=True, slots=True)
class Taken:
    """A valid definition of a cluster's, ready to be recorded."""

    entry: Published
    definition: Frozen
    draft: Draft


def valid(kind: Kind, given: Mapping[str, Any]) -> Frozen:
    """The definition. Raises `InvalidArgument`, which names the field."""
    definition = parse(DEFINITIONS[kind], given)
    if isinstance(definition, PromptDefinition):
        check_prompt(definition)
    return definition


async def drafts_of(items: Sequence[Item], author: str) -> Drafts:
    """All items, whatever their order."""
    pace = Pace()
    found: list[Drafted] = []
    faults: list[Fault] = []
    broken: set[str] = set()
    places: dict[tuple[Kind, str], str] = {}
    for item in items:
        await pace.rest()
        given: dict[str, Any] = orjson.loads(item.document)
        try:
            definition = valid(item.kind, given)
            draft = draft_of(item.kind, definition, author)
        except VoyagerError as error:
            faults.append(fault_of(item.place, error))
            broken.add(str(given.get("name", "")))
            continue
        if (before := places.setdefault((draft.kind, draft.name), item.place)) == item.place:
            found.append(Drafted(item, definition, Wanted(draft, item.etag)))
        else:
            error = AlreadyExists(f"{before} has this name already", "name")
            faults.append(fault_of(item.place, error))
    return Drafts(tuple(found), tuple(faults), frozenset(broken))


async def taken(
    bundle: Bundle,
    adopted: Mapping[tuple[Kind, str], tuple[Published, str]],
    known: Mapping[tuple[Kind, str], str],
) -> dict[tuple[Kind, str], Taken]:
    """What of a cluster's bundle is valid, and is not ``adopted`` with the digest that is ``known``."""
    pace = Pace()
    found: dict[tuple[Kind, str], Taken] = {}
    for key, entry in bundle.by_name.items():
        if adopted.get(key) == (entry, known.get(key)):
            continue
        await pace.rest()
        try:
            definition = valid(entry.kind, entry.document)
            found[key] = Taken(entry, definition, draft_of(entry.kind, definition, entry.author))
        except VoyagerError as error:
            keeps_its_last(entry, error)
    return found


def keeps_its_last(entry: Published, error: VoyagerError) -> None:
    """Say why a definition of a cluster's is not taken over."""
    log.warning("%s %s of the cluster keeps its last version: %s", entry.kind, entry.name, error)
