"""How the command line shows things: tables, JSON, YAML, differences."""

from __future__ import annotations

import difflib
import sys
from collections.abc import Sequence
from enum import StrEnum
from typing import Any

import orjson
import yaml
from rich.console import Console
from rich.table import Table

from serve_app.commands.kinds import KindInfo, to_manifest

out = Console(highlight=False)
err = Console(stderr=True, highlight=False)


class Format(StrEnum):
    """How to print definitions."""

    TABLE = "table"
    JSON = "json"
    YAML = "yaml"


def show_definitions(kind: KindInfo, entries: Sequence[dict[str, Any]], style: Format, *, one: bool) -> None:
    """Print definitions: a table, or manifests that `apply` takes."""
    if style is Format.TABLE:
        table = Table(*(column.rpartition(".")[2].upper() for column in kind.columns), box=None)
        for entry in entries:
            table.add_row(*(_cell(_at(entry, column)) for column in kind.columns))
        out.print(table)
        return
    manifests = [to_manifest(kind, entry) for entry in entries]
    if style is Format.JSON:
        write_json(manifests[0] if one else manifests)
    else:
        sys.stdout.write(yaml.safe_dump_all(manifests, sort_keys=False, allow_unicode=True))


def write_json(document: Any) -> None:
    sys.stdout.write(orjson.dumps(document, option=orjson.OPT_INDENT_2).decode() + "\n")


def difference(kind: KindInfo, before: dict[str, Any], after: dict[str, Any], names: tuple[str, str]) -> str:
    """A unified diff of two versions as YAML; empty when they are equal."""
    texts = [
        yaml.safe_dump(to_manifest(kind, version)["spec"], sort_keys=True, allow_unicode=True).splitlines(
            True
        )
        for version in (before, after)
    ]
    return "".join(difflib.unified_diff(texts[0], texts[1], *names))


def _at(entry: dict[str, Any], path: str) -> Any:
    value: Any = entry
    for step in path.split("."):
        value = value.get(step) if isinstance(value, dict) else None
    return value


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, list):
        return ", ".join(item["model"] if isinstance(item, dict) else str(item) for item in value) or "-"
    return str(value)
