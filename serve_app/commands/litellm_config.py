"""`voyager-llm import-litellm`: a LiteLLM proxy's configuration as models and routes.

The file is read and checked as a whole before anything is written or sent. How settings are translated
stands in `litellm/`; this reads, writes and reports. Used by `cli.py`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from rich.console import Console
from rich.table import Table
from rich.text import Text

from serve_app.commands.apply import manifest_of
from serve_app.commands.client import ServiceError
from serve_app.commands.kinds import KINDS, KindInfo, to_manifest
from serve_app.commands.litellm.includes import read_all
from serve_app.commands.litellm.notes import Effect, Notes, Place
from serve_app.commands.litellm.source import node_of
from serve_app.commands.litellm.translate import Imported, Mapped, translate
from serve_app.commands.manifests import Manifest

# Exit codes besides those of every command.
LOST, LEFT_OUT = 4, 5


def import_file(path: Path, variables: Mapping[str, str], models: Iterable[str]) -> Imported:
    """What a file becomes. ``variables``: what `os.environ/…` stands for; ``models``: names that clients
    reach by a wildcard.

    Raises `ServiceError` for what is no configuration, with every line that is at fault."""
    notes = Notes()
    return translate(read_all(path, notes), notes, variables, models)


def import_config(config: dict[str, Any]) -> Imported:
    """What a configuration becomes that was read before. Raises `ServiceError`."""
    return translate(node_of(config, Place("config", 0)), Notes(), {}, ())


def exit_code(imported: Imported) -> int:
    """0: all of it has a counterpart; 4: settings have none; 5: models, or steps of chains, were left out."""
    if imported.has(Effect.LEFT_OUT):
        return LEFT_OUT
    return LOST if imported.has(Effect.LOST) else 0


def manifests_of(imported: Imported, source: str) -> list[Manifest]:
    """What `apply` writes, all or none."""
    return [manifest_of(kind.name, definition, source) for kind, definition in _definitions(imported)]


def write_all(directory: Path, imported: Imported) -> Sequence[Path]:
    """Write a manifest for each definition, for `apply` and for Git; files of others are left alone.

    Raises `ServiceError`."""
    texts = {
        directory / kind.plural / f"{definition['name']}.yaml": yaml.safe_dump(
            to_manifest(kind, definition), sort_keys=False, allow_unicode=True
        )
        for kind, definition in _definitions(imported)
    }
    try:
        for path, text in texts.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
    except OSError as error:
        raise ServiceError(f"{directory}: {error.strerror or type(error).__name__}") from None
    return list(texts)


def report(imported: Imported, console: Console) -> None:
    """Say what each line became, then what is to be known and done."""
    console.print(_table(imported.mapped))
    for note in imported.notes:
        console.print(Text(f"note: {note}"), soft_wrap=True)


def _table(rows: Iterable[Mapped]) -> Table:
    table = Table("LINE", "LITELLM", "HERE", box=None)
    for row in rows:
        # As text: a name may look like markup, or hold what steers a terminal.
        table.add_row(
            str(row.place), *(Text(_printable(cell), overflow="fold") for cell in (row.given, row.became))
        )
    return table


def _printable(text: str) -> str:
    return "".join(character if character.isprintable() else "�" for character in text)


def _definitions(imported: Imported) -> Iterator[tuple[KindInfo, dict[str, Any]]]:
    """Models first: routes refer to them."""
    for model in imported.models:
        yield KINDS["model"], model
    for route in imported.routes:
        yield KINDS["route"], route
