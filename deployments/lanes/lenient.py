"""JSON as providers write it: with NaN in log probabilities, and with halves of characters.

A model's tokens end within characters, so a chunk may hold half of a surrogate pair, which is no text by
itself and which strict parsers refuse. Used by the lanes where they read what a provider sent.
"""

from __future__ import annotations

import json
from typing import Any

import orjson


def loads(text: bytes) -> Any:
    """Raises `ValueError` for what is no JSON in any reading."""
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        try:
            return json.loads(text)
        except RecursionError:
            raise ValueError("nested too deeply") from None


def dumps(value: Any) -> bytes:
    """Raises `TypeError` and `ValueError` for what JSON does not hold."""
    try:
        return orjson.dumps(value)
    except TypeError:
        return json.dumps(value, separators=(",", ":")).encode()
