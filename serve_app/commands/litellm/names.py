"""Names that definitions can have, each once; what clients call them besides is an alias.

Used by `routes.py`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

_LONGEST = 253
# Room for what makes a name another one: "-12".
_ROOM = 12
_VALID = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,251}[A-Za-z0-9])?")
_LONGEST_ALIAS = 256
# Requests name prompts so.
_PROMPT = "prompt:"


class Names:
    """The names of one import: no two definitions share one, whatever they were called before."""

    def __init__(self, wanted: Iterable[str]) -> None:
        """``wanted``: what clients call models now; the valid ones among them are kept for these."""
        self._taken = {name for name in wanted if is_valid(name)}

    def of_group(self, name: str) -> str:
        """The name of what clients call ``name``."""
        return name if is_valid(name) else self.new(name)

    def new(self, like: str) -> str:
        """A name that nothing else has."""
        plain = valid(like)
        name, number = plain, 2
        while name in self._taken:
            name, number = f"{plain}-{number}", number + 1
        self._taken.add(name)
        return name


def is_valid(name: str) -> bool:
    return _VALID.fullmatch(name) is not None


def is_alias(name: str) -> bool:
    """Whether a definition may have this alias."""
    is_readable = 0 < len(name) <= _LONGEST_ALIAS and name.isprintable() and name == name.strip()
    return is_readable and not name.startswith(_PROMPT)


def valid(name: str) -> str:
    """A valid name that resembles ``name``."""
    plain = re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-._")[: _LONGEST - _ROOM].strip("-._")
    return plain or "model"
