"""A large publication in pieces that are named by their content: what did not change keeps its name.

Definitions are spread over shards by a hash of their names, and a shard that grows too large is split in two:
the pieces depend on the definitions alone, and one definition changes one shard. An index names the shards,
and a pointer the index, so that each vouches for what it names and nobody can read half (decision 23). Pure.
The controller writes them (`controller/shelf.py`), the hub reads them (`kube/published.py`).
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from voyager_llm.definitions.bundle import Bundle, Published, row_of, rows_in
from voyager_llm.domain.definition import Kind, digest

# Of JSON: a change of one definition writes that much anew, a twentieth of it once it is packed.
SHARD_BYTES = 256 * 1024
# Kubernetes lets a ConfigMap hold 1 MiB.
MOST_BYTES = 1024 * 1024 - 1024
# Unpacked content beyond this is refused: it could only be an attack or an accident.
_MAX_CONTENT = 16 * 1024 * 1024
# What a pointer has in the place of definitions.
INDEX = "index"


class TooLargeError(ValueError):
    """One definition alone is larger than an object of the cluster may be."""


class DamagedError(ValueError):
    """What is published is not all there, or is not what its name says."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A shard or an index. ``name`` is the SHA-256 of ``content``."""

    name: str
    content: bytes

    def packed(self) -> bytes:
        """Raises `TooLargeError`."""
        packed = zlib.compress(self.content, 9)
        if len(packed) > MOST_BYTES:
            ((kind, name, *_),) = orjson.loads(self.content)
            raise TooLargeError(
                f"{kind} {name} has {len(packed)} bytes when it is packed, and {MOST_BYTES} are the most: "
                "shorten it"
            )
        return packed


@dataclass(frozen=True, slots=True)
class Index:
    """What a publication consists of."""

    # Of the whole bundle.
    digest: str
    kinds: frozenset[Kind]
    shards: tuple[str, ...]

    def piece(self) -> Piece:
        told = {"digest": self.digest, "kinds": sorted(self.kinds), "shards": self.shards}
        return _piece(orjson.dumps(told))


@dataclass(frozen=True, slots=True)
class Sharded:
    """A bundle in pieces, all of which are there before anybody is pointed to the index."""

    shards: tuple[Piece, ...]
    index: Piece
    pointer: Mapping[str, str]

    def names(self) -> set[str]:
        """Of all pieces."""
        return {self.index.name, *(shard.name for shard in self.shards)}


def sharded(bundle: Bundle) -> Sharded:
    """The bundle's pieces, and the `user_config` that points to them."""
    rows = [(_hash_of(entry), row_of(entry)) for entry in bundle.entries]
    shards = tuple(_piece(b"[" + b",".join(some) + b"]") for some in _split(rows, 0))
    index = Index(bundle.digest, bundle.kinds, tuple(shard.name for shard in shards)).piece()
    return Sharded(shards, index, {"digest": bundle.digest, INDEX: index.name})


def content_of(name: str, packed: bytes) -> bytes:
    """What a piece holds. Raises `DamagedError` when it is not what its name says."""
    unpacker = zlib.decompressobj()
    try:
        content = unpacker.decompress(packed, _MAX_CONTENT)
    except zlib.error:
        content = b""
    if unpacker.unconsumed_tail or digest(content) != name:
        raise DamagedError(f"{name[:12]} does not hold what its name says")
    return content


def index_in(content: bytes) -> Index:
    """Raises `DamagedError`."""
    try:
        found: dict[str, Any] = orjson.loads(content)
        kinds = frozenset(map(Kind, found["kinds"]))
        return Index(str(found["digest"]), kinds, tuple(str(name) for name in found["shards"]))
    except (ValueError, KeyError, TypeError):
        raise DamagedError("the index cannot be read") from None


def entries_in(content: bytes) -> tuple[Published, ...]:
    """The definitions of a shard. Raises `DamagedError`."""
    try:
        return rows_in(content)
    except ValueError as error:
        raise DamagedError(str(error)) from None


def _split(rows: Sequence[tuple[int, bytes]], depth: int) -> Iterator[list[bytes]]:
    """Rows of one shard after the other. Those of a shard have the first ``depth`` bits of their hashes in
    common, and keep their order."""
    if not rows:
        return
    if len(rows) == 1 or sum(len(row) + 1 for _, row in rows) <= SHARD_BYTES:
        yield [row for _, row in rows]
        return
    for side in (0, 1):
        yield from _split([row for row in rows if row[0] >> (_BITS - 1 - depth) & 1 == side], depth + 1)


_BITS = 256


def _hash_of(entry: Published) -> int:
    return int.from_bytes(hashlib.sha256(f"{entry.kind}/{entry.name}".encode()).digest())


def _piece(content: bytes) -> Piece:
    return Piece(digest(content), content)
