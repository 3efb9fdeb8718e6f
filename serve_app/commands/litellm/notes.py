"""What is told about a configuration: where it stands, what became of it, what to do.

Used by all beside it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

# Of a text out of the file that a note repeats.
_LONGEST = 80


class Effect(StrEnum):
    """What a note means to whoever imports."""

    # Nothing is missing, but something outside of the definitions has to be done: a secret, a setting.
    TODO = "to do"
    # It was mapped, and acts in another way where the note says so.
    DIFFERS = "differs"
    # It has no counterpart and was dropped; what it belongs to was imported.
    LOST = "lost"
    # A model, a route or a step of a chain was not imported.
    LEFT_OUT = "left out"


@dataclass(frozen=True, slots=True)
class Place:
    """A line of a file; lines count from 1, and 0 is no line at all."""

    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}" if self.line else self.file


@dataclass(frozen=True, slots=True)
class Note:
    """One remark. ``subject`` names the setting; no note ever holds a value that may be a secret."""

    effect: Effect
    place: Place
    subject: str
    text: str

    def __str__(self) -> str:
        return f"{self.place}: {self.effect}: {self.subject}: {self.text}"


class Notes:
    """Collects notes; the same one twice is one."""

    def __init__(self) -> None:
        self._notes: dict[Note, None] = {}

    def add(self, effect: Effect, place: Place, subject: str, text: str) -> None:
        self._notes[Note(effect, place, subject, text)] = None

    def todo(self, place: Place, subject: str, text: str) -> None:
        self.add(Effect.TODO, place, subject, text)

    def differs(self, place: Place, subject: str, text: str) -> None:
        self.add(Effect.DIFFERS, place, subject, text)

    def lost(self, place: Place, subject: str, text: str) -> None:
        self.add(Effect.LOST, place, subject, text)

    def left_out(self, place: Place, subject: str, text: str) -> None:
        self.add(Effect.LEFT_OUT, place, subject, text)

    def ordered(self) -> Sequence[Note]:
        """By file and line."""
        return sorted(self._notes, key=lambda note: (note.place.file, note.place.line))


def shown(text: str) -> str:
    """A name out of the file, quoted, without what would steer a terminal, and not longer than a line."""
    return repr(text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…")
