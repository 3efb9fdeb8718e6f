"""A client's JSON object with little of it changed, and every other byte as it came.

A provider's cache of prompts knows a prompt by how it begins, so what a client repeats goes out as it was
written. Used by `deployments/request/calls.py` on bodies that the ingress has parsed and checked.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import orjson

_NAME = b'"model"'
_MODEL = re.compile(rb'"model"\s*:\s*("(?:[^"\\]|\\.)*")')
# Of escapes, only these may spell a letter of the name.
_ESCAPED_LETTER = b"\\u006"


def spliced(body: bytes, model: str, further: Mapping[str, Any]) -> bytes | None:
    """``body``, an object with a text as its ``model``, with another model and with ``further`` members,
    which it has not, at its end.

    None where the bytes alone do not tell which ``model`` is the object's own: within a text every quote has
    a backslash before it, so the only ``"model"`` of a document is a name in it or a whole text, and here the
    name of one member."""
    if body.count(_NAME) != 1 or _ESCAPED_LETTER in body:
        return None
    found = _MODEL.search(body)
    if found is None:
        return None
    start, end = found.span(1)
    changed = body[:start] + orjson.dumps(model) + body[end:]
    if not further:
        return changed
    close = changed.rindex(b"}")
    # Its `model` is there, so something stands before what is added.
    return changed[:close] + b"," + orjson.dumps(further)[1:-1] + changed[close:]
