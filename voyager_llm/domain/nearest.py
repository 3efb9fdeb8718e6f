"""The known name that an unknown one was probably meant to be, at a price that strangers cannot raise.

A slip leaves the beginning or the end of a name as it was, so what was meant stands near what was written
where names are in order, read from one end or the other. Only these neighbours are compared, however many
names there are. Used by `voyager_llm/snapshot.py`, whose names all callers may see.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator
from itertools import islice

from voyager_llm.domain.alias import PROMPT_PREFIX

# Characters of an unknown name that an error repeats.
_MAX_SHOWN = 128
# Longer names are not looked for, and more are not put in order.
_MAX_LENGTH = 100
_MAX_NAMES = 20_000
# On each side, in each order.
_NEIGHBOURS = 4
# Characters from the first slip to the last.
_MAX_APART = 32
# Slips that a name may hold, and characters that it needs for each.
_MAX_SLIPS = 3
_FOR_A_SLIP = 4


class Names:
    """Names that may be called. They are put in order when the first unknown one comes."""

    def __init__(self, names: Iterable[str]) -> None:
        self._names = names
        self._order: tuple[dict[str, str], list[str], list[str]] | None = None

    def unknown(self, what: str, asked: str) -> str:
        """The message that nothing of this kind has the name, with what was probably meant."""
        nearest = self.nearest(asked)
        meant = f"; did you mean {nearest!r}?" if nearest else ""
        return f"no {what} is named {asked[:_MAX_SHOWN]!r}{meant}"

    def nearest(self, asked: str) -> str:
        """The name that is nearest to an unknown one; empty: none is near."""
        if len(asked) > _MAX_LENGTH:
            return ""
        if self._order is None:
            self._order = _ordered(self._names)
        labels, forwards, backwards = self._order
        key = _key(asked)
        found = {*_around(forwards, key), *(near[::-1] for near in _around(backwards, key[::-1]))}
        best, least = "", _FAR
        for near in sorted(found, key=lambda near: (abs(len(near) - len(key)), near)):
            far = _far(key, near, least)
            if far < least:
                best, least = near, far
        return labels[best] if best else ""


def _ordered(names: Iterable[str]) -> tuple[dict[str, str], list[str], list[str]]:
    """Each name by its key, and the keys in order, read from either end."""
    labels: dict[str, str] = {}
    for name in islice(names, _MAX_NAMES):
        if len(name) <= _MAX_LENGTH:
            labels.setdefault(_key(name), name)
    return labels, sorted(labels), sorted(key[::-1] for key in labels)


def _key(name: str) -> str:
    """What names are compared by: neither case nor whether it is a prompt's is what people know for sure."""
    return name.removeprefix(PROMPT_PREFIX).casefold()


def _around(ordered: list[str], key: str) -> Iterator[str]:
    place = bisect_left(ordered, key)
    return islice(ordered, max(0, place - _NEIGHBOURS), place + _NEIGHBOURS)


# Farther than what is suggested.
_FAR = _MAX_SLIPS + 2


def _far(asked: str, near: str, least: int) -> int:
    """Slips between two names; one more than are allowed where one name only goes on from the other. Counted
    no further than to ``least``, which another name has already."""
    shorter = min(len(asked), len(near))
    allowed = min(_MAX_SLIPS, shorter // _FOR_A_SLIP, least - 1)
    slips = _slips(asked, near, allowed)
    if slips <= allowed:
        return slips
    longer, other = (asked, near) if len(asked) > len(near) else (near, asked)
    goes_on = shorter >= _FOR_A_SLIP and (longer.startswith(other) or longer.endswith(other))
    return _FAR - 1 if goes_on else _FAR


def _slips(a: str, b: str, most: int) -> int:
    """Characters left out, put in, changed, or swapped with the next; anything above ``most`` is too many."""
    a, b = _differing(a, b)
    if not a and not b:
        return 0
    if most <= 0 or abs(len(a) - len(b)) > most or min(len(a), len(b)) > _MAX_APART:
        return most + 1
    before: list[int] = []
    row = list(range(len(b) + 1))
    for i, char in enumerate(a, 1):
        above, before, row = before, row, [i] + [most + 1] * len(b)
        # Farther from the diagonal there are too many.
        for j in range(max(1, i - most), min(len(b), i + most) + 1):
            same = char == b[j - 1]
            row[j] = min(before[j - 1] + (not same), before[j] + 1, row[j - 1] + 1)
            if i > 1 and j > 1 and char == b[j - 2] and a[i - 2] == b[j - 1]:
                row[j] = min(row[j], above[j - 2] + 1)
        if min(row) > most:
            return most + 1
    return row[-1]


def _differing(a: str, b: str) -> tuple[str, str]:
    """What is left of two names without what both begin and end with."""
    most = min(len(a), len(b))
    start = next((i for i in range(most) if a[i] != b[i]), most)
    most -= start
    end = next((i for i in range(most) if a[-1 - i] != b[-1 - i]), most)
    return a[start : len(a) - end], b[start : len(b) - end]
