"""What one rendering may spend: a number of units, paid before each operation in proportion to its size.

A unit is about what one node of a template costs to run, or sixteen characters of text, or one element of
a list: some tenths of a microsecond and at most some sixty bytes. So the units bound time and memory
together, and whether a rendering fits does not depend on how busy the machine is. Made by
`render.py`, spent by what `statements.py` and `expressions.py` make.
"""

from __future__ import annotations

from typing import Any, NoReturn, cast

from voyager_llm.domain.definition import MAX_NESTING
from voyager_llm.errors import RenderFailed

UNITS = 500_000
CHARS_PER_UNIT = 16
MAX_OUTPUT_CHARS = 1_000_000


class Budget:
    """What is left to one rendering, and the line at which it stands, for its errors."""

    __slots__ = ("_chars", "_units", "line")

    def __init__(self, units: int = UNITS, chars: int = MAX_OUTPUT_CHARS) -> None:
        self._units = units
        self._chars = chars
        self.line = 0

    @property
    def left(self) -> int:
        return self._units

    def pay(self, units: int) -> None:
        """Raises `RenderFailed` when less is left."""
        self._units -= units
        if self._units < 0:
            _exhausted()

    def pay_text(self, chars: int) -> None:
        """For reading or building a text of so many characters."""
        self._units -= chars // CHARS_PER_UNIT
        if self._units < 0:
            _exhausted()

    def pay_output(self, chars: int) -> None:
        """For a text that goes into the prompt."""
        self._units -= chars // CHARS_PER_UNIT
        self._chars -= chars
        if self._units < 0:
            _exhausted()
        if self._chars < 0:
            raise RenderFailed(f"the prompt is longer than {MAX_OUTPUT_CHARS} characters", "variables")

    def pay_whole(self, value: Any) -> None:
        """For an operation that walks all of a value.

        What is reached twice is paid twice, as it is walked twice: a list of a list of a list … that each
        hold the next one twice is short to write and exponentially long to show.
        """
        level = [value]
        for _ in range(MAX_NESTING + 1):
            deeper: list[Any] = []
            chars = 0
            for item in level:
                if isinstance(item, str):
                    chars += len(item)
                elif isinstance(item, list):
                    self.pay(len(cast("list[Any]", item)))
                    deeper += item
                elif isinstance(item, dict):
                    self.pay(2 * len(cast("dict[str, Any]", item)))
                    deeper += item
                    deeper += item.values()
            self.pay_text(chars)
            if not deeper:
                return
            level = deeper
        raise RenderFailed(f"a value is nested more than {MAX_NESTING} levels deep", "template")


def _exhausted() -> NoReturn:
    advice = "use fewer or shorter loops, or smaller variables"
    raise RenderFailed(f"rendering takes more than {UNITS} steps: {advice}", "template")
