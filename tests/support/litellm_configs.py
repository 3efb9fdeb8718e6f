"""The configurations under `tests/litellm_configs/`, and what each of them is to become.

`python -m tests.support.litellm_configs` writes what they become now, for whoever changed it to read the
difference. `tests/unit/test_litellm_configs.py` compares; `tests/e2e/test_import_litellm.py` imports and
calls.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from serve_app.commands.litellm.translate import Imported
from serve_app.commands.litellm_config import import_file
from voyager_llm.domain.route import RouteDefinition

FOLDER = Path(__file__).resolve().parents[1] / "litellm_configs"
NAMES = ("azure", "balanced", "clouds", "company", "hidden", "local", "simple")
# Until definitions have aliases, a name that cannot be kept is a note instead.
HAVE_ALIASES = "aliases" in RouteDefinition.model_fields
_CALLED = " is called "


def imported(name: str) -> Imported:
    return import_file(FOLDER / f"{name}.yaml", {}, ())


def outcome(result: Imported) -> dict[str, Any]:
    """Definitions and notes as a document. Aliases are compared apart, by tests of their own."""
    return {
        "models": [_without_aliases(model) for model in result.models],
        "routes": [_without_aliases(route) for route in result.routes],
        "notes": [
            f"{note.place.line}: {note.effect}: {note.subject}: {note.text}"
            for note in result.remarks
            if not note.text.startswith(_CALLED.lstrip())
        ],
    }


def expected(name: str) -> dict[str, Any]:
    return yaml.safe_load((FOLDER / f"{name}.expected.yaml").read_text())


def _without_aliases(definition: dict[str, Any]) -> dict[str, Any]:
    return {field: value for field, value in definition.items() if field != "aliases"}


def _write() -> None:
    for name in NAMES:
        text = yaml.safe_dump(outcome(imported(name)), sort_keys=False, allow_unicode=True, width=110)
        (FOLDER / f"{name}.expected.yaml").write_text(text)


if __name__ == "__main__":
    _write()
