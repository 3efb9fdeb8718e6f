"""The OpenAI-compatible paths. Used by `ingress/http.py`."""

from __future__ import annotations

from typing import Any

import orjson

from deployments.ingress.answering import Streams, headers_of
from deployments.ingress.asgi import HttpRequest, Send, respond
from deployments.ingress.context import told_by_openai
from deployments.ingress.events import EventStream
from deployments.ingress.openai.decode import decode
from deployments.ingress.status import limit_headers, openai_body
from deployments.lanes.sse import DONE, frame
from deployments.request.exchange import Exchange
from deployments.request.limits import Limits
from deployments.request.pipeline import Pipeline
from voyager_llm.domain.alias import PROMPT_PREFIX
from voyager_llm.domain.completion import CompletionRequest
from voyager_llm.domain.operation import Operation
from voyager_llm.domain.request import RequestContext
from voyager_llm.domain.route import RouteDefinition
from voyager_llm.snapshot import CompiledModel, SnapshotCell


class OpenAIApi:
    """Answers OpenAI's requests through the pipeline."""

    def __init__(
        self, pipeline: Pipeline, snapshots: SnapshotCell, limits: Limits, keep_alive_s: float
    ) -> None:
        self._pipeline = pipeline
        self._snapshots = snapshots
        self._limits = limits
        self._streams = Streams(pipeline, limits, limit_headers, keep_alive_s)

    async def complete(
        self, request: HttpRequest, operation: Operation, destination: str, ctx: RequestContext, send: Send
    ) -> None:
        """``destination``: the model or route that the path names; empty: the body names it."""
        decoded = decode(request, operation, destination)
        ctx = told_by_openai(ctx, decoded.body)
        if decoded.stream:
            await self._streams.answer(
                decoded, ctx, send, _tell, lambda error: frame(openai_body(error, ctx.trace.id))
            )
        else:
            await self._whole(decoded, ctx, send)

    async def _whole(self, request: CompletionRequest, ctx: RequestContext, send: Send) -> None:
        completion = await self._pipeline.complete(ctx, request)
        limits = limit_headers(self._limits.of(completion.account.model))
        await respond(send, 200, completion.body, headers_of(ctx, completion.account) + limits)

    def list_models(self) -> bytes:
        """Models, routes and prompts, by names and aliases: whatever `model` may name."""
        config = self._snapshots.current
        called = {*config.models, *config.routes, *config.aliases}
        prompts = {*config.prompts, *config.prompt_aliases}
        entries = [_entry(name, found) for name in called if (found := config.find(name))]
        entries += [_entry(f"{PROMPT_PREFIX}{name}", None) for name in prompts]
        return orjson.dumps({"object": "list", "data": sorted(entries, key=lambda e: e["id"])})

    def get_model(self, asked: str) -> bytes:
        """What a name or alias stands for. Raises `NotFound`."""
        config = self._snapshots.current
        if asked.startswith(PROMPT_PREFIX):
            config.prompt(asked.removeprefix(PROMPT_PREFIX))
            return orjson.dumps(_entry(asked, None))
        return orjson.dumps(_entry(asked, config.destination(asked)))


def _entry(name: str, found: CompiledModel | RouteDefinition | None) -> dict[str, Any]:
    """What OpenAI shows of a model; nothing found stands for a prompt."""
    if isinstance(found, CompiledModel):
        owner = found.definition.provider
    else:
        owner = "route" if found is not None else "prompt"
    return {"id": name, "object": "model", "created": 0, "owned_by": owner}


async def _tell(exchange: Exchange, events: EventStream) -> None:
    async for block in exchange:
        await events.send(block)
    await events.send(DONE)
