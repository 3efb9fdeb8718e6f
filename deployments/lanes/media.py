"""Pictures, sounds and files in a request. Used by the lanes that translate.

LiteLLM fetches what a client names by address, itself and unchecked, wherever a provider cannot; so content
comes in the request (``data:`` URLs) or by a name that the provider knows.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, cast

from voyager_llm.errors import InvalidArgument

_ADDRESS = re.compile(r"\s*(//|\\\\|[a-z][a-z0-9+.-]*:)", re.IGNORECASE)
_IN_PLACE = re.compile(r"data:", re.IGNORECASE)


def refuse_addresses(body: Mapping[str, Any]) -> None:
    """Raises `InvalidArgument` naming the message whose content is an address."""
    messages: list[Any] = body.get("messages") or []
    for i, message in enumerate(messages):
        for part in _parts(message):
            if any(_ADDRESS.match(text) and not _IN_PLACE.match(text) for text in _texts(part)):
                raise InvalidArgument(
                    "give pictures, sounds and files as data: URLs; this provider cannot fetch them itself",
                    f"messages.{i}.content",
                )


def _parts(message: Any) -> Iterator[dict[str, Any]]:
    """The parts of a message that are no plain text."""
    content = cast("dict[str, Any]", message).get("content") if isinstance(message, dict) else None
    for part in cast("list[Any]", content) if isinstance(content, list) else ():
        if isinstance(part, dict) and cast("dict[str, Any]", part).get("type") != "text":
            yield cast("dict[str, Any]", part)


def _texts(value: Any) -> Iterator[str]:
    """Every text in a part, however deep, that may be an address: not those that only describe."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for name, inner in cast("dict[str, Any]", value).items():
            if name not in _DESCRIBING:
                yield from _texts(inner)
    elif isinstance(value, list):
        for inner in cast("list[Any]", value):
            yield from _texts(inner)


_DESCRIBING = frozenset({"type", "text", "detail", "format", "filename", "mime_type", "title", "thinking"})
