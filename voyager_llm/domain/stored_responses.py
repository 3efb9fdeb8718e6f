"""Responses that are kept so that conversations go on from them: bounded, expiring, each its owner's alone.

Run by the config hub, which all routers reach (`docs/decisions/0025-stored-responses.md`).
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, replace

from voyager_llm.clock import Clock

# About what an entry takes besides its texts.
_OVERHEAD_BYTES = 1024
# One principal may take this part of every bound, so that it cannot push all others out at once.
_SHARE = 4


@dataclass(frozen=True, slots=True)
class StoredResponse:
    """A response as its client got it, and the conversation that it belongs to: lists of items, as JSON."""

    id: str
    # All that it answers, in order: what its request added comes last.
    input: tuple[bytes, ...]
    output: bytes
    body: bytes

    @property
    def size(self) -> int:
        """Bytes. What several responses of one conversation share is counted for each: the bound holds
        whichever of them go first."""
        return sum(map(len, self.input)) + len(self.output) + len(self.body) + _OVERHEAD_BYTES


@dataclass(frozen=True, slots=True)
class Put:
    """A response to be kept for its owner. Its ``input`` is what its request added to the response with the
    id ``previous``; empty: it goes on from none."""

    owner: str
    response: StoredResponse
    previous: str = ""


@dataclass(frozen=True, slots=True)
class Bounds:
    """Of all responses together. ``lifetime_s``: seconds from when one is stored; ``largest``: bytes of one
    with its whole conversation."""

    entries: int
    bytes: int
    lifetime_s: float
    largest: int


@dataclass(frozen=True, slots=True)
class _Entry:
    response: StoredResponse
    expires: float


class _Shelf:
    """Entries of one owner, or of all, the oldest first."""

    __slots__ = ("bytes", "entries")

    def __init__(self) -> None:
        self.entries: OrderedDict[tuple[str, str], _Entry] = OrderedDict()
        self.bytes = 0

    def add(self, key: tuple[str, str], entry: _Entry) -> None:
        self.entries[key] = entry
        self.bytes += entry.response.size

    def remove(self, key: tuple[str, str]) -> None:
        self.bytes -= self.entries.pop(key).response.size

    def is_full(self, entries: int, size: int, more: int) -> bool:
        return bool(self.entries) and (len(self.entries) >= entries or self.bytes + more > size)

    @property
    def oldest(self) -> tuple[str, str]:
        return next(iter(self.entries))


class StoredResponses:
    """Those of every principal. Whatever is over a bound pushes the oldest out."""

    def __init__(self, bounds: Bounds, clock: Clock) -> None:
        self._bounds = bounds
        self._clock = clock
        self._all = _Shelf()
        self._owned: dict[str, _Shelf] = {}

    def put(self, put: Put) -> bool:
        """False: what it goes on from is not there, or it alone is over a bound."""
        self._expire()
        owner, response = put.owner, put.response
        if put.previous:
            before = self.get(owner, put.previous)
            if before is None:
                return False
            response = replace(response, input=(*before.input, before.output, *response.input))
        entries, size = max(self._bounds.entries // _SHARE, 1), self._bounds.bytes // _SHARE
        if response.size > min(size, self._bounds.largest):
            return False
        key = (owner, response.id)
        self._remove(key)
        self._make_room(owner, entries, size, response.size)
        entry = _Entry(response, self._clock() + self._bounds.lifetime_s)
        self._all.add(key, entry)
        self._owned.setdefault(owner, _Shelf()).add(key, entry)
        return True

    def get(self, owner: str, response_id: str) -> StoredResponse | None:
        """An owner's response; None: there is none."""
        self._expire()
        entry = self._all.entries.get((owner, response_id))
        return entry.response if entry is not None else None

    def delete(self, owner: str, response_id: str) -> bool:
        """Whether it was there. Responses that go on from it keep what it said."""
        self._expire()
        return self._remove((owner, response_id))

    @property
    def bytes(self) -> int:
        """What is kept, in bytes."""
        return self._all.bytes

    def __len__(self) -> int:
        return len(self._all.entries)

    def _make_room(self, owner: str, entries: int, size: int, more: int) -> None:
        own = self._owned.get(owner)
        while own is not None and own.is_full(entries, size, more):
            self._remove(own.oldest)
        while self._all.is_full(self._bounds.entries, self._bounds.bytes, more):
            self._remove(self._all.oldest)

    def _remove(self, key: tuple[str, str]) -> bool:
        if key not in self._all.entries:
            return False
        self._all.remove(key)
        owned = self._owned[key[0]]
        owned.remove(key)
        if not owned.entries:
            del self._owned[key[0]]
        return True

    def _expire(self) -> None:
        """All live equally long, so the oldest go first."""
        now = self._clock()
        while self._all.entries and self._all.entries[self._all.oldest].expires <= now:
            self._remove(self._all.oldest)
