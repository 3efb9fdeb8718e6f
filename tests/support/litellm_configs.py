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

FOLDER = Path(__file__).resolve().parents[1] / "litellm_configs"
NAMES = ("azure", "balanced", "clouds", "company", "hidden", "local", "simple")


def imported(name: str) -> Imported:
    return import_file(FOLDER / f"{name}.yaml", {}, ())


def outcome(result: Imported) -> dict[str, Any]:
    """Definitions and notes as a document."""
    return {
        "models": list(result.models),
        "routes": list(result.routes),
        "notes": [
            f"{note.place.line}: {note.effect}: {note.subject}: {note.text}" for note in result.remarks
        ],
    }


def expected(name: str) -> dict[str, Any]:
    return yaml.safe_load((FOLDER / f"{name}.expected.yaml").read_text())


def _write() -> None:
    for name in NAMES:
        text = yaml.safe_dump(outcome(imported(name)), sort_keys=False, allow_unicode=True, width=110)
        (FOLDER / f"{name}.expected.yaml").write_text(text)


if __name__ == "__main__":
    _write()
