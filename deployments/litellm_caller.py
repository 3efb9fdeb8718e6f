"""The caller stage as a deployment. In process it is `lanes/caller.py`; reached over `hop/` or a handle.

Over a handle a stream crosses the border in blocks: the first at once, so that the time to the first token
does not suffer, then whatever came within a few milliseconds, since each costs as much as eight requests
(`serving/coalesced.py`).
"""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

import ray

from deployments.hop.gate import Gate
from deployments.hop.server import Server
from deployments.hop.services import CallerService
from deployments.lanes.caller import ProviderCaller
from deployments.serving.coalesced import coalesced
from deployments.serving.process import prepare
from deployments.serving.results import as_value
from voyager_llm.domain.completion import Answer, Call, StreamEnd
from voyager_llm.domain.endpoint import Endpoint
from voyager_llm.errors import VoyagerError, public
from voyager_llm.settings import settings

COALESCE_SECONDS = 0.025

log = logging.getLogger(__name__)


class LiteLLMCaller:
    """The deployment; wrapped in `serve_app/app.py`. ``limit``: calls at a time, whichever way they come."""

    def __init__(self, limit: int) -> None:
        prepare()
        self._caller = ProviderCaller(settings())
        self._gate = Gate(limit)
        node, address = ray.get_runtime_context().get_node_id(), ray.util.get_node_ip_address()
        self._server = Server(CallerService(self._caller), self._gate, settings(), node, address)

    async def record_replica_metadata(self) -> dict[str, Any]:
        """Asked once by Serve, before it lists this replica: where routers reach it."""
        return (await self._server.start()).metadata()

    async def record_autoscaling_stats(self) -> dict[str, float]:
        """Asked by Serve now and then. In place of what Serve counts itself: calls over handles alone."""
        return {"running_requests": self._gate.ongoing}

    async def __del__(self) -> None:
        """Awaited by Serve when it stops this replica, after it has told the routers."""
        await self._server.drain()

    async def call(self, call: Call) -> Answer | VoyagerError:
        async with self._gate.turn():
            return await as_value(self._caller.call(call))

    async def stream(self, call: Call) -> AsyncGenerator[bytes | StreamEnd]:
        """Blocks and one `StreamEnd`, which also carries an error from before the first block."""
        try:
            async with self._gate.turn(), aclosing(self._caller.stream(call)) as blocks:
                async for block in coalesced(blocks, COALESCE_SECONDS):
                    yield block
        except VoyagerError as error:
            yield StreamEnd(None, error.with_traceback(None))
        except Exception as error:  # a fault of ours, which must not look like the end of this process
            log.exception("a stream failed")
            yield StreamEnd(None, public(error))

    async def ping(self) -> None:
        """Answers routers that ask whether a caller is there (`health/readiness.py`)."""

    async def probe(self, endpoint: Endpoint) -> VoyagerError | None:
        return await as_value(self._caller.probe(endpoint))
