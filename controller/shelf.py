"""Where the definitions of a publication stand: in Serve's configuration while they are few, else beside it.

The other place are immutable ConfigMaps, named by what they hold (`voyager_llm/definitions/shards.py`). All
of them are there before anybody is pointed to them, and stay for as long as they are in force somewhere. Used
by `reconciler.py`.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping

from controller.publish import PublishError
from controller.serve_config import user_config_in
from voyager_llm.definitions.bundle import Bundle, pack, unpack
from voyager_llm.definitions.crd.conditions import Reason
from voyager_llm.definitions.kube import published
from voyager_llm.definitions.kube.client import KubeApi, KubeError
from voyager_llm.definitions.shards import INDEX, DamagedError, Piece, Sharded, TooLargeError, sharded

log = logging.getLogger(__name__)

# Of packed definitions in Serve's configuration. KubeRay logs and compares the whole string.
INLINE_BYTES = 256 * 1024
# Larger ones are not tried: to pack them takes a second.
_TRIED_BYTES = 8 * 1024 * 1024
_AT_ONCE = 8
_NOT_FOUND, _EXISTS = 404, 409


class Shelf:
    """Puts publications there, finds them again, and throws away what nobody needs."""

    def __init__(self, api: KubeApi) -> None:
        self._api = api
        self._path = published.path_of(api)
        self._reader = published.PublishedReader(api)
        self._gate = asyncio.Semaphore(_AT_ONCE)
        # The resource version under which an object was seen to hold what its name says.
        self._sound: dict[str, str] = {}
        # A configuration that was read, and what it says: a round asks for the same one as the last.
        self._found: tuple[str, Bundle | None] = ("", None)
        # What was put last, and where it stands; None: in Serve's configuration.
        self._put: tuple[str, Mapping[str, str], Sharded | None] = ("", {}, None)
        # Objects of the last two publications that every replica held.
        self._good: tuple[frozenset[str], frozenset[str]] = (frozenset(), frozenset())
        self._collected = ""

    async def find(self, text: str) -> Bundle | None:
        """The definitions in a configuration; None where there are none that can be read. Raises
        `KubeError`."""
        if text == self._found[0]:
            return self._found[1]
        config = user_config_in(text)
        if not config:
            return None
        try:
            bundle = await self._reader.read(config) if INDEX in config else unpack(config)
        except ValueError as error:
            log.warning("what was published last cannot be read: %s", error)
            return None
        self._found = text, bundle
        return bundle

    async def put(self, bundle: Bundle, *, anew: bool) -> Mapping[str, str]:
        """The hub's `user_config` for a bundle; all that it points to is there. ``anew``: look whether it
        still is. Raises `PublishError` and `KubeError`."""
        digest, pointer, _ = self._put
        if digest == bundle.digest and not anew:
            return pointer
        inline = pack(bundle) if len(bundle.content) <= _TRIED_BYTES else None
        if inline is not None and len(inline["definitions"]) <= INLINE_BYTES:
            self._put = bundle.digest, inline, None
            return inline
        pieces = await asyncio.to_thread(sharded, bundle)
        try:
            await self._write(pieces)
        except TooLargeError as error:
            raise PublishError(Reason.TOO_LARGE, str(error)) from None
        self._put = bundle.digest, pieces.pointer, pieces
        return pieces.pointer

    async def settled(self) -> int:
        """Every replica holds what was put last: throw away what neither that nor what they held before
        needs. Returns how many objects. Raises `KubeError`."""
        digest, _, pieces = self._put
        if digest == self._collected:
            return 0
        needed = frozenset(map(published.object_name, pieces.names() if pieces else ()))
        self._good = self._good[1], needed
        unneeded = (await self._there()).keys() - self._good[0] - self._good[1]
        await asyncio.gather(*(self._delete(name) for name in unneeded))
        self._collected = digest
        return len(unneeded)

    async def _write(self, pieces: Sharded) -> None:
        """The shards, then the index."""
        there = await self._there()
        await asyncio.gather(*(self._ensure(shard, there) for shard in pieces.shards))
        await self._ensure(pieces.index, there)

    async def _there(self) -> dict[str, str]:
        """Every piece's object, with its resource version."""
        found, _ = await self._api.list(self._path, published.LABEL, metadata_only=True)
        return {item["metadata"]["name"]: item["metadata"]["resourceVersion"] for item in found}

    async def _ensure(self, piece: Piece, there: Mapping[str, str]) -> None:
        """Have an object that holds the piece. What stands in its place and does not is replaced."""
        name = published.object_name(piece.name)
        async with self._gate:
            version = there.get(name)
            if version is not None and self._sound.get(name) == version:
                return
            if version is not None and await self._holds(piece):
                self._sound[name] = version
                return
            if version is not None:
                log.warning("ConfigMap %s does not hold what its name says; it is written anew", name)
                await self._api.delete(self._path, name)
            await self._create(name, piece)

    async def _create(self, name: str, piece: Piece) -> None:
        try:
            made = await self._api.create(self._path, published.config_map(piece))
        except KubeError as error:
            # Another controller was faster, or somebody took the label off.
            if error.status != _EXISTS or not await self._holds(piece):
                raise
        else:
            self._sound[name] = made["metadata"]["resourceVersion"]

    async def _holds(self, piece: Piece) -> bool:
        try:
            return await published.content(self._api, piece.name) == piece.content
        except DamagedError:
            return False

    async def _delete(self, name: str) -> None:
        async with self._gate:
            self._sound.pop(name, None)
            try:
                await self._api.delete(self._path, name)
            except KubeError as error:
                if error.status != _NOT_FOUND:
                    raise
