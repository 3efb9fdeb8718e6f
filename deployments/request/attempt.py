"""One attempt: a call to one endpoint, whole or streamed, and all that it holds while it lasts.

To open it reserves the model's limits, sends the call and waits for the whole answer or the first block of a
stream; to close it gives everything back once, however it ended, and says what the attempt showed: to the
endpoint's health, to the limits, to the walk. Opened by `attempts.py`, read and closed by `exchange.py`.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass, replace

from deployments.request.demand import Demand, written_tokens
from deployments.request.quotas import Quotas, Reservation
from deployments.request.routing import Option
from deployments.request.walk import Walk
from voyager_llm.clock import Clock
from voyager_llm.domain.completion import JSON, Call, Reason, StreamEnd, Tried
from voyager_llm.domain.health import Trial
from voyager_llm.domain.judgement import hold_against
from voyager_llm.domain.operation import WRITING
from voyager_llm.domain.patience import patience_s
from voyager_llm.domain.usage import Usage
from voyager_llm.errors import (
    Cancelled,
    DeadlineExceeded,
    StreamInterrupted,
    Unavailable,
    UpstreamInvalid,
    UpstreamTimeout,
    VoyagerError,
    public,
)
from voyager_llm.ports import Caller

log = logging.getLogger(__name__)

# Builds the call of an option; the argument is the seconds until its answer, or until its stream begins.
MakeCall = Callable[[Option, float], Call]
# Output tokens that a whole answer may well have, where nobody says.
_USUAL_OUTPUT_TOKENS = 256


@dataclass(frozen=True, slots=True)
class Line:
    """What the attempts of one replica share."""

    caller: Caller
    quotas: Quotas
    clock: Clock


@dataclass(frozen=True, slots=True)
class Wanted:
    """What every attempt of one request is for. ``counted`` counts the demand once; ``stream``: the answer
    comes in blocks."""

    make: MakeCall
    counted: Callable[[], Demand]
    stream: bool

    @property
    def demand(self) -> Demand:
        """Counted when it is first needed: by a limit, or by an answer without a report."""
        return self.counted()

    @property
    def silent_tokens(self) -> int:
        """Tokens that are written before anything is said."""
        return 0 if self.stream else self.demand.output_tokens or _USUAL_OUTPUT_TOKENS


class Attempt:
    """Open once, close once. ``first`` is the whole answer or the first block of a stream."""

    __slots__ = (
        "_allowance_s", "_blocks", "_charged", "_closed", "_events", "_fault", "_held", "_line",
        "_patience_s", "_reason", "_started", "_total_s", "_trials", "_usage", "_walk", "_wanted",
        "content_type", "first", "first_s", "option",
    )  # fmt: skip

    def __init__(self, line: Line, walk: Walk, option: Option, wanted: Wanted, reason: Reason) -> None:
        self._line = line
        self._walk = walk
        self._wanted = wanted
        self._reason = reason
        self._held: Reservation | None = None
        self._trials: list[Trial] | None = None
        self._total_s = math.inf
        self._blocks: AsyncGenerator[bytes | StreamEnd] | None = None
        self._fault: VoyagerError | None = None
        self._usage: Usage | None = None
        self._charged: Usage | None = None
        # Of a stream; one carries about one token.
        self._events = 0
        self._closed = False
        self.option = option
        self.first = b""
        # Of a whole answer.
        self.content_type = JSON
        # Seconds until the answer or the first block.
        self.first_s = 0.0

    async def open(self) -> None:
        """Raises the `VoyagerError` that the attempt showed; it is closed then."""
        self._started = now = self._line.clock()
        tokens = self._wanted.silent_tokens
        usual = self.option.health.usual_s(now, stream=self._wanted.stream)
        self._patience_s = patience_s(usual, tokens)
        try:
            self._allowance_s = self._walk.allowance_s(usual, tokens)
            await self._reserve()
            await (self._begin() if self._wanted.stream else self._call())
        except BaseException as error:
            fault = self._as_fault(error)
            await self._close(fault)
            if fault is None or fault is error:
                raise
            raise fault from None

    async def aclose(self) -> None:
        """Over, at its end or before. May be called again."""
        if not self._closed:
            await self._close(self._fault)

    @property
    def fault(self) -> VoyagerError | None:
        """What ended the answer early, as far as it has been read."""
        return self._fault

    def charge(self, usage: Usage) -> None:
        """Account for what the answer tells of; the model's limits have nothing to do with that."""
        self._charged = usage

    def used(self) -> Usage:
        """What the answer used so far: as its provider reported, else counted."""
        return self._charged or self._told()

    def _told(self) -> Usage:
        if self._usage is not None:
            return self._usage
        tokens = self._events if self._wanted.stream else written_tokens(self.first)
        return self._wanted.demand.used(tokens)

    def _tokens_in(self, block: bytes) -> int:
        """About how many tokens of text a block carries."""
        return block.count(b"\n\n") if self.option.operation in WRITING else 0

    async def next(self) -> bytes | None:
        """The next block of the stream after the first; None at its end. Raises what ended it early."""
        if self._blocks is None:
            return None
        try:
            item = await anext(self._blocks)
        except StopAsyncIteration:
            item = StreamEnd(None, UpstreamInvalid("the provider's stream has no end"))
        except Exception as error:
            item = StreamEnd(None, _known(error))
        if not isinstance(item, StreamEnd):
            self._events += self._tokens_in(item)
            return item
        self._usage = item.usage
        if item.error is not None and item.usage is not None:
            # What was reported before the end, such as the prompt's tokens, and what has been said since.
            said = max(item.usage.output_tokens, self._events)
            self._usage = replace(item.usage, output_tokens=said, estimated=True)
        self._fault = None if item.error is None else self._timely(item.error)
        if self._fault is not None:
            raise self._fault
        return None

    async def _reserve(self) -> None:
        model = self.option.model
        if not model.is_limited:
            return
        demand = self._wanted.demand
        self._held = self._line.quotas.at_once(model, demand)
        if self._held is None:
            async with asyncio.timeout(self._allowance_s):
                self._held = await self._line.quotas.reserve(model, demand)

    async def _call(self) -> None:
        answer = await self._line.caller.call(self._sent())
        self.first = answer.body
        self.content_type = answer.content_type
        self._usage = answer.usage
        self._answered()

    async def _begin(self) -> None:
        call = self._sent()
        self._blocks = self._line.caller.stream(call)
        async with asyncio.timeout(call.timeout_s):
            first = await anext(self._blocks)
        if isinstance(first, StreamEnd):
            raise first.error or UpstreamInvalid("the provider's stream holds nothing")
        self.first = first
        self._events = self._tokens_in(first)
        # Until the provider says how it ended, it ended because the client went away.
        self._fault = Cancelled("the client closed the connection")
        self._answered()

    def _sent(self) -> Call:
        """The call, with the time that is left for it; from now on it counts as one."""
        now = self._line.clock()
        self._trials = self.option.health.start(now)
        call = self._wanted.make(self.option, self._allowance_s - (now - self._started))
        self._total_s = call.total_timeout_s
        return call

    def _answered(self) -> None:
        now = self._line.clock()
        self.first_s = now - self._started
        self.option.health.began(now, self.first_s, stream=self._wanted.stream)
        self._walk.answered(self.option.health)

    async def _close(self, fault: VoyagerError | None) -> None:
        """Give everything back, once; what needs no waiting first, so that no cancellation can keep it."""
        if self._closed:
            return
        self._closed = True
        try:
            self._settle(fault)
        finally:
            blocks, self._blocks = self._blocks, None
            if blocks is not None:
                await blocks.aclose()

    def _settle(self, fault: VoyagerError | None) -> None:
        health = self.option.health
        now = self._line.clock()
        answered = bool(self.first)
        if self._held is not None:
            self._held.settle(self._owed(fault))
        if self._trials is None:
            return  # nothing was sent
        health.release(self._trials)
        if fault is None and not answered:
            fault = Cancelled("the client went away")
        if fault is None:
            health.succeeded(now)
        elif not self._is_hasty(fault) and hold_against(health, fault, now):
            self._walk.accuse(health, fault.retry_after_s)
        outcome, message = ("ok", "") if fault is None else (fault.code, fault.message)
        model, endpoint = self.option.model.name, self.option.endpoint.key
        self._walk.tried.append(Tried(model, endpoint, self._reason, outcome, message, now - self._started))

    def _owed(self, fault: VoyagerError | None) -> Usage:
        """What counts against the limits: nothing where the call failed, the prompt where the client left."""
        failed = self._trials is None or (fault is not None and not self.first)
        return Usage() if failed else self._told()

    def _is_hasty(self, fault: VoyagerError) -> bool:
        """Whether the endpoint had less time than it may well need."""
        return isinstance(fault, UpstreamTimeout) and self._allowance_s < self._patience_s

    def _timely(self, fault: VoyagerError) -> VoyagerError:
        """A stream that ran into a limit of its time was not broken off by the provider."""
        if not isinstance(fault, (StreamInterrupted, UpstreamTimeout)):
            return fault
        if self._walk.remaining_s() <= 0:
            return DeadlineExceeded("the request's deadline has passed")
        if self._line.clock() - self._started >= self._total_s:
            return DeadlineExceeded(f"the stream took longer than {self._total_s:.3g} s")
        return fault

    def _as_fault(self, error: BaseException) -> VoyagerError | None:
        """What an exception says of the attempt; None: the client went away."""
        if isinstance(error, VoyagerError):
            return error
        if isinstance(error, TimeoutError):
            if self._trials is None:
                return Unavailable("the model's rate limit could not be read in time", "", 1.0)
            return UpstreamTimeout(f"the provider did not begin to answer within {self._allowance_s:.3g} s")
        if isinstance(error, StopAsyncIteration):
            return UpstreamInvalid("the provider's stream holds nothing")
        return _known(error) if isinstance(error, Exception) else None


def _known(error: Exception) -> VoyagerError:
    """An error of ours; any other is logged, and stands for a fault of ours."""
    fault = public(error)
    if fault is not error:
        log.error("an attempt failed for a reason that is no error of ours", exc_info=error)
    return fault
