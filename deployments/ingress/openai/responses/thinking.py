"""Thinking that a provider has signed and wants to have back with its answer: clients carry it unread.

It travels as the ``encrypted_content`` of reasoning items of ours. It is no secret of this service's: whoever
decodes it finds what the provider sent. Used by `items.py` and `output.py`.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Any, cast

from deployments.lanes.lenient import dumps, loads

# The beginning of an id: reasoning that was read out of a chat, which no provider knows as an item.
OWN_REASONING = "rs_voyager_"


def is_own(item: Mapping[str, Any]) -> bool:
    """Whether a reasoning item was made here."""
    return str(item.get("id", "")).startswith(OWN_REASONING)


def seal(blocks: Sequence[Any]) -> str:
    """The blocks, in one text."""
    return base64.b64encode(dumps(blocks)).decode()


def unseal(item: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The blocks of an item of ours; of another's, which only its writer can read, none."""
    sealed = item.get("encrypted_content")
    if not isinstance(sealed, str) or not is_own(item):
        return []
    try:
        blocks: Any = loads(base64.b64decode(sealed, validate=True))
    except ValueError:
        return []
    return _objects(blocks)


def joined(pieces: Sequence[Any]) -> list[dict[str, Any]]:
    """The blocks of a stream: a thought comes in pieces, and ends with its signature."""
    blocks: list[dict[str, Any]] = []
    is_open = False
    for piece in _objects(pieces):
        if piece.get("type") != "thinking":
            blocks.append(piece)
            is_open = False
        elif is_open:
            last = blocks[-1]
            last["thinking"] = f"{last.get('thinking') or ''}{piece.get('thinking') or ''}"
            last["signature"] = piece.get("signature") or last.get("signature")
        else:
            blocks.append({**piece})
            is_open = True
        is_open = is_open and not piece.get("signature")
    return blocks


def _objects(given: Any) -> list[dict[str, Any]]:
    items = cast("list[Any]", given) if isinstance(given, list) else []
    return [cast("dict[str, Any]", item) for item in items if isinstance(item, dict)]
