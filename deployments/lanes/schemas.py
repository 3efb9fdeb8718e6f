"""How large the JSON schemas of a request are, and become when their references are put in place.

LiteLLM's adapters walk them several times on the event loop, for some providers with every reference replaced
by what it stands for: a few lines that refer to each other can stand for millions. Used by `adapter.py` and
`full.py` before a request is translated.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

from voyager_llm.errors import InvalidArgument

# Values in a field, with those that references add. LiteLLM takes some 13 µs for each.
_MOST = 20_000
# References times definitions: LiteLLM gathers all definitions anew for each reference.
_MOST_LOOKUPS = 1_000_000
# References within references.
_DEEPEST = 32
_DEFINITIONS = ("$defs", "definitions")


def restrict_schemas(body: dict[str, Any]) -> None:
    """Raises `InvalidArgument` naming the field whose schemas hold, or stand for, too much."""
    for field in ("tools", "functions", "response_format"):
        given = body.get(field)
        if given and not _Expansion(given).is_small():
            raise InvalidArgument(
                f"its schemas hold more than {_MOST} values, references ($ref) written out; "
                "this provider's need to be smaller",
                field,
            )


class _Expansion:
    """Walks a schema as one that puts references in place would, as far as the limit."""

    def __init__(self, root: Any) -> None:
        self._root = root
        self._defined = dict(_definitions(root))
        self._left = _MOST
        self._lookups_left = _MOST_LOOKUPS

    def is_small(self) -> bool:
        return self._fits(self._root, frozenset())

    def _fits(self, value: Any, inside: frozenset[str]) -> bool:
        """``inside``: the references within which this stands; what refers to itself is not put in again."""
        for inner in _values(value):
            self._left -= 1
            if self._left < 0:
                return False
            name = _referred(inner)
            if name in self._defined:
                self._lookups_left -= len(self._defined)
                if self._lookups_left < 0 or (name not in inside and not self._fits_in(name, inside)):
                    return False
            if not self._fits(inner, inside):
                return False
        return True

    def _fits_in(self, name: str, inside: frozenset[str]) -> bool:
        return len(inside) < _DEEPEST and self._fits(self._defined[name], inside | {name})


def _values(value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        yield from cast("dict[str, Any]", value).values()
    elif isinstance(value, list):
        yield from cast("list[Any]", value)


def _referred(value: Any) -> str:
    """The last step of a reference: LiteLLM looks definitions up by it."""
    if not isinstance(value, dict):
        return ""
    reference = cast("dict[str, Any]", value).get("$ref")
    return reference.rsplit("/", 1)[-1] if isinstance(reference, str) else ""


def _definitions(value: Any) -> Iterator[tuple[str, Any]]:
    """Whatever is defined anywhere in it, by name."""
    if isinstance(value, dict):
        for name in _DEFINITIONS:
            found = cast("dict[str, Any]", value).get(name)
            if isinstance(found, dict):
                yield from cast("dict[str, Any]", found).items()
    for inner in _values(value):
        yield from _definitions(inner)
