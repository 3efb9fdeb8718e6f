"""What becomes of every setting of a LiteLLM proxy: one table, which the code obeys and the docs show.

`docs/import-litellm.md` is checked against it by `tests/unit/test_litellm_catalog.py`, and it
against the settings of the installed LiteLLM. Used by all that reads settings.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase

from serve_app.commands.litellm.catalog_of_models import MODEL_INFO, PARAMS
from serve_app.commands.litellm.catalog_of_proxy import FILE, GENERAL, LITELLM, ROUTER
from serve_app.commands.litellm.notes import Effect, Notes
from serve_app.commands.litellm.rows import Row, Section, lost, mapped
from serve_app.commands.litellm.source import Node

ENTRY = (
    mapped("model_name", "name of a model, or of a route where several entries share it; `aliases` where it "
           "is no valid name"),
    mapped("litellm_params", "the model; see below"),
    mapped("model_info", "the model's price, capabilities and context length; see below"),
    mapped("rpm tpm", "`rate_limits`, as in `litellm_params`"),
)  # fmt: skip

CATALOG: Mapping[Section, tuple[Row, ...]] = {
    Section.FILE: FILE,
    Section.ENTRY: ENTRY,
    Section.PARAMS: PARAMS,
    Section.INFO: MODEL_INFO,
    Section.LITELLM: LITELLM,
    Section.ROUTER: ROUTER,
    Section.GENERAL: GENERAL,
}

_UNKNOWN = lost("*", "is no setting that is known here; it was dropped")


def row_of(section: Section, name: str) -> Row:
    """What becomes of a setting. A name in full wins over a pattern, a row over the ones below it."""
    rows = CATALOG[section]
    for row in rows:
        if name in row.names:
            return row
    for row in rows:
        if any(fnmatchcase(name, pattern) for pattern in row.patterns):
            return row
    return _UNKNOWN


def is_known(section: Section, name: str) -> bool:
    return row_of(section, name) is not _UNKNOWN


def mapped_fields(section: Section, node: Node, notes: Notes, of: str = "") -> dict[str, Node]:
    """The fields of a mapping that have a counterpart and a value; the others are noted.

    ``of``: whose they are."""
    found: dict[str, Node] = {}
    for name, field in node.fields.items():
        if field.is_null:
            continue
        row = row_of(section, name)
        if row.effect is None:
            found[name] = field
        elif not _is_off(row, field):
            subject = f"{section.prefix}{name}" + (f" of {of}" if of else "")
            notes.add(row.effect, field.place, subject, row.what)
    return found


def _is_off(row: Row, field: Node) -> bool:
    """Whether a setting says that there shall not be what there is not here."""
    is_off = field.value is False or field.value in ({}, (), "")
    return is_off and row.effect in (Effect.LOST, Effect.DIFFERS) and row is not _UNKNOWN


def documented() -> Iterator[str]:
    """The tables of `docs/import-litellm.md`, line by line."""
    for section, rows in CATALOG.items():
        yield from (f"### {section.heading}", "", "| setting | becomes | |", "| --- | --- | --- |")
        for row in rows:
            names = ", ".join(f"`{name}`" for name in (*row.names, *row.patterns))
            kind = "mapped" if row.effect is None else f"note: {row.effect}"
            yield f"| {names} | {kind} | {row.what} |"
        yield ""
