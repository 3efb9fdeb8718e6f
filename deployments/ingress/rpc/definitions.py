"""The RPCs that every kind of definition has: one implementation, a row for each kind.

What a kind has of its own stands in a subclass (`models.py`, `prompts.py`). Made by `rpc/service.py`.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Coroutine, Generator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from google.protobuf.message import Message

from deployments.ingress.rpc.codec import (
    document_of,
    mask_of,
    message_of,
    named,
    page_before,
    page_size,
    page_start,
    page_token,
)
from voyager_llm.domain.definition import Kind
from voyager_llm.domain.record import Record
from voyager_llm.domain.request import RequestContext
from voyager_llm.errors import DeadlineExceeded, NotFound
from voyager_llm.ports import Definitions
from voyager_llm.v1 import evaluations_pb2, models_pb2, prompts_pb2, routes_pb2

# An RPC without a wire: takes the request message and the context, returns the response message or, where
# the service streams, yields them. Raises `VoyagerError`.
Handler = Callable[[Any, RequestContext], Coroutine[Any, Any, Message] | AsyncGenerator[Message]]


@dataclass(frozen=True, slots=True)
class Resource:
    """How the API names a kind of definition: ``noun`` in RPCs and messages, its small letters in fields."""

    kind: Kind
    noun: str
    # The module that holds its messages.
    messages: ModuleType
    # Versions are named by the definition's own ``version``, not by number.
    is_versioned: bool = False
    # What is created stands in the request itself, not in a field of it.
    is_flat: bool = False

    @property
    def field(self) -> str:
        return self.noun.lower()

    def message(self, name: str) -> Any:
        """The class of a message."""
        return getattr(self.messages, name)


MODELS = Resource(Kind.MODEL, "Model", models_pb2, is_flat=True)
PROMPTS = Resource(Kind.PROMPT, "Prompt", prompts_pb2, is_versioned=True, is_flat=True)
ROUTES = Resource(Kind.ROUTE, "Route", routes_pb2)
EVALUATIONS = Resource(Kind.EVALUATION, "Evaluation", evaluations_pb2)


class DefinitionRpcs:
    """Create, get, update, delete, list, versions and rollback of one kind."""

    def __init__(self, resource: Resource, definitions: Definitions) -> None:
        self._resource = resource
        self._definitions = definitions

    def handlers(self) -> Mapping[str, Handler]:
        """By the RPC's name."""
        noun = self._resource.noun
        return {
            f"Create{noun}": self.create,
            f"Get{noun}": self.get,
            f"Update{noun}": self.update,
            f"Delete{noun}": self.delete,
            f"List{noun}s": self.list,
            f"List{noun}Versions": self.versions,
            f"Rollback{noun}": self.rollback,
        }

    async def create(self, request: Any, ctx: RequestContext) -> Message:
        resource = self._resource
        given = document_of(request if resource.is_flat else getattr(request, resource.field))
        async with in_time(ctx):
            record = await self._definitions.create(resource.kind, given, ctx.principal.subject)
        return self.created(record)

    async def get(self, request: Any, ctx: RequestContext) -> Message:
        async with in_time(ctx):
            record = await self._definitions.get(
                self._resource.kind, self._name(request), *self._version(request)
            )
        return self._with("Get", record)

    async def update(self, request: Any, ctx: RequestContext) -> Message:
        resource = self._resource
        name, mask = self._name(request), mask_of(request.update_mask, resource.message(resource.noun))
        # The request says which one it is: what is to replace it whole need not say so again.
        given = {"name": name, **document_of(getattr(request, resource.field))}
        async with in_time(ctx):
            record = await self._definitions.update(
                resource.kind, name, given, ctx.principal.subject, mask, request.etag
            )
        return self._with("Update", record)

    async def delete(self, request: Any, ctx: RequestContext) -> Message:
        async with in_time(ctx):
            await self._definitions.delete(self._resource.kind, self._name(request), request.etag)
        return self._response("Delete")(name=request.name)

    async def list(self, request: Any, ctx: RequestContext) -> Message:
        size = page_size(request.page_size)
        async with in_time(ctx):
            records = await self._definitions.page(self._resource.kind, page_start(request.page_token), size)
        shown = {f"{self._resource.field}s": [self.shown(record) for record in records]}
        return self._response("List", "s")(next_page_token=page_token(records, size), **shown)

    async def versions(self, request: Any, ctx: RequestContext) -> Message:
        size, before = page_size(request.page_size), page_before(request.page_token)
        async with in_time(ctx):
            records = await self._definitions.history(self._resource.kind, self._name(request), before, size)
        return self._response("List", "Versions")(
            versions=[self.message(record) for record in records],
            next_page_token=page_token(records, size, by_revision=True),
        )

    async def rollback(self, request: Any, ctx: RequestContext) -> Message:
        async with in_time(ctx):
            record = await self._definitions.rollback(
                self._resource.kind,
                self._name(request),
                *self._version(request),
                ctx.principal.subject,
                request.etag,
            )
        return self._with("Rollback", record)

    def created(self, record: Record) -> Message:
        """The response to a creation."""
        return self._with("Create", record)

    def shown(self, record: Record) -> Message:
        """The current version as its message."""
        return self.message(record)

    def message(self, record: Record) -> Message:
        """Any version as its message."""
        return message_of(record, self._resource.message(self._resource.noun))

    def _with(self, verb: str, record: Record) -> Message:
        return self._response(verb)(**{self._resource.field: self.shown(record)})

    def _response(self, verb: str, ending: str = "") -> Any:
        return self._resource.message(f"{verb}{self._resource.noun}{ending}Response")

    def _name(self, request: Any) -> str:
        return named(request.name, self._resource.kind)

    def _version(self, request: Any) -> tuple[int, str]:
        """(number, semantic version) that a request asks for; both empty: the current one."""
        return (0, request.version) if self._resource.is_versioned else (request.revision, "")


@contextmanager
def calling(fields: Mapping[str, str]) -> Generator[None]:
    """An error about a field that is not found names it as the request does: ``fields`` by our word."""
    try:
        yield
    except NotFound as error:
        error.field = fields.get(error.field, error.field)
        raise


@asynccontextmanager
async def in_time(ctx: RequestContext) -> AsyncGenerator[None]:
    """Bounds what it encloses by the caller's deadline. Raises `DeadlineExceeded`."""
    if ctx.deadline is None:
        yield
        return
    try:
        async with asyncio.timeout(ctx.deadline - time.monotonic()):
            yield
    except TimeoutError:
        raise DeadlineExceeded(
            "the request's deadline has passed; a change may have been made: read the definition"
        ) from None
