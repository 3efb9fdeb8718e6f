"""The RPC that writes many definitions at once. Made by `rpc/service.py`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import orjson

from deployments.ingress.rpc.codec import document_of
from deployments.ingress.rpc.definitions import (
    EVALUATIONS,
    MODELS,
    PROMPTS,
    ROUTES,
    Handler,
    Resource,
    in_time,
)
from voyager_llm.domain.bulk import MAX_ITEMS, Applied, Item, Outcome, count
from voyager_llm.domain.request import RequestContext
from voyager_llm.errors import InvalidArgument, RequestTooLarge
from voyager_llm.pace import Pace
from voyager_llm.ports import Definitions
from voyager_llm.v1 import bulk_pb2 as pb

_RESOURCES = (MODELS, PROMPTS, ROUTES, EVALUATIONS)


class BulkRpcs:
    """Applies definitions of all kinds."""

    def __init__(self, definitions: Definitions) -> None:
        self._definitions = definitions

    def handlers(self) -> Mapping[str, Handler]:
        """By the RPC's name."""
        return {"ApplyDefinitions": self.apply}

    async def apply(
        self, request: pb.ApplyDefinitionsRequest, ctx: RequestContext
    ) -> pb.ApplyDefinitionsResponse:
        items = await _items(request)
        async with in_time(ctx):
            applied = await self._definitions.apply(
                items, ctx.principal.subject, validate_only=request.validate_only
            )
        return await _response(applied, request.validate_only)


async def _items(request: pb.ApplyDefinitionsRequest) -> list[Item]:
    """Every definition of the request. Raises `InvalidArgument` and `RequestTooLarge`."""
    number = sum(len(_of(resource, request)) for resource in _RESOURCES)
    if not number:
        raise InvalidArgument("give at least one model, prompt, route or evaluation")
    if number > MAX_ITEMS:
        raise RequestTooLarge(f"a request has at most {MAX_ITEMS} definitions, and this one has {number}")
    pace = Pace()
    items: list[Item] = []
    for resource, place, message in _placed(request):
        await pace.rest()
        try:
            document = orjson.dumps(document_of(message))
        except RequestTooLarge as error:
            raise RequestTooLarge(error.message, place) from None
        items.append(Item(resource.kind, place, document, message.etag))
    return items


def _placed(request: pb.ApplyDefinitionsRequest) -> Iterator[tuple[Resource, str, Any]]:
    for resource in _RESOURCES:
        for index, message in enumerate(_of(resource, request)):
            yield resource, f"{resource.field}s[{index}]", message


def _of(resource: Resource, request: pb.ApplyDefinitionsRequest) -> Any:
    return getattr(request, f"{resource.field}s")


async def _response(applied: Sequence[Applied], validate_only: bool) -> pb.ApplyDefinitionsResponse:
    pace = Pace()
    counted = count(applied)
    response = pb.ApplyDefinitionsResponse(
        created=counted[Outcome.CREATED],
        updated=counted[Outcome.UPDATED],
        unchanged=counted[Outcome.UNCHANGED],
        validate_only=validate_only,
    )
    for one in applied:
        await pace.rest()
        response.definitions.add(
            kind=one.kind, name=one.name, outcome=one.outcome, revision=one.revision, etag=one.etag
        )
    return response
