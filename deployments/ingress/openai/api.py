"""The OpenAI-compatible paths. Used by `ingress/http.py`."""

from __future__ import annotations

from typing import Any

import orjson

from deployments.ingress.asgi import (
    Header,
    HttpRequest,
    Send,
    end_events,
    respond,
    segment,
    send_block,
    start_events,
)
from deployments.ingress.context import told_by_openai
from deployments.ingress.openai.decode import decode
from deployments.ingress.status import limit_headers, openai_body, trace_headers
from deployments.lanes.sse import DONE, frame
from deployments.request.exchange import Exchange
from deployments.request.limits import Limits
from deployments.request.pipeline import Pipeline
from voyager_llm.domain.completion import Account
from voyager_llm.domain.operation import Operation
from voyager_llm.domain.request import RequestContext
from voyager_llm.errors import NotFound, VoyagerError
from voyager_llm.snapshot import SnapshotCell

OPERATIONS = {
    "/v1/chat/completions": Operation.CHAT,
    "/v1/completions": Operation.TEXT,
    "/v1/embeddings": Operation.EMBEDDINGS,
}


class OpenAIApi:
    """Answers OpenAI's requests through the pipeline."""

    def __init__(self, pipeline: Pipeline, snapshots: SnapshotCell, limits: Limits) -> None:
        self._pipeline = pipeline
        self._snapshots = snapshots
        self._limits = limits

    async def complete(
        self, request: HttpRequest, operation: Operation, ctx: RequestContext, send: Send
    ) -> None:
        decoded = decode(request, operation)
        ctx = told_by_openai(ctx, decoded.body)
        exchange = await self._pipeline.open(ctx, decoded)
        if decoded.stream:
            await self._stream(exchange, ctx, send)
            return
        async with exchange:
            completion = await exchange.read()
        limits = limit_headers(self._limits.of(completion.account.model))
        await respond(send, 200, completion.body, _headers(ctx, completion.account) + limits)

    async def _stream(self, exchange: Exchange, ctx: RequestContext, send: Send) -> None:
        async with exchange:
            named = [*trace_headers(ctx.trace.id), (b"x-voyager-model", exchange.model.encode())]
            await start_events(send, named + limit_headers(self._limits.of(exchange.model)))
            try:
                async for block in exchange:
                    await send_block(send, block)
                await send_block(send, DONE)
            except VoyagerError as error:
                # What its attempts showed is known once it is closed.
                await exchange.aclose()
                await send_block(send, frame(openai_body(error, ctx.trace.id)))
            await end_events(send)

    def list_models(self) -> bytes:
        """Models, routes and prompts: whatever `model` may name."""
        config = self._snapshots.current
        entries = [_entry(name, model.definition.provider) for name, model in config.models.items()]
        entries += [_entry(name, "route") for name in config.routes]
        entries += [_entry(f"prompt:{name}", "prompt") for name in config.prompts]
        return orjson.dumps({"object": "list", "data": sorted(entries, key=lambda e: e["id"])})

    def get_model(self, path: str) -> bytes:
        """Raises `NotFound`."""
        name = segment(path.removeprefix("/v1/models/"))
        config = self._snapshots.current
        if name in config.models:
            return orjson.dumps(_entry(name, config.models[name].definition.provider))
        if name in config.routes:
            return orjson.dumps(_entry(name, "route"))
        if name.removeprefix("prompt:") in config.prompts and name.startswith("prompt:"):
            return orjson.dumps(_entry(name, "prompt"))
        raise NotFound(f"no model or route is named {name!r}", "model")


def _entry(name: str, owner: str) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": 0, "owned_by": owner}


def _headers(ctx: RequestContext, account: Account) -> list[Header]:
    return [
        (b"x-voyager-model", account.model.encode()),
        (b"x-voyager-attempts", str(len(account.attempts)).encode()),
        (b"x-voyager-cost", format(account.cost, "f").encode()),
        *trace_headers(ctx.trace.id),
    ]
