"""`Caller` over the direct path, and over Serve's handle where that cannot take a call. For `stages.py`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

from deployments.hop import messages
from deployments.hop.channel import Channel, LostError, RejectedError, UnfitError
from deployments.hop.peers import Peers
from voyager_llm.domain.completion import Answer, Call, StreamEnd
from voyager_llm.domain.endpoint import Endpoint
from voyager_llm.errors import CallerLost, VoyagerError
from voyager_llm.ports import Caller

_GRACE_S = 0.5


def lost() -> CallerLost:
    return CallerLost("the process that called the provider was lost; try again", "", 1.0)


class DirectCaller:
    """A call goes to the replica with the fewest under way; to the next one where it is rejected; and to
    ``through_serve``, which queues it, refuses it or has replicas started, when none is left."""

    def __init__(self, peers: Peers, through_serve: Caller) -> None:
        self._peers = peers
        self._through_serve = through_serve

    async def call(self, call: Call) -> Answer:
        # The replica keeps the call's time itself, unless it hangs.
        try:
            async with asyncio.timeout(call.timeout_s + _GRACE_S):
                return await self._answered(call)
        except TimeoutError:
            raise lost() from None

    async def _answered(self, call: Call) -> Answer:
        tried: tuple[Channel, ...] = ()
        while (channel := self._peers.free(tried)) is not None:
            try:
                answer = await channel.answer(
                    call.endpoint, messages.pack_endpoint, *messages.pack_call(call)
                )
                return messages.read_answer(answer)
            except RejectedError:
                tried = (*tried, channel)
            except LostError:
                raise lost() from None
            except UnfitError:
                break
        self._peers.passed_on += 1
        return await self._through_serve.call(call)

    async def stream(self, call: Call) -> AsyncGenerator[bytes | StreamEnd]:
        tried: tuple[Channel, ...] = ()
        while (channel := self._peers.free(tried)) is not None:
            try:
                async with aclosing(_stream(channel, call)) as blocks:
                    async for block in blocks:
                        yield block
                return
            except RejectedError:
                tried = (*tried, channel)
            except UnfitError:
                break
        self._peers.passed_on += 1
        async with aclosing(self._through_serve.stream(call)) as blocks:
            async for block in blocks:
                yield block

    async def probe(self, endpoint: Endpoint) -> None:
        """Rare: over the handle."""
        await self._through_serve.probe(endpoint)


async def _stream(channel: Channel, call: Call) -> AsyncGenerator[bytes | StreamEnd]:
    """A stream over one channel. Raises `RejectedError` and `UnfitError`, and before the first block what the
    stage raises, and `CallerLost`."""
    inbox = channel.stream(call.endpoint, messages.pack_endpoint, *messages.pack_call(call))
    try:
        while not isinstance(block := await inbox.get(), StreamEnd):
            yield block
    except (LostError, VoyagerError) as failure:
        error = lost() if isinstance(failure, LostError) else failure
        if not inbox.began:
            raise error from None
        yield StreamEnd(None, error)
    else:
        if block.error is not None and not inbox.began:
            raise block.error
        yield block
    finally:
        inbox.close()
