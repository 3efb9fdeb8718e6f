"""What is wrong with a JSON body that does not fit its message, in words of ours. Used by `transcoder.py`.

Protobuf's parser says where it stopped, but what it says of the value are often Python's own words.
"""

from __future__ import annotations

import re
from typing import cast

from google.protobuf import json_format
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message

from voyager_llm.errors import InvalidArgument

# What `json_format` raises of a body that does not fit.
PARSE_ERRORS = (json_format.ParseError, TypeError, ValueError, AttributeError, RecursionError)

_STEP = re.compile(r"Failed to parse (\w+) field")
_AT_END = re.compile(r" at \w+\.([\w.]+?)\.?$")
_UNKNOWN = re.compile(r'no field named "([^"]{0,128})[^"]*" at "\w+\.?([^"]*)"')
_ENTRY = re.compile(r"\[(\w+)\]")
_WHOLE, _NUMBER = "a whole number", "a number"
_EXPECTED = {
    FieldDescriptor.CPPTYPE_STRING: "a string",
    FieldDescriptor.CPPTYPE_BOOL: "true or false",
    FieldDescriptor.CPPTYPE_DOUBLE: _NUMBER,
    FieldDescriptor.CPPTYPE_FLOAT: _NUMBER,
    FieldDescriptor.CPPTYPE_INT32: _WHOLE,
    FieldDescriptor.CPPTYPE_INT64: _WHOLE,
    FieldDescriptor.CPPTYPE_UINT32: _WHOLE,
    FieldDescriptor.CPPTYPE_UINT64: _WHOLE,
    FieldDescriptor.CPPTYPE_ENUM: "one of its names",
    FieldDescriptor.CPPTYPE_MESSAGE: "an object",
}


def wrong(error: Exception, message: type[Message]) -> InvalidArgument:
    """The error of a body or query that `json_format` could not make a ``message`` of, naming the field."""
    text = str(error)
    if unknown := _UNKNOWN.search(text):
        inside = _ENTRY.sub(r".\1", unknown[2])
        return InvalidArgument("there is no such field", ".".join(filter(None, [inside, unknown[1]])))
    steps: list[str] = _STEP.findall(text) or _path_at_end(text)
    path, field = _found(steps, cast("Descriptor", message.DESCRIPTOR))
    if field is None:
        return InvalidArgument("the body has the wrong form", ".".join(path))
    if "out of range" in text:
        return InvalidArgument("is out of range", ".".join(path))
    return InvalidArgument(f"must be {_expected(field)}", ".".join(path))


def _path_at_end(text: str) -> list[str]:
    found = _AT_END.search(text)
    return found[1].split(".") if found else []


def _found(steps: list[str], message: Descriptor) -> tuple[list[str], FieldDescriptor | None]:
    """The last field that the steps lead to; what is no field's name, such as a list's entry, ends them."""
    path: list[str] = []
    field: FieldDescriptor | None = None
    inside: Descriptor | None = message
    for step in steps:
        way = _way(inside, step) if inside is not None else []
        if not way:
            break
        path += [one.name for one in way]
        field, inside = way[-1], way[-1].message_type
    return path, field


def _way(message: Descriptor, step: str, depth: int = 3) -> list[FieldDescriptor]:
    """The fields that lead to one of this name: protobuf leaves those out that are optional. Empty: there is
    none, or more than one."""
    if (field := message.fields_by_name.get(step)) is not None:
        return [field]
    ways: list[list[FieldDescriptor]] = []
    for optional in message.fields if depth else ():
        inside = optional.message_type if optional.containing_oneof is not None else None
        if inside is not None and (rest := _way(inside, step, depth - 1)):
            ways.append([optional, *rest])
    return ways[0] if len(ways) == 1 else []


def _expected(field: FieldDescriptor) -> str:
    kind = _EXPECTED[field.cpp_type]
    if field.message_type is not None and field.message_type.GetOptions().map_entry:
        of = _EXPECTED[field.message_type.fields_by_name["value"].cpp_type]
        return f"an object in which each value is {of}"
    return f"a list, each entry {kind}" if field.is_repeated else kind
