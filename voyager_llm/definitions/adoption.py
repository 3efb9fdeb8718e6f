"""Between two writers of one truth: what the cluster publishes, and what the API wrote a moment ago.

A write through the API is in the cluster before it is answered, but a publication that was compiled before
it may still be on its way, and must not undo it. So names written lately are spared, and looked at again
once every publication that could be older has arrived. Used by the config hub.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable

from voyager_llm.definitions.bundle import Bundle
from voyager_llm.definitions.catalog import Catalog
from voyager_llm.definitions.kube.client import KubeError
from voyager_llm.domain.definition import Kind
from voyager_llm.errors import VoyagerError

log = logging.getLogger(__name__)

# Longer than a publication takes from being compiled to arriving here.
GRACE_SECONDS = 30.0
_RETRY_SECONDS = 2.0

Read = Callable[[], Awaitable[Bundle]]


class Adoption:
    """Takes over publications, one at a time, until the last one is in force."""

    def __init__(
        self, catalog: Catalog, grace_s: float = GRACE_SECONDS, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._catalog = catalog
        self._grace_s = grace_s
        self._clock = clock
        self._written: dict[tuple[Kind, str], float] = {}
        self._read: Read | None = None
        # Why what was published last is not in force.
        self.problem = ""
        self._news = asyncio.Event()

    def wrote(self, kind: Kind, name: str) -> None:
        """The API changed a definition just now."""
        if self._read is not None:
            self._written[kind, name] = self._clock()
            self._news.set()

    def publish(self, read: Read) -> None:
        """The cluster's definitions are now what ``read`` returns. Where it raises, such as `ValueError` for
        what is damaged, it is asked again, and what was in force stays in force."""
        self._read = read
        self._news.set()

    async def run(self) -> None:
        """For ever; cancel to stop. A failure, such as a database that is away, is tried again."""
        while True:
            await self._news.wait()
            self._news.clear()
            try:
                pause = await self.step()
                self.problem = ""
            except Exception as error:
                pause = _RETRY_SECONDS
                self._failed(error)
            if pause:
                asyncio.get_running_loop().call_later(pause, self._news.set)

    async def step(self) -> float:
        """Take over what was published last. Seconds after which to look again; 0: never."""
        now = self._clock()
        self._written = {key: at for key, at in self._written.items() if now - at < self._grace_s}
        if self._read is None:
            return 0.0
        # As if the API had written them just now: this publication may not know of them.
        self._written.update(dict.fromkeys(await self._catalog.settle(), now))
        await self._catalog.adopt(await self._read(), self._written.keys())
        oldest = min(self._written.values(), default=None)
        return 0.0 if oldest is None else max(0.1, oldest + self._grace_s - now)

    def _failed(self, error: Exception) -> None:
        """Keep the reason; the log has it once, not with every try."""
        told = str(error) or type(error).__name__
        if told != self.problem:
            unforeseen = not isinstance(error, (ValueError, KubeError, VoyagerError))
            log.error("a publication is not taken over, the last one stays: %s", told, exc_info=unforeseen)
        self.problem = told
