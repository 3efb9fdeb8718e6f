"""The tables of `docs/providers.md`, out of what the tests hold.

`python -m tests.contract.differential.documented` writes them anew; `test_differential.py` compares.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from deployments.lanes.dialects import dialect
from tests.contract.differential.differences import ANSWERS, REQUESTS, Row
from tests.contract.differential.families import ADAPTER

DOCUMENT = Path(__file__).resolve().parents[3] / "docs" / "providers.md"
_BEGIN, _END = "<!-- begin: {} -->", "<!-- end: {} -->"


def tables() -> dict[str, str]:
    """By the name of the place where it stands."""
    return {"parts": _parts(), "requests": _differences(REQUESTS), "answers": _differences(ANSWERS)}


def filled(text: str) -> str:
    """The document with its tables as they must be."""
    for name, table in tables().items():
        begin, end = _BEGIN.format(name), _END.format(name)
        before, _, rest = text.partition(begin)
        _, _, after = rest.partition(end)
        text = f"{before}{begin}\n\n{table}\n\n{end}{after}"
    return text


def _parts() -> str:
    kinds = ("image_url", "input_audio", "file")
    rows = [("provider", *(f"`{kind}`" for kind in kinds)), ("---",) * (1 + len(kinds))]
    for provider, name in sorted({(family.provider, family.model) for family in ADAPTER}):
        media = dialect(provider, name).media
        taken = [
            "data, https" if kind in media.fetched else "data" if kind in media.taken else "refused"
            for kind in kinds
        ]
        row = (f"`{provider}`", *taken)
        if row not in rows:
            rows.append(row)
    return _table(rows)


def _differences(rows: Iterable[Row]) -> str:
    lines = [("providers", "of", "difference", "why"), ("---",) * 4]
    for row in rows:
        shapes = ", ".join(row.shapes) or "all"
        paths = ", ".join(f"`{path}`" for path in row.paths)
        lines.append((", ".join(row.providers), shapes, paths, row.why))
    return _table(lines)


def _table(rows: Iterable[tuple[str, ...]]) -> str:
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


if __name__ == "__main__":
    DOCUMENT.write_text(filled(DOCUMENT.read_text()))
