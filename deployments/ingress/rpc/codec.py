"""Protobuf messages ↔ documents and records. Used by the RPC classes beside this file.

A definition's document has the fields of its protobuf message, so protobuf's own JSON mapping translates.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from typing import Any, TypeVar

from google.protobuf import json_format
from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.message import Message

from voyager_llm.domain.definition import Kind
from voyager_llm.domain.record import Record
from voyager_llm.errors import InvalidArgument, RequestTooLarge

_DEFAULT_PAGE = 100
_MAX_PAGE = 1000
# Characters of a client's text that an error repeats.
_MAX_SHOWN = 128
# Larger than any that is valid; translating one takes a second for each few megabytes.
_MAX_DEFINITION_BYTES = 2 * 1024 * 1024

# Fields that the service writes; a client may send them back, they mean nothing.
_OUTPUT_ONLY = frozenset(
    {"model_id", "prompt_id", "route_id", "evaluation_id", "status", "revision", "etag", "author",
     "created_at", "updated_at"}
)  # fmt: skip
# An update mask that replaces everything.
_WHOLE = "*"

M = TypeVar("M", bound=Message)


def document_of(message: Message) -> dict[str, Any]:
    """The fields of a message that are set, as a definition's document. Raises `RequestTooLarge`."""
    if message.ByteSize() > _MAX_DEFINITION_BYTES:
        raise RequestTooLarge(f"a definition has at most {_MAX_DEFINITION_BYTES} bytes")
    fields = json_format.MessageToDict(message, preserving_proto_field_name=True)
    return {name: value for name, value in fields.items() if name not in _OUTPUT_ONLY}


def mask_of(mask: FieldMask, kind: type[Message]) -> list[str]:
    """The paths of an update mask; ``*`` alone is every field (AIP-134). Raises `InvalidArgument` for
    output-only fields and for those that ``kind`` does not have."""
    if list(mask.paths) == [_WHOLE]:
        return sorted(set(kind.DESCRIPTOR.fields_by_name) - _OUTPUT_ONLY)
    for path in mask.paths:
        if path.split(".")[0] in _OUTPUT_ONLY:
            raise InvalidArgument(f"{path} cannot be changed", "update_mask")
        if not _leads_somewhere(path, kind.DESCRIPTOR):
            raise InvalidArgument(f"there is no field {path[:_MAX_SHOWN]!r}", "update_mask")
    return list(mask.paths)


def _leads_somewhere(path: str, descriptor: Any) -> bool:
    """Whether each step of a path is a field of what the step before it leads to."""
    found: Any = descriptor
    for step in path.split("."):
        if found is not None and found.full_name == "google.protobuf.Struct":
            return True  # its fields are whatever the caller likes
        field = found.fields_by_name.get(step) if found is not None else None
        if field is None:
            return False
        found = None if field.is_repeated else field.message_type
    return True


def message_of(record: Record, kind: type[M]) -> M:
    """A stored definition as its message."""
    fields = {
        **record.document,
        f"{record.kind}_id": record.id,
        "revision": record.revision,
        "etag": record.etag,
        "author": record.author,
        "created_at": timestamp(record.created_at),
        "updated_at": timestamp(record.updated_at),
    }
    return json_format.ParseDict(fields, kind(), ignore_unknown_fields=False)


def timestamp(moment: Any) -> str:
    """RFC 3339, to the second."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def page_size(asked: int) -> int:
    """Raises `InvalidArgument`."""
    if not 0 <= asked <= _MAX_PAGE:
        raise InvalidArgument(f"must be from 0 to {_MAX_PAGE}", "page_size")
    return asked or _DEFAULT_PAGE


def page_token(records: Sequence[Record], size: int, *, by_revision: bool = False) -> str:
    """The token of the next page: empty when this one was not full."""
    if len(records) < size:
        return ""
    last = str(records[-1].revision) if by_revision else records[-1].name
    return base64.urlsafe_b64encode(last.encode()).decode()


def page_start(token: str) -> str:
    """What a token stands for. Raises `InvalidArgument`."""
    try:
        return base64.b64decode(token.encode(), altchars=b"-_", validate=True).decode()
    except (binascii.Error, UnicodeError, ValueError):
        raise InvalidArgument("is not a token of this service", "page_token") from None


def page_before(token: str) -> int:
    """The revision that a token of a history stands for; 0 without one."""
    start = page_start(token)
    if not start:
        return 0
    if not start.isdigit():
        raise InvalidArgument("is not a token of this service", "page_token")
    return int(start)


def named(name: str, kind: Kind, field: str = "name") -> str:
    """A name that must be given. Raises `InvalidArgument`."""
    if not name:
        raise InvalidArgument(f"say which {kind}", field)
    return name
