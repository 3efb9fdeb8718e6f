"""The files that a configuration includes, merged into it as LiteLLM merges them.

Lists are joined, and of anything else the included file's value wins. Used by `translate.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from serve_app.commands.client import ServiceError
from serve_app.commands.litellm.notes import Notes, shown
from serve_app.commands.litellm.source import Node, read

_MOST_FILES = 64


def read_all(path: Path, notes: Notes) -> Node:
    """A configuration with all that it includes. Raises `ServiceError`."""
    root = path.resolve().parent
    tree = read(path, notes)
    merged = dict(tree.fields)
    waiting = [(path, node) for node in _included(merged)]
    seen = {path.resolve()}
    while waiting:
        declared_in, node = waiting.pop(0)
        file = _file(declared_in, path, root, node)
        if file.resolve() in seen:
            continue
        seen.add(file.resolve())
        if len(seen) > _MOST_FILES:
            raise ServiceError(f"{node.place}: more than {_MOST_FILES} files are included")
        further = dict(read(file, notes).fields)
        waiting += [(file, inner) for inner in _included(further)]
        merged = _merged(merged, further)
    merged.pop("include", None)
    return Node(MappingProxyType(merged), tree.place)


def _included(fields: Mapping[str, Node]) -> tuple[Node, ...]:
    given = fields.get("include")
    if given is None or given.is_null:
        return ()
    nodes = tuple(given.items) if isinstance(given.value, tuple) else (given,)
    for node in nodes:
        if not isinstance(node.value, str) or not node.value:
            raise ServiceError(f"{node.place}: include must be a list of files")
    return nodes


def _file(declared_in: Path, config: Path, root: Path, node: Node) -> Path:
    """Next to the file that names it, else next to the first one. Raises `ServiceError`.

    A configuration is read for somebody else, perhaps; it must not choose what else is read here."""
    name = str(node.value)
    for folder in (declared_in.parent, config.parent):
        file = folder / name
        if not file.resolve().is_relative_to(root):
            raise ServiceError(
                f"{node.place}: {shown(name)} lies outside of the configuration's folder; copy it there"
            )
        if file.is_file():
            return file
    raise ServiceError(f"{node.place}: the included file {shown(name)} does not exist")


def _merged(first: Mapping[str, Node], further: Mapping[str, Node]) -> dict[str, Node]:
    merged = dict(first)
    for name, node in further.items():
        before = merged.get(name)
        if before is not None and isinstance(before.value, tuple) and isinstance(node.value, tuple):
            merged[name] = Node((*before.items, *node.items), before.place)
        else:
            merged[name] = node
    return merged
