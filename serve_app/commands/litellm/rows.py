"""A row of the catalog: some settings of one section, and what becomes of them. Used by `catalog*.py`."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from serve_app.commands.litellm.notes import Effect


class Section(StrEnum):
    """Where a setting stands; the value is the section's name in the file."""

    FILE = "file"
    ENTRY = "model_list"
    PARAMS = "litellm_params"
    INFO = "model_info"
    LITELLM = "litellm_settings"
    ROUTER = "router_settings"
    GENERAL = "general_settings"

    @property
    def prefix(self) -> str:
        """What stands before a setting's name where a note names it."""
        return "" if self is Section.FILE else f"{self.value}."

    @property
    def heading(self) -> str:
        titles = {Section.FILE: "The file itself", Section.ENTRY: "An entry of `model_list`"}
        return titles.get(self, f"`{self.value}`")


@dataclass(frozen=True, slots=True)
class Row:
    """Settings with one fate. ``what``: what they become, or what a note says of them."""

    names: tuple[str, ...]
    # Names with stars, for settings of which there are many, or more with each release.
    patterns: tuple[str, ...]
    # None: they are mapped.
    effect: Effect | None
    what: str


def mapped(names: str, what: str) -> Row:
    return _row(names, None, what)


def todo(names: str, what: str) -> Row:
    return _row(names, Effect.TODO, what)


def differs(names: str, what: str) -> Row:
    return _row(names, Effect.DIFFERS, what)


def lost(names: str, what: str) -> Row:
    return _row(names, Effect.LOST, what)


def _row(names: str, effect: Effect | None, what: str) -> Row:
    words = names.split()
    return Row(
        tuple(word for word in words if "*" not in word),
        tuple(word for word in words if "*" in word),
        effect,
        what,
    )
