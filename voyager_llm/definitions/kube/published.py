"""Publications in a cluster's ConfigMaps: how a piece stands there, and how a whole one is read.

A reader has all of a publication or none of it: what is missing, or is not what its name says, is an error.
Used by the config hub, and by the controller, which writes them (`controller/shelf.py`).
"""

from __future__ import annotations

import asyncio
import base64
import binascii
from collections.abc import Mapping
from typing import Any

from voyager_llm.definitions.bundle import Bundle, Published, bundle_of
from voyager_llm.definitions.crd.resources import GROUP
from voyager_llm.definitions.kube.client import KubeApi, KubeError, Object, Path
from voyager_llm.definitions.shards import INDEX, DamagedError, Piece, content_of, entries_in, index_in
from voyager_llm.pace import Pace

# On every piece, so that they are found again; nothing else of the namespace has it.
LABEL = f"{GROUP}/published"
_PREFIX = "voyager-published-"
_KEY = "definitions"
_NOT_FOUND = 404
# Requests at a time.
_AT_ONCE = 8


def path_of(api: KubeApi) -> Path:
    """Where the ConfigMaps are."""
    return Path("/api/v1", "configmaps", api.namespace)


def object_name(piece: str) -> str:
    """The name of a piece's ConfigMap."""
    return _PREFIX + piece


def config_map(piece: Piece) -> Object:
    """A piece as an object. Raises `TooLargeError`."""
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": object_name(piece.name), "labels": {LABEL: "true"}},
        "immutable": True,
        "binaryData": {_KEY: base64.b64encode(piece.packed()).decode()},
    }


async def content(api: KubeApi, piece: str) -> bytes:
    """What a piece holds. Raises `DamagedError`, and `KubeError` when the server is away."""
    try:
        found = await api.get(path_of(api), object_name(piece))
    except KubeError as error:
        if error.status == _NOT_FOUND:
            raise DamagedError(f"ConfigMap {object_name(piece)} is missing") from None
        raise
    try:
        packed = base64.b64decode((found.get("binaryData") or {}).get(_KEY, ""), validate=True)
        return content_of(piece, packed)
    except (binascii.Error, DamagedError):
        raise DamagedError(f"ConfigMap {object_name(piece)} does not hold what its name says") from None


class PublishedReader:
    """Reads publications; of one that changed a little, what changed."""

    def __init__(self, api: KubeApi) -> None:
        self._api = api
        self._gate = asyncio.Semaphore(_AT_ONCE)
        # What was read last: its index, its bundle and its shards.
        self._index = ""
        self._bundle = Bundle()
        self._shards: Mapping[str, tuple[Published, ...]] = {}

    async def read(self, pointer: Mapping[str, Any]) -> Bundle:
        """All that a pointer leads to. Raises `DamagedError`, and `KubeError` when the server is away."""
        name = str(pointer[INDEX])
        if name == self._index:
            return self._bundle
        index = index_in(await content(self._api, name))
        if index.digest != pointer.get("digest"):
            raise DamagedError("the index is of another configuration")
        found = await asyncio.gather(*(self._content(shard) for shard in index.shards))
        pace = Pace()
        shards: dict[str, tuple[Published, ...]] = {}
        for shard, new in zip(index.shards, found, strict=True):
            await pace.rest()
            shards[shard] = self._shards[shard] if new is None else entries_in(new)
        entries = (entry for shard in shards.values() for entry in shard)
        self._bundle = bundle_of(entries, index.kinds, index.digest)
        self._index, self._shards = name, shards
        return self._bundle

    async def _content(self, shard: str) -> bytes | None:
        """A shard's content; None: it was read before."""
        if shard in self._shards:
            return None
        async with self._gate:
            return await content(self._api, shard)
