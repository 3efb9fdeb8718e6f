"""Answers of what is no text: whole, or as they come. Used by `further.py` and `files.py`."""

from __future__ import annotations

from deployments.ingress.answering import headers_of
from deployments.ingress.asgi import Send, end_events, respond, send_block
from deployments.ingress.status import openai_body, trace_headers
from deployments.lanes.forward import EVENTS
from deployments.request.exchange import Exchange
from voyager_llm.domain.request import RequestContext
from voyager_llm.errors import VoyagerError


async def whole(exchange: Exchange, ctx: RequestContext, send: Send, body: bytes | None = None) -> None:
    """Answer at once; with ``body`` instead of the provider's, where there is one."""
    async with exchange:
        completion = await exchange.read()
    kind = (b"content-type", completion.content_type.encode("latin-1", "replace"))
    answer = completion.body if body is None else body
    await respond(send, 200, answer, headers_of(ctx, completion.account), kind)


async def stream(exchange: Exchange, ctx: RequestContext, send: Send) -> None:
    """Answer as it comes: of the type that its first line says, without a length.

    A fault is told by an event; where there are none, the answer has no end, so that nobody takes a part for
    the whole."""
    async with exchange:
        kind, _, first = (await anext(exchange)).partition(b"\n")
        headers = [
            (b"content-type", kind),
            (b"cache-control", b"no-cache"),
            (b"x-accel-buffering", b"no"),
            (b"x-content-type-options", b"nosniff"),
            (b"x-voyager-model", exchange.model.encode()),
            *trace_headers(ctx.trace.id),
        ]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send_block(send, first)
        try:
            async for block in exchange:
                await send_block(send, block)
        except VoyagerError as error:
            await exchange.aclose()
            if not kind.startswith(EVENTS.encode()):
                return
            await send_block(send, b"event: error\ndata: " + openai_body(error, ctx.trace.id) + b"\n\n")
        await end_events(send)
