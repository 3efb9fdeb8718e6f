"""Forms with files (multipart/form-data, RFC 7578), whole in memory.

A client's form is read once and written anew, so that whoever gets it cuts it into the parts that were
checked: no second reading of a strange one. What files hold is passed on byte for byte. Used by
`deployments/ingress/openai/forms.py`, by `deployments/request/calls.py` and by the lanes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from secrets import token_hex
from typing import Any, cast

import orjson

from voyager_llm.errors import InvalidArgument

_MOST_PARTS = 256
_MOST_HEAD_BYTES = 8192
# Characters of a field that may be something else than text.
_MOST_JSON = 65_536
# RFC 2046, 5.1.1.
_BOUNDARY = re.compile(
    r"multipart/form-data\s*;.*?\bboundary=(?:\"([^\"]{1,70})\"|([^\s\";,]{1,70}))", re.IGNORECASE
)
_PARAMETER = re.compile(r";\s*([a-z]+)=(?:\"((?:[^\"\\]|\\.)*)\"|([^;\s]+))", re.IGNORECASE)
_TYPE = re.compile(r"[a-z]{1,32}/[a-z0-9.+-]{1,64}")
_UNCLEAN = re.compile(r"[^A-Za-z0-9._-]+")
_MOST_NAME = 100
_BYTES = "application/octet-stream"


@dataclass(frozen=True, slots=True)
class Part:
    """A field, or a file where it has a ``filename``."""

    name: str
    value: bytes
    filename: str | None = None
    content_type: str = ""


@dataclass(frozen=True, slots=True)
class Form:
    """A form as it is sent. ``model_at``: where the value of its field ``model`` stands."""

    body: bytes
    content_type: str
    model_at: tuple[int, int] | None


def read_form(body: bytes, content_type: str) -> list[Part]:
    """The parts, in their order; names of files are cleaned. Raises `InvalidArgument`."""
    found = _BOUNDARY.match(content_type)
    if found is None:
        raise _wrong("must be multipart/form-data with a boundary")
    mark = b"\r\n--" + (found[1] or found[2]).encode("latin-1")
    # The first boundary needs no line end before it; to add one would copy all of the body.
    first, *others = body.split(mark, _MOST_PARTS + 2)
    pieces = [first.removeprefix(mark[2:]), *others] if first else others
    is_whole = first.startswith(mark[2:]) or not first
    if not is_whole or len(pieces) < 2 or not pieces[-1].startswith(b"--"):
        raise _wrong(f"is no whole form, or has more than {_MOST_PARTS} parts")
    return [_part(piece) for piece in pieces[:-1]]


def _part(piece: bytes) -> Part:
    head, blank, value = piece.partition(b"\r\n\r\n")
    if not head.startswith(b"\r\n") or not blank or len(head) > _MOST_HEAD_BYTES:
        raise _wrong("holds a part without a head")
    try:
        lines = [line.partition(":") for line in head.decode().split("\r\n")[1:]]
    except UnicodeDecodeError:
        raise _wrong("holds a head that is no UTF-8") from None
    headers = {name.strip().lower(): said.strip() for name, _, said in lines}
    if len(headers) != len(lines):
        raise _wrong("holds a part that says something twice")
    kind, parameters = headers.get("content-disposition", ""), dict[str, str]()
    for name, quoted, bare in _PARAMETER.findall(kind):
        parameters.setdefault(name.lower(), quoted or bare)
    if not kind.lower().startswith("form-data") or not parameters.get("name"):
        raise _wrong("holds a part without a name")
    if "content-transfer-encoding" in headers and headers["content-transfer-encoding"].lower() != "binary":
        raise _wrong("holds a part in an encoding of its own")
    filename = parameters.get("filename")
    if filename is None:
        return Part(parameters["name"], value)
    told = headers.get("content-type", "").partition(";")[0].strip().lower()
    return Part(parameters["name"], value, cleaned(filename), told if _TYPE.fullmatch(told) else _BYTES)


def cleaned(filename: str) -> str:
    """A file's name without folders and without anything that could mean something to somebody."""
    name = _UNCLEAN.sub("_", re.split(r"[/\\]", filename)[-1]).lstrip("._-")
    stem, dot, extension = name.rpartition(".")
    short = f"{stem[:_MOST_NAME]}{dot}{extension[:16]}" if stem else name[:_MOST_NAME]
    return short or "file"


def write_form(parts: Iterable[Part]) -> Form:
    """One that has these parts and no others."""
    boundary = token_hex(16)
    written: list[bytes] = []
    size, model_at = 0, None
    for part in parts:
        head = _head(boundary, part)
        if part.name == "model" and part.filename is None:
            model_at = (size + len(head), size + len(head) + len(part.value))
        written += (head, part.value, b"\r\n")
        size += len(head) + len(part.value) + 2
    written.append(f"--{boundary}--\r\n".encode())
    return Form(b"".join(written), f"multipart/form-data; boundary={boundary}", model_at)


def _head(boundary: str, part: Part) -> bytes:
    named = f'--{boundary}\r\nContent-Disposition: form-data; name="{part.name}"'
    if part.filename is None:
        return f"{named}\r\n\r\n".encode()
    return f'{named}; filename="{part.filename}"\r\nContent-Type: {part.content_type}\r\n\r\n'.encode()


def form_named(body: bytes, model_at: tuple[int, int], model: str, further: Mapping[str, Any]) -> bytes:
    """A form of `write_form`'s with another model, and before all else ``further`` fields."""
    start, end = model_at
    boundary = body[2 : body.index(b"\r\n")].decode()
    fields = [_head(boundary, Part(name, b"")) + _text(value) + b"\r\n" for name, value in further.items()]
    whole = memoryview(body)  # its slices are no copies
    return b"".join((*fields, whole[:start], model.encode(), whole[end:]))


def _text(value: object) -> bytes:
    return value.encode() if isinstance(value, str) else orjson.dumps(value)


_NAME = re.compile(r"([a-z][a-z0-9_]{0,63})(?:\[([a-z0-9_]{0,63})\])?")


def values_of(parts: Iterable[Part], is_text: Mapping[str, bool]) -> dict[str, Any]:
    """What the fields say, as JSON would: ``name[]`` are a list's, ``name[key]`` an object's. A value is its
    text where ``is_text`` says so of the name, else what the text is in JSON, if anything.

    Raises `InvalidArgument` for a name that says two things, or that is none."""
    found: dict[str, Any] = {}
    for part in parts:
        split = _NAME.fullmatch(part.name)
        if split is None:
            raise _wrong("holds a name that is none of a parameter")
        name, key = split[1], split[2]
        value = _value(part, is_text.get(name, False))
        before = found.get(name)
        if key is None and name not in found:
            found[name] = value
        elif key == "" and isinstance(before, list | None):
            found[name] = [*cast("list[Any]", before or ()), value]
        elif key and isinstance(before, dict | None) and key not in (before or ()):
            found[name] = {**cast("dict[str, Any]", before or {}), key: value}
        else:
            raise InvalidArgument("is said twice", name)
    return found


def _value(part: Part, is_text: bool) -> Any:
    try:
        text = part.value.decode()
    except UnicodeDecodeError:
        raise InvalidArgument("must be UTF-8", part.name) from None
    if is_text or len(text) > _MOST_JSON:
        return text
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return text


def _wrong(message: str) -> InvalidArgument:
    return InvalidArgument(message, "body")
