"""Who is called what: of several objects that want one name or alias, one has it.

What was published stays with whoever has it, so that nothing that comes later takes another's requests; then
names go before aliases, and older objects before younger ones. Pure. Used by `compile.py`.
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass

from voyager_llm.definitions.bundle import Published
from voyager_llm.domain.definition import Kind

Key = tuple[Kind, str]
# Of an object: when it was made, and what tells it from others of that moment.
Age = tuple[str, str]
# What entries may not be called, and who is; nobody, where a prompt's version was published without an alias.
Lacking = Mapping[Key, Mapping[str, Key | None]]

# Requests call models and routes in one breath, prompts in another; evaluations are called by nobody.
_CALLED = frozenset({Kind.MODEL, Kind.ROUTE, Kind.PROMPT})


def decided(
    entries: Mapping[Key, Published], ages: Mapping[Key, Age], last: Mapping[Key, Published]
) -> tuple[Mapping[Key, Published], Lacking]:
    """The entries with the aliases that they may have, without those whose very name is another's.

    ``last`` is what was published before."""
    steady = {key: _as_its_version_was(entry, last.get(key)) for key, entry in entries.items()}
    taken = _taken(steady, ages, last)
    lacking: dict[Key, dict[str, Key | None]] = {}
    called: dict[Key, Published] = {}
    for key, entry in entries.items():
        lost = taken.get(key, {})
        missing = dict.fromkeys(set(aliases_of(entry)) - set(aliases_of(steady[key])))
        if lost or missing:
            lacking[key] = {**missing, **lost}
        if entry.name not in lost:
            called[key] = _without(steady[key], lost)
    return called, lacking


def aliases_of(entry: Published) -> tuple[str, ...]:
    return tuple(entry.document.get("aliases") or ())


@dataclass(frozen=True, slots=True, order=True)
class _Claim:
    """Sorts before the claims that it goes before."""

    is_new: bool
    is_alias: bool
    age: Age
    kind: Kind
    name: str
    called: str


def _taken(
    entries: Mapping[Key, Published], ages: Mapping[Key, Age], last: Mapping[Key, Published]
) -> Mapping[Key, Mapping[str, Key]]:
    """What entries want to be called and others are. One whose name is taken has no say about aliases."""
    holders: dict[tuple[bool, str], Key] = {}
    taken: dict[Key, dict[str, Key]] = {}
    for claim in sorted(_claims(entries, ages, last)):
        key = claim.kind, claim.name
        if claim.name in taken.get(key, ()):
            continue
        holder = holders.setdefault((claim.kind is Kind.PROMPT, claim.called), key)
        if holder != key:
            taken.setdefault(key, {})[claim.called] = holder
    return taken


def _claims(
    entries: Mapping[Key, Published], ages: Mapping[Key, Age], last: Mapping[Key, Published]
) -> Iterator[_Claim]:
    for key, entry in entries.items():
        if entry.kind not in _CALLED:
            continue
        before = last.get(key)
        held = () if before is None else (before.name, *aliases_of(before))
        for called in (entry.name, *aliases_of(entry)):
            yield _Claim(called not in held, called != entry.name, ages[key], *key, called)


def _as_its_version_was(entry: Published, last: Published | None) -> Published:
    """A prompt's version has the aliases that it was published with: its content is for ever."""
    if last is None or entry.kind is not Kind.PROMPT or entry.document["version"] != last.document["version"]:
        return entry
    return _without(entry, set(aliases_of(entry)) - set(aliases_of(last)))


def _without(entry: Published, aliases: Container[str]) -> Published:
    """The entry without some of its aliases."""
    left = [alias for alias in aliases_of(entry) if alias not in aliases]
    document = {name: value for name, value in entry.document.items() if name != "aliases"}
    return Published(
        entry.kind, entry.name, {**document, "aliases": left} if left else document, entry.author
    )
