"""JSON ↔ messages with thousands of entries, one entry at a time: protobuf's mapping is Python, and would
hold up every other request of the replica. Used by `transcoder.py` for the RPCs that take so many.
"""

from __future__ import annotations

import asyncio
import zlib
from typing import Any, TypeVar, cast

import orjson
from google.protobuf import json_format
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from deployments.ingress.asgi import HttpRequest
from deployments.ingress.openai.decode import read_object
from deployments.ingress.rest.wrong import PARSE_ERRORS, wrong
from voyager_llm.domain.bulk import fault_of, refusal
from voyager_llm.errors import Fault, InvalidArgument, RequestTooLarge
from voyager_llm.pace import Pace

# Of a body: values, and bytes once it is unpacked.
_MAX_VALUES = 2_000_000
_MAX_BYTES = 32 * 1024 * 1024
# How zlib is told of gzip's header and checksum.
_GZIP = 16 + zlib.MAX_WBITS

M = TypeVar("M", bound=Message)


async def message_of(request: HttpRequest, kind: type[M]) -> M:
    """The message that a body holds. Raises `RequestTooLarge`, and `InvalidArgument` with a fault for each
    entry that does not fit."""
    fields = read_object(await _body(request), _MAX_VALUES)
    pace = Pace()
    message = kind()
    faults: list[Fault] = []
    rest: dict[str, Any] = {}
    for name, value in fields.items():
        if not _has_entries(kind, name) or not isinstance(value, list):
            rest[name] = value
            continue
        entries = getattr(message, name)
        for index, entry in enumerate(cast("list[Any]", value)):
            await pace.rest()
            added = entries.add()
            try:
                json_format.ParseDict(entry, added)
            except PARSE_ERRORS as error:
                faults.append(fault_of(f"{name}[{index}]", wrong(error, type(added))))
    if faults:
        raise refusal(faults)
    try:
        return json_format.ParseDict(rest, message)
    except PARSE_ERRORS as error:
        raise wrong(error, kind) from None


async def json_of(message: Message) -> bytes:
    """The message as JSON."""
    pace = Pace()
    entries: dict[str, list[Any]] = {}
    rest = type(message)()
    for field, value in message.ListFields():
        if not _has_entries(type(message), field.name):
            setattr(rest, field.name, value)
            continue
        entries[field.name] = shown = []
        for entry in value:
            await pace.rest()
            shown.append(_fields(entry))
    return orjson.dumps({**_fields(rest), **entries})


def _fields(message: Message) -> dict[str, Any]:
    return json_format.MessageToDict(
        message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
    )


def _has_entries(kind: type[Message], name: str) -> bool:
    """Whether a field is a list of messages."""
    field: FieldDescriptor | None = cast("Any", kind.DESCRIPTOR).fields_by_name.get(name)
    return field is not None and field.is_repeated and field.message_type is not None


async def _body(request: HttpRequest) -> bytes:
    """The body, unpacked where it is gzip."""
    encoding = request.header(b"content-encoding").strip().lower()
    if encoding in ("", "identity"):
        return request.body
    if encoding != "gzip":
        raise InvalidArgument("must be gzip, or left out", "content-encoding")
    return await asyncio.to_thread(_unpacked, request.body)


def _unpacked(body: bytes) -> bytes:
    unpacker = zlib.decompressobj(_GZIP)
    try:
        content = unpacker.decompress(body, _MAX_BYTES)
    except zlib.error:
        raise InvalidArgument("the body is no valid gzip", "body") from None
    if unpacker.unconsumed_tail:
        raise RequestTooLarge(f"the body has more than {_MAX_BYTES} bytes when it is unpacked")
    if not unpacker.eof:
        raise InvalidArgument("the body is no valid gzip", "body")
    return content
