"""The caller stage as a deployment. In process it is `caller.py`; its handle is in `handles.py`.

A stream crosses the border in blocks: the first at once, so that the time to the first token does not
suffer, then whatever came within a few milliseconds, since a hop costs as much as eight requests.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator
from contextlib import aclosing

from deployments.caller import ProviderCaller
from deployments.collector import relax_collector
from deployments.listening import listen_on
from deployments.results import as_value
from voyager_llm.domain.completion import Answer, Call, StreamEnd
from voyager_llm.domain.endpoint import Endpoint
from voyager_llm.errors import VoyagerError, public
from voyager_llm.settings import settings

COALESCE_SECONDS = 0.025

log = logging.getLogger(__name__)


class LiteLLMCaller:
    """The deployment; wrapped in `serve_app/app.py`."""

    def __init__(self) -> None:
        listen_on(settings().replica_host)
        relax_collector()
        self._caller = ProviderCaller(settings())

    async def call(self, call: Call) -> Answer | VoyagerError:
        return await as_value(self._caller.call(call))

    async def stream(self, call: Call) -> AsyncGenerator[bytes | StreamEnd]:
        """Blocks and one `StreamEnd`, which also carries an error from before the first block."""
        try:
            async with aclosing(self._caller.stream(call)) as blocks:
                async for block in coalesced(blocks, COALESCE_SECONDS):
                    yield block
        except VoyagerError as error:
            yield StreamEnd(None, error.with_traceback(None))
        except Exception as error:  # a fault of ours, which must not look like the end of this process
            log.exception("a stream failed")
            yield StreamEnd(None, public(error))

    async def ping(self) -> None:
        """Answers routers that ask whether a caller is there (`readiness.py`)."""

    async def probe(self, endpoint: Endpoint) -> VoyagerError | None:
        return await as_value(self._caller.probe(endpoint))


async def coalesced(
    blocks: AsyncGenerator[bytes | StreamEnd], pause_s: float
) -> AsyncGenerator[bytes | StreamEnd]:
    """The first block at once, later ones joined over ``pause_s`` seconds. Events stay whole."""
    first = await anext(blocks, StreamEnd())
    yield first
    if isinstance(first, StreamEnd):
        return
    inbox = _Inbox(blocks)
    gathering = asyncio.create_task(inbox.gather())
    try:
        while inbox.end is None or inbox.pending:
            if block := await inbox.take(pause_s):
                yield block
        yield inbox.end
    finally:
        gathering.cancel()


class _Inbox:
    """Blocks that have come but were not sent on yet."""

    def __init__(self, blocks: AsyncGenerator[bytes | StreamEnd]) -> None:
        self._blocks = blocks
        self._news = asyncio.Event()
        self.pending: list[bytes] = []
        self.end: StreamEnd | None = None

    async def gather(self) -> None:
        end = StreamEnd()
        try:
            async for block in self._blocks:
                if isinstance(block, StreamEnd):
                    end = block
                    break
                self.pending.append(block)
                self._news.set()
        except Exception as error:
            end = StreamEnd(None, public(error))
        self.end = end
        self._news.set()

    async def take(self, pause_s: float) -> bytes:
        """What is pending, after a pause that lets more of it come."""
        await self._news.wait()
        if self.end is None:
            await asyncio.sleep(pause_s)
            self._news.clear()
        block = b"".join(self.pending)
        self.pending.clear()
        return block
