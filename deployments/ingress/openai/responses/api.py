"""The paths of OpenAI's Responses API. Used by `ingress/http.py`.

What is kept, and for how long: `docs/decisions/0025-stored-responses.md`.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from typing import Any

import orjson

from deployments.ingress.answering import Streams, headers_of
from deployments.ingress.asgi import HttpRequest, Send, respond
from deployments.ingress.context import told_by_openai
from deployments.ingress.events import EventStream
from deployments.ingress.openai.responses.items import Item
from deployments.ingress.openai.responses.keeper import Keeper
from deployments.ingress.openai.responses.native import NativeReply
from deployments.ingress.openai.responses.reply import Reply, Response, failure
from deployments.ingress.openai.responses.request import Asked, completion_request, read
from deployments.ingress.openai.responses.response import new_id
from deployments.ingress.openai.responses.stored import check_retrieval, conversation, page
from deployments.ingress.openai.responses.translated import TranslatedReply
from deployments.ingress.status import limit_headers, openai_body, trace_headers
from deployments.lanes.lenient import dumps
from deployments.request.demand import demand
from deployments.request.exchange import Exchange
from deployments.request.limits import Limits
from deployments.request.pipeline import Pipeline
from voyager_llm.domain.completion import CompletionRequest
from voyager_llm.domain.operation import Operation
from voyager_llm.domain.request import RequestContext
from voyager_llm.domain.stored_responses import Put, StoredResponse
from voyager_llm.errors import (
    InvalidArgument,
    NotFound,
    PreviousResponseNotFound,
    VoyagerError,
)
from voyager_llm.ports import ResponseStore

_CHARS_PER_TOKEN = 4


class ResponsesApi:
    """Answers through the pipeline, and keeps what is to be kept."""

    def __init__(self, pipeline: Pipeline, store: ResponseStore, limits: Limits, keep_alive_s: float) -> None:
        self._pipeline = pipeline
        self._store = store
        self._keeper = Keeper(store)
        self._limits = limits
        self._streams = Streams(pipeline, limits, limit_headers, keep_alive_s)

    async def serve(self, request: HttpRequest, below: str, ctx: RequestContext, send: Send) -> None:
        """Whatever stands at the API's path or ``below`` it."""
        if not below:
            await self._create(request, ctx, send)
            return
        name, _, what = below.partition("/")
        answered = await self._answered(request, name, what, ctx)
        await respond(send, 200, answered, trace_headers(ctx.trace.id))

    async def _answered(self, request: HttpRequest, name: str, what: str, ctx: RequestContext) -> bytes:
        match (request.method, name, what):
            case ("POST", "input_tokens", ""):
                return await self._counted(request, ctx)
            case ("GET", _, "") if name:
                check_retrieval(request.query)
                return (await self._stored(name, ctx)).body
            case ("GET", _, "input_items"):
                return page(await self._stored(name, ctx), request.query)
            case ("DELETE", _, "") if name:
                if not await self._store.delete_response(ctx.principal.subject, name):
                    raise _missing(name)
                return orjson.dumps({"id": name, "object": "response", "deleted": True})
            case ("POST", _, "cancel"):
                await self._stored(name, ctx)
                raise InvalidArgument("only responses in the background can be cancelled", "response_id")
            case _:
                raise NotFound(f"no such path; see /docs ({request.path[:200]})")

    async def _create(self, request: HttpRequest, ctx: RequestContext, send: Send) -> None:
        asked = read(request.body)
        ctx = told_by_openai(ctx, asked.document)
        completion = completion_request(asked, await self._history(asked, ctx))
        if asked.stream:
            await self._stream(asked, completion, ctx, send)
            return
        async with await self._pipeline.open(ctx, completion) as exchange:
            reply = _reply(exchange, asked)
            whole = await exchange.read()
        response = reply.whole(whole.body, whole.account.usage)
        await self._keep(asked, response, ctx)
        limits = limit_headers(self._limits.of(whole.account.model))
        await respond(send, 200, reply.body(response), headers_of(ctx, whole.account) + limits)

    async def _stream(
        self, asked: Asked, completion: CompletionRequest, ctx: RequestContext, send: Send
    ) -> None:
        async def tell(exchange: Exchange, events: EventStream) -> None:
            async with aclosing(self._told(exchange, asked, _reply(exchange, asked), ctx)) as blocks:
                async for block in blocks:
                    await events.send(block)

        def failed(error: VoyagerError) -> bytes:
            return TranslatedReply(asked, new_id()).failed(_failure(error, ctx))

        await self._streams.answer(completion, ctx, send, tell, failed)

    async def _told(
        self, exchange: Exchange, asked: Asked, reply: Reply, ctx: RequestContext
    ) -> AsyncGenerator[bytes]:
        """The events of a stream; the last one when the response is kept."""
        try:
            async for block in exchange:
                if events := reply.take(block):
                    yield events
        except VoyagerError as error:
            # What its attempts showed is known once it is closed.
            await exchange.aclose()
            yield reply.failed(_failure(error, ctx))
            return
        events, response = reply.end(exchange.account.usage)
        if events:
            yield events
        await self._keep(asked, response, ctx)
        yield reply.last(response)

    async def _history(self, asked: Asked, ctx: RequestContext) -> Sequence[Item]:
        """What was said in the conversation that a request goes on with."""
        if not asked.previous:
            return ()
        stored = await self._store.get_response(ctx.principal.subject, asked.previous)
        if stored is None:
            raise PreviousResponseNotFound(
                f"no response of yours with the id {asked.previous[:128]!r} is kept; send the whole input",
                "previous_response_id",
            )
        return conversation(stored)

    async def _keep(self, asked: Asked, response: Response, ctx: RequestContext) -> None:
        """Keep a response, or have it say that it is not kept."""
        if not asked.store:
            return
        stored = StoredResponse(
            id=response["id"],
            input=(dumps([*asked.items]),),
            output=dumps(response.get("output") or []),
            body=dumps(response),
        )
        if not await self._keeper.keep(Put(ctx.principal.subject, stored, asked.previous)):
            response["store"] = False

    async def _stored(self, response_id: str, ctx: RequestContext) -> StoredResponse:
        stored = await self._store.get_response(ctx.principal.subject, response_id)
        if stored is None:
            raise _missing(response_id)
        return stored

    async def _counted(self, request: HttpRequest, ctx: RequestContext) -> bytes:
        """About how many tokens a request has, with its tools: as it counts against a model's limits."""
        asked = read(request.body, counted=True)
        if asked.prompt is not None:
            raise InvalidArgument("tokens of stored prompts are not counted; name the model", "model")
        counted = demand(completion_request(asked, await self._history(asked, ctx))).prompt_tokens
        tools = asked.document.get("tools") or []
        counted += len(dumps(tools)) // _CHARS_PER_TOKEN if tools else 0
        return orjson.dumps({"object": "response.input_tokens", "input_tokens": counted})


def _failure(error: VoyagerError, ctx: RequestContext) -> Any:
    said: Mapping[str, Any] = orjson.loads(openai_body(error, ctx.trace.id))["error"]
    return failure(error.code, said)


def _reply(exchange: Exchange, asked: Asked) -> Reply:
    kind = NativeReply if exchange.operation is Operation.RESPONSES else TranslatedReply
    return kind(asked, new_id())


def _missing(response_id: str) -> NotFound:
    return NotFound(f"no response of yours with the id {response_id[:128]!r} is kept", "response_id")
