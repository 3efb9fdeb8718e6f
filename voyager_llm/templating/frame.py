"""What a template sees while it runs: its names, and the loop around it. Made by `statements.py`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from jinja2 import StrictUndefined

from voyager_llm.templating.budget import CHARS_PER_UNIT, Budget


class Loop:
    """Where a loop stands."""

    __slots__ = ("_items", "index0")

    def __init__(self, items: list[Any]) -> None:
        self._items = items
        self.index0 = 0

    @property
    def length(self) -> int:
        return len(self._items)

    def neighbour(self, distance: int) -> Any:
        """The element so far from the current one."""
        index = self.index0 + distance
        if 0 <= index < len(self._items):
            return self._items[index]
        return StrictUndefined("there is no previous element" if distance < 0 else "there is no next element")


LOOP_ATTRIBUTES: Mapping[str, Callable[[Loop], Any]] = {
    "index": lambda loop: loop.index0 + 1,
    "index0": lambda loop: loop.index0,
    "revindex": lambda loop: loop.length - loop.index0,
    "revindex0": lambda loop: loop.length - loop.index0 - 1,
    "first": lambda loop: loop.index0 == 0,
    "last": lambda loop: loop.index0 == loop.length - 1,
    "length": lambda loop: loop.length,
    "previtem": lambda loop: loop.neighbour(-1),
    "nextitem": lambda loop: loop.neighbour(1),
}


class Frame:
    """One scope of a rendering. ``out`` is the text so far, ``loop`` is None outside of loops."""

    __slots__ = ("budget", "loop", "names", "out")

    def __init__(
        self, budget: Budget, names: dict[str, Any], out: list[str], loop: Loop | None = None
    ) -> None:
        self.budget = budget
        self.names = names
        self.out = out
        self.loop = loop

    @property
    def cost(self) -> int:
        """What `inner` costs."""
        return 1 + len(self.names) // CHARS_PER_UNIT

    def inner(self, loop: Loop | None) -> Frame:
        """A scope in this one: it sees the names of this one, and what it sets stays its own. The caller
        has paid."""
        return Frame(self.budget, self.names.copy(), self.out, loop)
