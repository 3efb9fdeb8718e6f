"""The table of `docs/import-litellm.md`, out of the catalog that the import obeys.

`python -m tests.support.litellm_documented` writes it anew; `tests/unit/test_litellm_catalog.py` compares.
"""

from __future__ import annotations

from pathlib import Path

from serve_app.commands.litellm.catalog import documented

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "import-litellm.md"
_BEGIN, _END = "<!-- begin: settings -->", "<!-- end: settings -->"


def filled(text: str) -> str:
    """The document with its table as it must be."""
    before, _, rest = text.partition(_BEGIN)
    _, _, after = rest.partition(_END)
    table = "\n".join(documented()).strip()
    return f"{before}{_BEGIN}\n\n{table}\n\n{_END}{after}"


if __name__ == "__main__":
    DOCUMENT.write_text(filled(DOCUMENT.read_text()))
