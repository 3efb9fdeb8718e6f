"""What the lanes that translate give to an adapter of a request's messages: known fields without addresses.

LiteLLM fetches what a client names by address, itself and unchecked, wherever a provider cannot; so content
comes in the request (``data:`` URLs) or by a name that the provider knows.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, cast

from voyager_llm.domain.messages import translated
from voyager_llm.errors import InvalidArgument

_ADDRESS = re.compile(r"\s*(//|\\\\|[a-z][a-z0-9+.-]*:)", re.IGNORECASE)
_IN_PLACE = re.compile(r"data:", re.IGNORECASE)


def restrict_messages(body: dict[str, Any]) -> None:
    """Leave the fields that adapters may see in the messages of ``body``.

    Raises `InvalidArgument` naming the field of a message that holds an address."""
    messages: list[dict[str, Any]] | None = body.get("messages")
    if messages is None:
        return
    body["messages"] = [translated(message) for message in messages]
    for i, message in enumerate(body["messages"]):
        for name, value in message.items():
            if name in _SAID or isinstance(value, str):
                continue
            if any(_ADDRESS.match(text) and not _IN_PLACE.match(text) for text in _texts(value)):
                raise InvalidArgument(
                    "give pictures, sounds and files as data: URLs; this provider cannot fetch them itself",
                    f"messages.{i}.{name}",
                )


def _texts(value: Any) -> Iterator[str]:
    """Every text in a field, however deep, that may be an address: not those that only describe."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for name, inner in cast("dict[str, Any]", value).items():
            if name not in _DESCRIBING:
                yield from _texts(inner)
    elif isinstance(value, list):
        for inner in cast("list[Any]", value):
            yield from _texts(inner)


# What a provider said itself, such as the pages that it has searched.
_SAID = frozenset({"provider_specific_fields"})
_DESCRIBING = frozenset(
    {"type", "text", "detail", "format", "filename", "mime_type", "title", "thinking", "arguments", "name",
     "citations", "parsed_arguments"}
)  # fmt: skip
