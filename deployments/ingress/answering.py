"""What the answers of every API over HTTP have in common: what they say of themselves, how a stream begins
and ends. Used by the codecs.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from deployments.ingress.asgi import Header, Send
from deployments.ingress.events import EventStream
from deployments.ingress.failing import told
from deployments.ingress.status import trace_headers
from deployments.request.exchange import Exchange
from deployments.request.limits import Limits
from deployments.request.pipeline import Pipeline
from voyager_llm.domain.completion import Account, CompletionRequest
from voyager_llm.domain.request import RequestContext
from voyager_llm.errors import Standing, VoyagerError

# Sends an exchange's blocks in the words of an API. Raises what ended them early.
Tell = Callable[[Exchange, EventStream], Awaitable[None]]
# The event that tells an error.
Failed = Callable[[VoyagerError], bytes]
LimitHeaders = Callable[[Mapping[str, Standing]], list[Header]]


def headers_of(ctx: RequestContext, account: Account) -> list[Header]:
    """What a whole answer says of itself."""
    return [
        (b"x-voyager-model", account.model.encode()),
        (b"x-voyager-attempts", str(len(account.attempts)).encode()),
        (b"x-voyager-cost", format(account.cost, "f").encode()),
        *trace_headers(ctx.trace.id),
    ]


@dataclass(frozen=True, slots=True)
class Streams:
    """Streams of one API. ``limit_headers`` says in its words how limits stand."""

    pipeline: Pipeline
    limits: Limits
    limit_headers: LimitHeaders
    keep_alive_s: float

    async def answer(
        self, request: CompletionRequest, ctx: RequestContext, send: Send, tell: Tell, failed: Failed
    ) -> None:
        """Until the first block another endpoint may be tried, also where the client has heard from us by
        then; what fails after that is told in the stream. Raises while it has not."""
        named = trace_headers(ctx.trace.id)
        async with EventStream(send, named, self.keep_alive_s) as events:
            try:
                exchange = await self.pipeline.open(ctx, request)
            except Exception as error:
                if not events.has_begun:
                    raise
                await events.send(failed(told(error, ctx.trace.id)))
                await events.end()
                return
            async with exchange:
                model = (b"x-voyager-model", exchange.model.encode())
                limits = self.limit_headers(self.limits.of(exchange.model))
                await events.begin([*named, model, *limits])
                try:
                    await tell(exchange, events)
                except VoyagerError as error:
                    # What its attempts showed is known once it is closed.
                    await exchange.aclose()
                    await events.send(failed(error))
                await events.end()
