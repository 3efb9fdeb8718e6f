"""A change of the configuration on its way from the hub to the routers: in pieces, each the work of a moment.

A bulk write changes thousands of definitions; packed and unpacked at once, it would hold up everything on
either side for seconds. A router takes it as a whole when it has all of it (`snapshot.py`), so nobody ever
sees half. The hub packs (`config_hub.py`), routers unpack (`handles.py`, `model_router.py`).
"""

from __future__ import annotations

import asyncio
import pickle
import zlib
from dataclasses import dataclass

from voyager_llm.pace import Pace, chunks
from voyager_llm.snapshot import Change, Delta

# Changes of one piece: about two milliseconds to unpack.
_AT_ONCE = 10
# The fastest: neighbours are alike, so even that makes a tenth of it.
_LEVEL = 1
# Parcels that are kept for who asks next.
_KEPT = 4


@dataclass(frozen=True, slots=True)
class Parcel:
    """A `Delta` whose changes are packed."""

    base: int
    version: int
    published: str
    pieces: tuple[bytes, ...]


class Packing:
    """Packs each delta once, however many routers ask for it, and whether or not the first of them waits."""

    def __init__(self) -> None:
        self._packing: dict[tuple[int, int], asyncio.Task[Parcel]] = {}

    async def packed(self, delta: Delta) -> Parcel:
        """The delta as it travels."""
        key = delta.base, delta.version
        if key not in self._packing:
            self._packing[key] = asyncio.create_task(_packed(delta))
            for old in [*self._packing][:-_KEPT]:
                del self._packing[old]
        return await asyncio.shield(self._packing[key])


async def _packed(delta: Delta) -> Parcel:
    pace = Pace()
    pieces: list[bytes] = []
    for changes in chunks(delta.changes, _AT_ONCE):
        await pace.rest()
        pieces.append(zlib.compress(pickle.dumps(changes, pickle.HIGHEST_PROTOCOL), _LEVEL))
    return Parcel(delta.base, delta.version, delta.published, tuple(pieces))


async def unpacked(parcel: Parcel) -> Delta:
    """What was packed. Only for what came from another deployment of ours, as everything on a handle."""
    pace = Pace()
    changes: list[Change] = []
    for piece in parcel.pieces:
        await pace.rest()
        changes += pickle.loads(zlib.decompress(piece))  # noqa: S301
    return Delta(parcel.base, parcel.version, tuple(changes), parcel.published)
