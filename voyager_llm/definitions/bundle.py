"""What a cluster publishes to the data plane: definitions as plain documents.

While it is small, the controller packs it into Serve's configuration (`controller/serve_config.py`), and the
config hub unpacks it; when it is not, it stands in pieces (`shards.py`). It knows nothing of Kubernetes, and
holds references to secrets, never secrets.
"""

from __future__ import annotations

import base64
import binascii
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import orjson

from voyager_llm.domain.definition import Kind, digest

# What controllers publish that do not say so: they know no others.
_FIRST_KINDS = (Kind.MODEL, Kind.PROMPT, Kind.EVALUATION)

# An unpacked bundle beyond this is refused: it could only be an attack or an accident.
_MAX_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Published:
    """One definition, and who wrote it. ``document`` is as the store keeps it."""

    kind: Kind
    name: str
    document: Mapping[str, Any]
    author: str


@dataclass(frozen=True)
class Bundle:
    """Entries in the order of kind and name: equal definitions, equal bytes."""

    entries: tuple[Published, ...] = ()
    # Those that whoever published it knows: of another kind, nothing is said by what is not there.
    kinds: frozenset[Kind] = frozenset(Kind)
    # The digest, where somebody vouches for it; empty: it is found out.
    stated: str = field(default="", compare=False)

    @cached_property
    def content(self) -> bytes:
        """Canonical JSON."""
        return b"[" + b",".join(map(row_of, self.entries)) + b"]"

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the content."""
        return self.stated or digest(self.content)

    @cached_property
    def by_name(self) -> Mapping[tuple[Kind, str], Published]:
        return {(entry.kind, entry.name): entry for entry in self.entries}


def bundle_of(entries: Iterable[Published], kinds: Iterable[Kind] = Kind, stated: str = "") -> Bundle:
    """A bundle in its canonical order."""
    ordered = tuple(sorted(entries, key=lambda entry: (entry.kind, entry.name)))
    return Bundle(ordered, frozenset(kinds), stated)


def row_of(entry: Published) -> bytes:
    """An entry as canonical JSON."""
    row = [entry.kind, entry.name, entry.author, entry.document]
    return orjson.dumps(row, option=orjson.OPT_SORT_KEYS)


def rows_in(content: bytes) -> tuple[Published, ...]:
    """The entries of a JSON list of rows. Raises `ValueError`."""
    try:
        rows = orjson.loads(content)
        return tuple(Published(Kind(k), str(n), dict(d), str(a)) for k, n, a, d in rows)
    except (TypeError, ValueError) as error:
        raise ValueError(f"the configuration cannot be read: {type(error).__name__}") from None


def pack(bundle: Bundle) -> dict[str, Any]:
    """The bundle as a deployment's `user_config`."""
    packed = base64.b64encode(zlib.compress(bundle.content, 9)).decode()
    return {"digest": bundle.digest, "kinds": sorted(bundle.kinds), "definitions": packed}


def unpack(user_config: Mapping[str, Any]) -> Bundle:
    """Raises `ValueError` for anything that `pack` did not make."""
    try:
        raw = base64.b64decode(str(user_config["definitions"]), validate=True)
        unpacker = zlib.decompressobj()
        content = unpacker.decompress(raw, _MAX_BYTES)
        if unpacker.unconsumed_tail:
            raise ValueError(f"the configuration is larger than {_MAX_BYTES} bytes")
        kinds = frozenset(map(Kind, user_config.get("kinds", _FIRST_KINDS)))
    except (KeyError, TypeError, binascii.Error, zlib.error) as error:
        raise ValueError(f"the configuration cannot be read: {type(error).__name__}") from None
    bundle = Bundle(rows_in(content), kinds)
    if bundle.digest != user_config.get("digest"):
        raise ValueError("the configuration's digest does not fit its content")
    return bundle
