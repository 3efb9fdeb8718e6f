"""OpenAI's files and batches, of the account at a model's provider. Used by `further.py`.

An upload or a list says which model it is for; from then on ids do (`voyager_llm/domain/resource_ids.py`).
A batch that is over is accounted for once, before the first client sees that it is (`docs/operations.md`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, cast
from urllib.parse import parse_qsl, urlencode

import orjson

from deployments.ingress.asgi import HttpRequest, Send
from deployments.ingress.openai.answers import stream, whole
from deployments.ingress.openai.batch_lines import URLS, rewritten
from deployments.ingress.openai.bodies import form_of
from deployments.ingress.openai.decode import read_object
from deployments.request.exchange import Exchange
from deployments.request.pipeline import Pipeline
from voyager_llm.domain.completion import CompletionRequest, Headers, Original, Resource
from voyager_llm.domain.form import write_form
from voyager_llm.domain.operation import Operation
from voyager_llm.domain.parameters import check, unknown
from voyager_llm.domain.request import RequestContext
from voyager_llm.domain.resource_ids import BATCH, FILE, Owned, read_id
from voyager_llm.domain.route import RouteDefinition
from voyager_llm.domain.usage import Usage
from voyager_llm.domain.usage_reports import OPENAI
from voyager_llm.errors import InvalidArgument, NotFound, UpstreamInvalid
from voyager_llm.ports import Settlements
from voyager_llm.snapshot import CompiledModel

_PREFIXES = {Operation.FILES: FILE, Operation.BATCHES: BATCH}
_QUERY = frozenset({"after", "limit", "order", "purpose"})
# Where a request says which model it is for; the second is LiteLLM's name of it.
_DESTINATION = ("model", "target_model_names")
_FINAL = frozenset({"completed", "failed", "expired", "cancelled"})
_MOST_QUERY = 256


class FilesApi:
    """Serves the two paths and what is below them."""

    def __init__(self, pipeline: Pipeline, settlements: Settlements) -> None:
        self._pipeline = pipeline
        self._settlements = settlements

    async def serve(
        self, request: HttpRequest, operation: Operation, below: str, ctx: RequestContext, send: Send
    ) -> None:
        asked = await self._asked(request, operation, below)
        exchange = await self._pipeline.open(ctx, asked)
        if asked.stream:
            await stream(exchange, ctx, send)
            return
        async with exchange:
            document = _object(exchange.first)
            if asked.operation is Operation.BATCHES and (usage := used_by(document)) is not None:
                await self._account(exchange, str(document.get("id")), usage)
            await whole(exchange, ctx, send, orjson.dumps(_shown(document, exchange.endpoint)))

    async def _account(self, exchange: Exchange, batch: str, usage: Usage) -> None:
        """Of a batch that is over: by the first poll that finds it so, whoever makes it.

        Raises `Unavailable` where that cannot be known now; the client does not see the batch's end then."""
        named = f"{exchange.address}\n{batch}".encode()
        if await self._settlements.settle(hashlib.sha256(named).hexdigest()):
            exchange.charge(usage)

    async def _asked(self, request: HttpRequest, operation: Operation, below: str) -> CompletionRequest:
        """Raises `InvalidArgument` and `NotFound`."""
        match request.method, below.split("/") if below else []:
            case "POST", [] if operation is Operation.FILES:
                return await self._upload(request)
            case "POST", []:
                return _new_batch(request)
            case "GET", []:
                return self._list(request, operation)
            case "GET", [shown]:
                return _of(operation, shown, "GET")
            case "DELETE", [shown] if operation is Operation.FILES:
                return _of(operation, shown, "DELETE")
            case "GET", [shown, "content"] if operation is Operation.FILES:
                return replace(_of(operation, shown, "GET", "/content"), stream=True)
            case "POST", [shown, "cancel"] if operation is Operation.BATCHES:
                return _of(operation, shown, "POST", "/cancel")
            case _:
                raise NotFound(f"no such path; see /docs ({request.path[:200]})")

    async def _upload(self, request: HttpRequest) -> CompletionRequest:
        body, parts = form_of(request, Operation.FILES)
        model = self._model(body)
        _check(Operation.FILES, body)
        if not body.get("purpose"):
            raise InvalidArgument("is required", "purpose")
        parts = [part for part in parts if part.name not in _DESTINATION]
        if body["purpose"] == "batch":
            parts = [
                part if part.filename is None else replace(part, value=await rewritten(part.value, model))
                for part in parts
            ]
        form = write_form(parts)
        headers = (("content-type", form.content_type),)
        return _request(Operation.FILES, model.name, Resource(), form.body, body, headers)

    def _list(self, request: HttpRequest, operation: Operation) -> CompletionRequest:
        query: dict[str, Any] = dict(parse_qsl(request.query))
        model = self._model(query)
        key = model.endpoints[0].key
        for name, value in query.items():
            if name not in _QUERY or len(value) > _MOST_QUERY * 4:
                raise InvalidArgument("is no parameter of this operation", name[:64])
        if "after" in query:
            owned = read_id(_PREFIXES[operation], query["after"], "after")
            key, query["after"] = owned.endpoint, owned.id
        resource = Resource("GET", f"?{urlencode(query)}" if query else "")
        return replace(_request(operation, model.name, resource), endpoint=key)

    def _model(self, said: dict[str, Any]) -> CompiledModel:
        """The model that a form or a query names, which is taken out of it."""
        names = [name for key in _DESTINATION if (name := said.pop(key, None))]
        if len(names) != 1 or not isinstance(names[0], str):
            raise InvalidArgument("say which model it is for: a file is in one account", "model")
        found = self._pipeline.snapshots.current.destination(names[0])
        if isinstance(found, RouteDefinition):
            raise InvalidArgument("must be a model and no route: a file is in one account", "model")
        return found


def _new_batch(request: HttpRequest) -> CompletionRequest:
    body = read_object(request.body)
    _check(Operation.BATCHES, body)
    owned = read_id(FILE, str(body.get("input_file_id", "")), "input_file_id")
    if body.get("endpoint") not in URLS:
        raise InvalidArgument(f"must be one of {', '.join(URLS)}", "endpoint")
    sent = orjson.dumps({**body, "input_file_id": owned.id})
    asked = _request(Operation.BATCHES, owned.model, Resource(), sent, body)
    # A second one would be paid for as well.
    return replace(asked, endpoint=owned.endpoint, once=True)


def _of(operation: Operation, shown: str, method: str, below: str = "") -> CompletionRequest:
    """What is asked of one file or batch."""
    owned = read_id(_PREFIXES[operation], shown, "id")
    asked = _request(operation, owned.model, Resource(method, f"/{owned.id}{below}"))
    return replace(asked, endpoint=owned.endpoint)


def _request(
    operation: Operation,
    model: str,
    resource: Resource,
    sent: bytes = b"",
    body: dict[str, Any] | None = None,
    headers: Headers = (),
) -> CompletionRequest:
    held = body or {}
    return CompletionRequest(
        operation, model, held, original=Original(operation, sent, held, headers, resource=resource)
    )


def _check(operation: Operation, body: Mapping[str, Any]) -> None:
    if further := check(operation, body):
        raise unknown(operation, min(further))


def used_by(batch: Mapping[str, Any]) -> Usage | None:
    """What a batch used, once it is over; None: it is not, or does not say."""
    told = batch.get("usage")
    if batch.get("object") != "batch" or batch.get("status") not in _FINAL or not isinstance(told, dict):
        return None
    return replace(OPENAI.read(cast("dict[str, Any]", told)), service_tier="batch")


# Members that hold ids; of a list, those of its entries.
_OF_FILES = ("input_file_id", "output_file_id", "error_file_id")
_ENDS = ("first_id", "last_id")


def _shown(document: Mapping[str, Any], endpoint: str) -> dict[str, Any]:
    """A provider's answer with our ids."""
    if document.get("object") == "list":
        rows: list[Any] = document.get("data") or []
        shown = [_shown(row, endpoint) for row in rows if isinstance(row, dict)]
        ends = {name: shown[at]["id"] for name, at in zip(_ENDS, (0, -1), strict=True) if shown}
        return {**document, "data": shown, **ends}
    prefix = BATCH if document.get("object") == "batch" else FILE
    ids = {"id": Owned(endpoint, str(document.get("id"))).shown(prefix)}
    files = {name: Owned(endpoint, own).shown(FILE) for name in _OF_FILES if (own := document.get(name))}
    return {**document, **ids, **files}


def _object(body: bytes) -> dict[str, Any]:
    document: Any = orjson.loads(body)
    if not isinstance(document, dict):
        raise UpstreamInvalid("the provider's answer is no JSON object")
    return cast("dict[str, Any]", document)
