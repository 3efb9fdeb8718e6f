"""Anthropic's paths. Used by `ingress/http.py`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import orjson

from deployments.ingress.answering import Streams, headers_of
from deployments.ingress.anthropic import models
from deployments.ingress.anthropic.decode import decode
from deployments.ingress.anthropic.events import MessageEvents
from deployments.ingress.anthropic.message import message
from deployments.ingress.asgi import Header, HttpRequest, Send, respond
from deployments.ingress.context import told_by_anthropic
from deployments.ingress.events import EventStream
from deployments.ingress.status import (
    anthropic_body,
    anthropic_limit_headers,
    limit_headers,
    trace_headers,
)
from deployments.request.demand import demand
from deployments.request.exchange import Exchange
from deployments.request.limits import Limits
from deployments.request.pipeline import Pipeline
from voyager_llm.domain.completion import CompletionRequest
from voyager_llm.domain.operation import Operation
from voyager_llm.domain.request import RequestContext
from voyager_llm.errors import InvalidArgument, Standing, UpstreamUnsupported, VoyagerError
from voyager_llm.snapshot import CompiledModel, SnapshotCell

OPERATIONS = frozenset({Operation.MESSAGES, Operation.COUNT_TOKENS})
# Who has counted a prompt's tokens: its provider, or we by a rule of thumb.
_COUNTED = b"x-voyager-counted-by"
_CHARS_PER_TOKEN = 4


class AnthropicApi:
    """Answers Anthropic's requests through the pipeline."""

    def __init__(
        self, pipeline: Pipeline, snapshots: SnapshotCell, limits: Limits, keep_alive_s: float
    ) -> None:
        self._pipeline = pipeline
        self._snapshots = snapshots
        self._limits = limits
        self._streams = Streams(pipeline, limits, _limit_headers, keep_alive_s)

    async def serve(
        self, request: HttpRequest, operation: Operation, ctx: RequestContext, send: Send
    ) -> None:
        asked = decode(request, operation)
        ctx = told_by_anthropic(ctx, asked.metadata)
        if operation is Operation.COUNT_TOKENS:
            await self._count(asked.request, ctx, send)
        elif asked.request.stream:
            await self._streams.answer(
                asked.request, ctx, send, _tell, lambda error: _error(error, ctx.trace.id)
            )
        else:
            await self._whole(asked.request, ctx, send)

    async def _whole(self, request: CompletionRequest, ctx: RequestContext, send: Send) -> None:
        done = await self._pipeline.complete(ctx, request)
        is_native = done.operation is Operation.MESSAGES
        body = done.body if is_native else message(done.body, done.account)
        limits = _limit_headers(self._limits.of(done.account.model))
        await respond(send, 200, body, headers_of(ctx, done.account) + limits)

    async def _count(self, request: CompletionRequest, ctx: RequestContext, send: Send) -> None:
        """By the provider, where one of those that would answer counts its own prompts."""
        if any(_counts(model) for model in self._models(request.destination)):
            elsewhere = InvalidArgument("names no model that counts tokens itself", "model")
            try:
                done = await self._pipeline.complete(ctx, replace(request, obstacle=lambda: elsewhere))
            except UpstreamUnsupported:
                pass  # an endpoint that speaks Anthropic's protocol, and not all of it
            else:
                await respond(send, 200, done.body, [*headers_of(ctx, done.account), (_COUNTED, b"provider")])
                return
        body = orjson.dumps({"input_tokens": _estimate(request)})
        await respond(send, 200, body, [*trace_headers(ctx.trace.id), (_COUNTED, b"estimate")])

    def _models(self, destination: str) -> list[CompiledModel]:
        """What a destination may be answered by. Raises `NotFound`."""
        config = self._snapshots.current
        found = config.destination(destination)
        if isinstance(found, CompiledModel):
            return [found]
        return list(config.known(target.model for target in found.targets))

    def list_models(self, query: str) -> bytes:
        """Raises `InvalidArgument`."""
        return models.list_models(self._snapshots.current, query)

    def get_model(self, name: str) -> bytes:
        """Raises `NotFound`."""
        return models.show_model(self._snapshots.current, name)


async def _tell(exchange: Exchange, events: EventStream) -> None:
    """The stream in Anthropic's words. Raises what ended it early."""
    if exchange.operation is Operation.MESSAGES:
        async for block in exchange:
            await events.send(block)
        return
    messages = MessageEvents(exchange.model)
    async for block in exchange:
        if said := messages.take(block):
            await events.send(said)
    await events.send(messages.end(exchange.account.usage))


def _error(error: VoyagerError, trace_id: str) -> bytes:
    return b"event: error\ndata: " + anthropic_body(error, trace_id) + b"\n\n"


def _limit_headers(limits: Mapping[str, Standing]) -> list[Header]:
    return limit_headers(limits) + anthropic_limit_headers(limits)


def _counts(model: CompiledModel) -> bool:
    return any(endpoint.speaks(Operation.COUNT_TOKENS) for endpoint in model.endpoints)


def _estimate(request: CompletionRequest) -> int:
    """As for limits (`demand.py`), and definitions of tools by their length."""
    tools = request.body.get("tools")
    return demand(request).prompt_tokens + (len(orjson.dumps(tools)) // _CHARS_PER_TOKEN if tools else 0)
