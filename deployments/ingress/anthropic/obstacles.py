"""What of a request in Anthropic's words cannot be said in a chat's. Used by `chat.py` and `turns.py`.

A field of a wrong type is refused for everybody; what only Anthropic's own API knows is noted, since an
endpoint that speaks it gets the client's words as they are.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from voyager_llm.errors import InvalidArgument

_MAX_ENTRIES = 4096


class Obstacles:
    """Notes what stands in the way of a chat; the first is what the client is told."""

    __slots__ = ("first",)

    def __init__(self) -> None:
        self.first: InvalidArgument | None = None

    def note(self, field: str, what: str) -> None:
        """``what`` says what to do about the field."""
        if self.first is None:
            self.first = InvalidArgument(f"{what}; or name a model of Anthropic's own API", field)


def objects(value: Any, field: str) -> list[dict[str, Any]]:
    """A list of objects. Raises `InvalidArgument` for anything else."""
    if not isinstance(value, list):
        raise InvalidArgument("must be a list of objects", field)
    items = cast("list[Any]", value)
    if len(items) > _MAX_ENTRIES:
        raise InvalidArgument(f"must not have more than {_MAX_ENTRIES} entries", field)
    for i, item in enumerate(items):
        if not isinstance(item, dict):
            raise InvalidArgument("must be an object", f"{field}.{i}")
    return cast("list[dict[str, Any]]", items)


def text(value: Mapping[str, Any], name: str, field: str) -> str:
    """The text that an object must have under a name. Raises `InvalidArgument`."""
    found = value.get(name)
    if not isinstance(found, str):
        raise InvalidArgument("must be a string", f"{field}.{name}")
    return found


def inner(value: Mapping[str, Any], name: str, field: str) -> dict[str, Any]:
    """The object that an object must have under a name. Raises `InvalidArgument`."""
    found = value.get(name)
    if not isinstance(found, dict):
        raise InvalidArgument("must be an object", f"{field}.{name}")
    return cast("dict[str, Any]", found)


def optional(value: Mapping[str, Any], name: str, field: str) -> dict[str, Any]:
    """As `inner`, of one that may be absent or null: empty then."""
    return inner(value, name, field) if value.get(name) is not None else {}
