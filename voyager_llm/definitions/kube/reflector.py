"""All objects of one kind as the API server has them, kept by LIST and WATCH. Reads cost the server nothing.

The pattern of client-go's Reflector: go on from the last version seen, LIST again when the server has
forgotten it. Used by the Kubernetes store.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from voyager_llm.definitions.kube.client import KubeApi, KubeError, Object, Path
from voyager_llm.domain.retry import backoff_s

log = logging.getLogger(__name__)

_BACKOFF_S = (0.5, 30.0)
_GONE = 410
_FORBIDDEN = frozenset({401, 403})


class Reflector:
    """``objects``, by name, is what was seen last; it stays when the server goes away."""

    def __init__(self, api: KubeApi, path: Path) -> None:
        self.objects: dict[str, Object] = {}
        # Rises with every change of `objects`.
        self.changes = 0
        self._api = api
        self._path = path
        # Where to go on; empty: LIST first.
        self._version = ""
        self._listed = asyncio.Event()
        self._news = asyncio.Condition()
        # In a row; what sets them back is that something came.
        self._failures = 0

    async def run(self) -> None:
        """For ever; cancel to stop."""
        while True:
            try:
                if not self._version:
                    await self._list()
                await self._watch()
            except KubeError as error:
                if error.status == _GONE:
                    self._version = ""
                else:
                    level = logging.WARNING if error.status in _FORBIDDEN else logging.INFO
                    log.log(level, "watching %s: %s", self._path.plural, error)
            except Exception:
                # Whatever the server sent: a watch that ended in silence would show old objects for ever.
                log.exception("watching %s", self._path.plural)
                self._version = ""
            else:
                continue
            await asyncio.sleep(backoff_s(self._failures, *_BACKOFF_S))
            self._failures += 1

    async def listed(self, seconds: float) -> bool:
        """Whether the objects are known; waits for that."""
        if self._listed.is_set():
            return True
        try:
            async with asyncio.timeout(seconds):
                await self._listed.wait()
        except TimeoutError:
            return False
        return True

    async def until(self, holds: Callable[[], bool], seconds: float) -> bool:
        """Wait until something holds of the objects. Whether it did in time."""
        try:
            async with asyncio.timeout(seconds), self._news:
                await self._news.wait_for(holds)
        except TimeoutError:
            return False
        return True

    async def _list(self) -> None:
        found, self._version = await self._api.list(self._path)
        self.objects = {item["metadata"]["name"]: item for item in found}
        self._listed.set()
        await self._changed()

    async def _watch(self) -> None:
        async for what, found in self._api.watch(self._path, self._version):
            metadata = found["metadata"]
            self._version = metadata["resourceVersion"]
            self._failures = 0
            if what == "BOOKMARK":
                continue
            if what == "DELETED":
                self.objects.pop(metadata["name"], None)
            else:
                self.objects[metadata["name"]] = found
            await self._changed()

    async def _changed(self) -> None:
        self.changes += 1
        async with self._news:
            self._news.notify_all()
