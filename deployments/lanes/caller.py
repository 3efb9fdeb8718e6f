"""The caller stage in process: one attempt, on the lane that the endpoint asks for.

Bound into the router's process (topology `fused`) or wrapped by a deployment (`litellm_caller.py`).
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import replace
from typing import TypeVar

from deployments.lanes.adapter import AdapterLane
from deployments.lanes.batching import EmbeddingBatcher
from deployments.lanes.forward import ForwardLane
from deployments.lanes.full import FullLane
from deployments.lanes.native import APIS, NativeLane
from deployments.lanes.redaction import concealed
from deployments.lanes.upstream import Upstream
from deployments.lanes.wire import WireLane
from deployments.secrets.places import secrets_of
from voyager_llm.domain.completion import Answer, Call, StreamEnd
from voyager_llm.domain.endpoint import Endpoint
from voyager_llm.domain.judgement import judge
from voyager_llm.domain.operation import FURTHER, Operation
from voyager_llm.domain.providers import Lane
from voyager_llm.errors import VoyagerError
from voyager_llm.settings import Settings

T = TypeVar("T")

_PROBE_SECONDS = 5.0


LaneOf = WireLane | AdapterLane | NativeLane | ForwardLane | FullLane


async def _concealing(attempt: Callable[[str], Awaitable[T]], key: str) -> T:
    """An attempt with ``key``, which stands in none of its errors."""
    try:
        return await attempt(key)
    except VoyagerError as error:
        raise concealed(error, key) from None


class ProviderCaller:
    """`Caller` over the lanes."""

    def __init__(self, settings: Settings) -> None:
        self._secrets = secrets_of(settings)
        self._upstream = Upstream(settings)
        self._wire = WireLane(self._upstream)
        self._adapter = AdapterLane(self._upstream)
        self._native = NativeLane(self._upstream)
        self._forward = ForwardLane(self._upstream)
        self._full = FullLane(self._upstream)
        wait_s = settings.embedding_batch_wait_s
        self._batcher = EmbeddingBatcher(self._alone, wait_s) if wait_s else None

    async def close(self) -> None:
        await self._upstream.close()

    async def call(self, call: Call) -> Answer:
        if self._batcher is not None and call.operation is Operation.EMBEDDINGS:
            return await self._batcher.call(call)
        return await self._alone(call)

    async def _alone(self, call: Call) -> Answer:
        lane = self._lane(call)
        return await self._with_key(call.endpoint, lambda key: lane.call(call, key))

    async def stream(self, call: Call) -> AsyncGenerator[bytes | StreamEnd]:
        lane = self._lane(call)
        key = await self._key(call.endpoint)
        while True:  # each try has a newer key
            try:
                async with aclosing(lane.stream(call, key)) as blocks:
                    async for block in blocks:
                        if isinstance(block, StreamEnd) and block.error is not None:
                            block = replace(block, error=concealed(block.error, key))  # noqa: PLW2901
                        yield block
                return
            except VoyagerError as error:  # from before the first block
                newer = await self._newer(call.endpoint, key, error)
                if newer is None:
                    raise concealed(error, key) from None
                key = newer

    async def probe(self, endpoint: Endpoint) -> None:
        await self._with_key(endpoint, lambda key: self._probe(endpoint, key))

    async def _with_key(self, endpoint: Endpoint, attempt: Callable[[str], Awaitable[T]]) -> T:
        """Attempt with the endpoint's key, and once more where that has been replaced meanwhile."""
        key = await self._key(endpoint)
        try:
            return await _concealing(attempt, key)
        except VoyagerError as error:
            newer = await self._newer(endpoint, key, error)
            if newer is None:
                raise
            return await _concealing(attempt, newer)

    async def _probe(self, endpoint: Endpoint, key: str) -> None:
        if endpoint.lane is Lane.WIRE:
            await self._wire.probe(endpoint, key, _PROBE_SECONDS)
        elif endpoint.lane is Lane.ADAPTER:
            await self._adapter.probe(endpoint, _PROBE_SECONDS)
        # The full lane has no free question to ask; its health comes from traffic alone.

    def _lane(self, call: Call) -> LaneOf:
        if call.operation in APIS:
            return self._native
        if call.operation in FURTHER:
            return self._forward if call.endpoint.speaks(call.operation) else self._full
        lane = call.endpoint.lane
        if lane is Lane.WIRE:
            return self._wire
        translated = lane is Lane.ADAPTER and call.operation is Operation.CHAT
        if translated and (not call.stream or self._adapter.can_stream(call.endpoint)):
            return self._adapter
        return self._full

    async def _key(self, endpoint: Endpoint) -> str:
        return await self._secrets.get(endpoint.secret) if endpoint.secret is not None else ""

    async def _newer(self, endpoint: Endpoint, used: str, error: VoyagerError) -> str | None:
        """The key that has replaced the one which the provider refused; None: it is not that, or it has not
        been replaced.

        Of several calls that are refused together, each asks for the key that it used itself."""
        if endpoint.secret is None or not judge(error).renews_key:
            return None
        return await self._secrets.newer(endpoint.secret, used)
