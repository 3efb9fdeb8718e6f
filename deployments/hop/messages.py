"""What stands in the payloads: calls, answers, prompts and errors as JSON and bytes. Nothing is pickled.

Read and written by both ends: `caller.py` and `renderer.py` at the router's, `services.py` at the replica's.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import fields
from operator import attrgetter
from typing import Any, cast

import orjson
from pydantic import BaseModel, TypeAdapter, ValidationError

from deployments.hop.frames import ProtocolError, pack_number, read_number
from voyager_llm.domain.completion import Answer, Call, Resource, StreamEnd
from voyager_llm.domain.endpoint import Endpoint
from voyager_llm.domain.model import SecretRef
from voyager_llm.domain.operation import Operation
from voyager_llm.domain.prompt import PromptDefinition
from voyager_llm.domain.usage import Usage
from voyager_llm.errors import Internal, VoyagerError
from voyager_llm.templating.render import Message, Rendered

# Raised by hand when frames or their order change.
_FRAMES = 1

# What travels; two releases in which these differ speak over Serve's handle.
_SHAPES: tuple[Any, ...] = (Call, Resource, Answer, Usage, StreamEnd, Endpoint, Rendered, Message)
_MODELS: tuple[type[BaseModel], ...] = (SecretRef, PromptDefinition)


def _version() -> str:
    shapes = [[shape.__name__, *((f.name, str(f.type)) for f in fields(shape))] for shape in _SHAPES]
    models = [[model.__name__, model.model_json_schema()] for model in _MODELS]
    digest = hashlib.sha256(orjson.dumps([shapes, models], option=orjson.OPT_SORT_KEYS))
    return f"{_FRAMES}.{digest.hexdigest()[:16]}"


# Announced with the address; ends of another version do not connect.
VERSION = _version()

_ENDPOINT: TypeAdapter[Endpoint] = TypeAdapter(Endpoint)


def pack_endpoint(endpoint: Endpoint) -> bytes:
    return orjson.dumps(endpoint, default=_plain)


def read_endpoint(payload: bytes) -> Endpoint:
    try:
        return _ENDPOINT.validate_json(payload)
    except ValidationError:
        raise ProtocolError("no endpoint") from None


def pack_prompt(prompt: PromptDefinition) -> bytes:
    return prompt.model_dump_json().encode()


def read_prompt(payload: bytes) -> PromptDefinition:
    try:
        return PromptDefinition.model_validate_json(payload)
    except ValidationError:
        raise ProtocolError("no prompt") from None


def _plain(value: object) -> Any:
    if isinstance(value, BaseModel):
        return value.model_dump()
    if isinstance(value, Mapping):
        return dict(cast("Mapping[str, Any]", value))
    raise TypeError(f"{type(value).__name__} does not travel")


def pack_call(call: Call) -> tuple[bytes, bytes]:
    """All of it but its endpoint."""
    head = (
        call.operation, call.stream, call.include_usage,
        call.timeout_s, call.idle_timeout_s, call.total_timeout_s, call.headers,
        call.resource.method, call.resource.path,
    )  # fmt: skip
    return _headed(head), call.body


def read_call(endpoint: Endpoint, payload: bytes) -> Call:
    (operation, *rest, headers, method, path), body = _cut(payload)
    named = tuple((name, value) for name, value in headers)
    resource = Resource(method, path)
    return Call(Operation(operation), endpoint, body, *rest, headers=named, resource=resource)


def pack_answer(answer: Answer) -> tuple[bytes, bytes]:
    return _headed((answer.content_type, _usage(answer.usage))), answer.body


def read_answer(payload: bytes) -> Answer:
    (content_type, usage), body = _cut(payload)
    return Answer(body, Usage(*usage) if usage else None, content_type)


def pack_end(end: StreamEnd) -> bytes:
    return orjson.dumps((_usage(end.usage), _error(end.error) if end.error else None))


def read_end(payload: bytes) -> StreamEnd:
    usage, error = orjson.loads(payload)
    return StreamEnd(Usage(*usage) if usage else None, _read_error(*error) if error else None)


def pack_variables(variables: Mapping[str, Any], texts: bool) -> bytes:
    """Raises `TypeError` for what JSON does not hold."""
    return orjson.dumps((texts, variables), default=_plain)


def read_variables(payload: bytes) -> tuple[bool, Mapping[str, Any]]:
    texts, variables = orjson.loads(payload)
    return texts, variables


def pack_rendered(rendered: Rendered) -> bytes:
    return orjson.dumps(rendered, default=_plain)


def read_rendered(payload: bytes) -> Rendered:
    plain = orjson.loads(payload)
    return Rendered(tuple(Message(**message) for message in plain["messages"]), plain["variables"])


def pack_error(error: VoyagerError) -> bytes:
    return orjson.dumps(_error(error))


def read_error(payload: bytes) -> VoyagerError:
    return _read_error(*orjson.loads(payload))


_FIELDS: Callable[[Usage], tuple[Any, ...]] = attrgetter(*(field.name for field in fields(Usage)))


def _usage(usage: Usage | None) -> tuple[Any, ...]:
    return () if usage is None else _FIELDS(usage)


def _error(error: VoyagerError) -> tuple[Any, ...]:
    return type(error).__name__, *error.args


def _read_error(name: str, message: str, field: str, retry_after_s: float, *further: str) -> VoyagerError:
    kind = _errors().get(name)
    return kind(message, field, retry_after_s, *further) if kind else Internal(message, field, retry_after_s)


def _errors(base: type[VoyagerError] = VoyagerError) -> dict[str, type[VoyagerError]]:
    """Every error that there is, by name."""
    found = {base.__name__: base}
    for kind in base.__subclasses__():
        found |= _errors(kind)
    return found


def _headed(head: tuple[Any, ...]) -> bytes:
    """A head of any length, to be followed by bytes as they are."""
    packed = orjson.dumps(head)
    return pack_number(len(packed)) + packed


def _cut(payload: bytes) -> tuple[Any, bytes]:
    size = read_number(payload)
    return orjson.loads(payload[4 : 4 + size]), payload[4 + size :]
