"""Many definitions in one write: what is asked for, what came of each, and what is wrong with them.

Made by the codecs, decided by the catalog (`definitions/catalog.py`) and the stores.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from voyager_llm.domain.definition import Kind
from voyager_llm.domain.record import Draft
from voyager_llm.errors import Fault, InvalidArgument, Unavailable, VersionConflict, VoyagerError

# Definitions of one write.
MAX_ITEMS = 50_000
# Faults that an error tells one by one; the others it counts.
MAX_FAULTS = 100
# Of these, how many stand in its message.
_IN_MESSAGE = 5


class Outcome(StrEnum):
    """What a write makes of one definition."""

    CREATED = "created"
    UPDATED = "updated"
    UNCHANGED = "unchanged"


@dataclass(frozen=True, slots=True)
class Item:
    """One definition as it came."""

    kind: Kind
    # Where it stands in the request, e.g. ``models[17]``: faults are told so.
    place: str
    # JSON: bytes go between processes in one piece, whatever is in them.
    document: bytes
    # When given, the item is refused unless it is the current version's.
    etag: str = ""


@dataclass(frozen=True, slots=True)
class Wanted:
    """One definition that a store is to hold."""

    draft: Draft
    etag: str = ""


@dataclass(frozen=True, slots=True)
class Applied:
    """One definition after the write, or as it would be after it."""

    kind: Kind
    name: str
    outcome: Outcome
    revision: int
    etag: str
    # Whether it was stored just now.
    written: bool = False


def fault_of(place: str, error: VoyagerError) -> Fault:
    """An error about one item as the fault of the whole."""
    return Fault(f"{place}.{error.field}" if error.field else place, error.message, error.code)


def refusal(faults: Sequence[Fault], written: int = 0) -> VoyagerError:
    """The error of a write in whose way these faults are; ``written``: how many were stored all the same,
    where there are no transactions. Where a retry may help all of them, it is of their kind."""
    codes = {fault.code for fault in faults}
    kind = next((kind for kind in _MAY_PASS if codes == {kind.code}), InvalidArgument)
    error = kind(_told(faults, written))
    error.faults = tuple(faults[:MAX_FAULTS])
    return error


# Others were faster, or something is away.
_MAY_PASS: tuple[type[VoyagerError], ...] = (VersionConflict, Unavailable)


def _told(faults: Sequence[Fault], written: int) -> str:
    begun = f"only {written} of the definitions were written" if written else "nothing was written"
    shown = "; ".join(f"{fault.field}: {fault.message}" for fault in faults[:_IN_MESSAGE])
    more = f"; and {len(faults) - _IN_MESSAGE} more" if len(faults) > _IN_MESSAGE else ""
    counted = "1 fault" if len(faults) == 1 else f"{len(faults)} faults"
    return f"{begun}, for {counted}: {shown}{more}"


def count(applied: Iterable[Applied]) -> dict[Outcome, int]:
    """How many were created, updated, and unchanged."""
    found = dict.fromkeys(Outcome, 0)
    for one in applied:
        found[one.outcome] += 1
    return found
