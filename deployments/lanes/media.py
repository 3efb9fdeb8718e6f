"""What the lanes that translate give to an adapter of a request's messages: known fields, and of pictures,
sounds and files what the provider takes.

LiteLLM leaves out in silence what an adapter has no form for, and fetches what a client names by address,
itself and unchecked, wherever a provider cannot. So each kind of part is taken or refused by name; content
comes in the request (``data:`` URLs), by a name that the provider knows, or by an https address where the
provider fetches it itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, cast

from voyager_llm.domain.messages import translated
from voyager_llm.errors import InvalidArgument

_ADDRESS = re.compile(r"\s*(//|\\\\|[a-z][a-z0-9+.-]*:)", re.IGNORECASE)
_IN_PLACE = re.compile(r"data:", re.IGNORECASE)
_SECURE = re.compile(r"https://", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Media:
    """Kinds of parts that a provider takes besides text, and those of which it fetches an https address."""

    taken: frozenset[str]
    fetched: frozenset[str] = frozenset()


TEXT_ALONE = Media(frozenset())


def restrict_messages(body: dict[str, Any], media: Media | None = None) -> None:
    """Leave the fields that adapters may see in the messages of ``body``.

    ``media`` None: what is taken is not known, and no address is. Raises `InvalidArgument` naming the field
    of a message that holds what is not taken."""
    messages: list[dict[str, Any]] | None = body.get("messages")
    if messages is None:
        return
    body["messages"] = [translated(message) for message in messages]
    for i, message in enumerate(body["messages"]):
        for name, value in message.items():
            if name in _SAID or isinstance(value, str):
                continue
            if name == "content" and isinstance(value, list):
                for j, part in enumerate(cast("list[dict[str, Any]]", value)):
                    _check_part(part, media, f"messages.{i}.content.{j}")
            else:
                _refuse_addresses(value, f"messages.{i}.{name}")


def _check_part(part: dict[str, Any], media: Media | None, field: str) -> None:
    kind = part.get("type")
    if media is not None and kind not in _WRITTEN and kind not in media.taken:
        raise InvalidArgument(f"this model's provider takes no parts of type {kind}", f"{field}.type")
    if media is not None and kind in media.fetched:
        _refuse_plain_addresses(part, field)
    else:
        _refuse_addresses(part, field)


def _refuse_addresses(value: Any, field: str) -> None:
    if any(_is_address(text) for text in _texts(value)):
        raise InvalidArgument(
            "give pictures, sounds and files as data: URLs; this provider cannot fetch them itself", field
        )


def _refuse_plain_addresses(value: Any, field: str) -> None:
    if any(_is_address(text) and not _SECURE.match(text) for text in _texts(value)):
        raise InvalidArgument("give pictures, sounds and files as https:// or data: URLs", field)


def _is_address(text: str) -> bool:
    return bool(_ADDRESS.match(text)) and not _IN_PLACE.match(text)


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
# Parts that are text, or stand in answers that are sent back.
_WRITTEN = frozenset({"text", "refusal", "thinking", "redacted_thinking"})
