"""A YAML file as a tree whose every value knows its line; safe to read, whatever the file holds.

Used by `translate.py`, and by `includes.py` for the files that a file includes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, cast

import yaml

from serve_app.commands.client import ServiceError
from serve_app.commands.litellm.notes import Notes, Place, shown

MAX_BYTES = 2 * 1024 * 1024
# Values of a tree, each alias counted as all that it stands for: a few lines of aliases can stand for
# billions.
MAX_VALUES = 200_000
MAX_DEPTH = 100

Scalar = str | int | float | bool | None

_STANDARD = "tag:yaml.org,2002:"
# LiteLLM is given a date where somebody wrote a version without quotes; what was written is meant.
_AS_WRITTEN = frozenset({f"{_STANDARD}timestamp", f"{_STANDARD}binary"})
_SCALARS = frozenset(f"{_STANDARD}{kind}" for kind in ("str", "int", "float", "bool", "null", "value"))

_COLLECTIONS = frozenset(f"{_STANDARD}{kind}" for kind in ("map", "seq"))


@dataclass(frozen=True, slots=True)
class Node:
    """A value and its place."""

    value: Scalar | Sequence[Node] | Mapping[str, Node]
    place: Place

    @property
    def fields(self) -> Mapping[str, Node]:
        """What a mapping holds; of any other value: nothing."""
        return self.value if isinstance(self.value, Mapping) else _NOTHING

    @property
    def items(self) -> Sequence[Node]:
        """What a list holds; of any other value: nothing."""
        return cast("Sequence[Node]", self.value) if isinstance(self.value, tuple) else ()

    @property
    def scalar(self) -> Scalar:
        """The value, where it is neither mapping nor list; else None."""
        return self.value if isinstance(self.value, (str, int, float)) else None

    @property
    def is_null(self) -> bool:
        return self.value is None

    def plain(self) -> Any:
        """As JSON data."""
        if isinstance(self.value, Mapping):
            return {name: node.plain() for name, node in self.fields.items()}
        if isinstance(self.value, tuple):
            return [node.plain() for node in self.items]
        return self.value


_NOTHING: Mapping[str, Node] = MappingProxyType({})


def node_of(data: Any, place: Place) -> Node:
    """Data that never was in a file, all of it at one place."""
    if isinstance(data, dict):
        fields = cast("dict[Any, Any]", data)
        return Node({str(name): node_of(value, place) for name, value in fields.items()}, place)
    if isinstance(data, (list, tuple)):
        return Node(tuple(node_of(item, place) for item in cast("list[Any]", data)), place)
    return Node(data if data is None or isinstance(data, (str, int, float)) else str(data), place)


def read(path: Path, notes: Notes) -> Node:
    """The mapping that a file holds. Keys that stand twice are noted.

    Raises `ServiceError` with file and line."""
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise ServiceError(f"{path}: {error.strerror or type(error).__name__}") from None
    if len(content) > MAX_BYTES:
        raise ServiceError(f"{path}: is larger than {MAX_BYTES} bytes; part it with `include`")
    try:
        loader = yaml.SafeLoader(content)
        try:
            root = loader.get_single_node()
            tree = _Tree(str(path), loader, notes).node(root, 0) if root is not None else None
        finally:
            loader.dispose()
    except RecursionError:
        raise ServiceError(f"{path}: {_TOO_DEEP}") from None
    except yaml.MarkedYAMLError as error:
        # The text of the error would repeat the line, which may hold a key.
        mark = error.problem_mark or error.context_mark
        raise ServiceError(f"{Place(str(path), mark.line + 1 if mark else 0)}: {error.problem}") from None
    except (yaml.YAMLError, UnicodeError):
        raise ServiceError(f"{path}: is no YAML in UTF-8 or UTF-16") from None
    if tree is None or not isinstance(tree.value, Mapping):
        raise ServiceError(f"{path}: must be a mapping with a model_list")
    return tree


_TOO_DEEP = f"is nested more than {MAX_DEPTH} levels deep"


class _Tree:
    """Makes nodes of YAML's nodes."""

    def __init__(self, file: str, loader: yaml.SafeLoader, notes: Notes) -> None:
        self._file = file
        self._loader = loader
        self._notes = notes
        self._count = 0

    def node(self, given: yaml.Node, depth: int) -> Node:
        self._count += 1
        place = self._place(given)
        if self._count > MAX_VALUES:
            raise ServiceError(f"{place}: the file's aliases stand for more than {MAX_VALUES} values")
        if depth > MAX_DEPTH:
            # So deep is also what holds itself.
            raise ServiceError(f"{place}: {_TOO_DEEP}")
        if not isinstance(given, yaml.ScalarNode) and given.tag not in _COLLECTIONS:
            raise self._foreign(given, place)
        if isinstance(given, yaml.MappingNode):
            return Node(MappingProxyType(self._fields(given, depth)), place)
        if isinstance(given, yaml.SequenceNode):
            return Node(tuple(self.node(item, depth + 1) for item in given.value), place)
        return Node(self._scalar(given), place)

    def _fields(self, given: yaml.MappingNode, depth: int) -> dict[str, Node]:
        own: dict[str, Node] = {}
        merged: dict[str, Node] = {}
        for key, value in given.value:
            if not isinstance(key, yaml.ScalarNode):
                raise ServiceError(f"{self._place(key)}: a key must be a text")
            if key.tag == f"{_STANDARD}merge":
                # Of several mappings, the first that has a key wins; the mapping's own keys win over all.
                merged = {**self._merged(value, depth), **merged}
                continue
            if key.value in own:
                self._notes.differs(
                    self._place(key),
                    shown(key.value),
                    "the key stands twice in its mapping; the later one counts, as for LiteLLM",
                )
            own[key.value] = self.node(value, depth + 1)
        return {**merged, **own}

    def _merged(self, given: yaml.Node, depth: int) -> dict[str, Node]:
        mappings = given.value if isinstance(given, yaml.SequenceNode) else [given]
        fields: dict[str, Node] = {}
        for mapping in reversed(mappings):
            node = self.node(mapping, depth + 1)
            if not isinstance(node.value, Mapping):
                raise ServiceError(f"{node.place}: what `<<` merges must be a mapping")
            fields.update(node.fields)
        return fields

    def _scalar(self, given: yaml.Node) -> Scalar:
        if given.tag in _AS_WRITTEN:
            return given.value
        if given.tag not in _SCALARS:
            raise self._foreign(given, self._place(given))
        try:
            return self._loader.construct_object(given)
        except (ValueError, OverflowError):
            return given.value

    def _foreign(self, given: yaml.Node, place: Place) -> ServiceError:
        return ServiceError(f"{place}: the tag {shown(given.tag)} is none that a configuration has")

    def _place(self, given: yaml.Node) -> Place:
        return Place(self._file, given.start_mark.line + 1)
