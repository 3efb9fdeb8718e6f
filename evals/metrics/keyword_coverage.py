"""How many of the reference's keywords the output mentions. Used by `evals/scoring.py`."""

from __future__ import annotations

import re

_WORD = re.compile(r"[^\W\d_][\w'-]*|\d[\d.,]*")

# Words of English that carry no topic (a short function-word list).
_STOP = frozenset(
    """a an and are as at be been but by can could did do does for from had has have he her his how i if in
    into is it its may me more most my no nor not of on or our out over own said shall she should so some
    such than that the their them then there these they this those to too under up us very was we were
    what when where which while who whom why will with would you your""".split()
)


def keywords(text: str) -> set[str]:
    """Words of a text that carry its topic, in lower case, a plural s removed."""
    words = {word.lower().strip("'.,-") for word in _WORD.findall(text)}
    return {_singular(word) for word in words if word and word not in _STOP}


def keyword_coverage(output: str, reference: str) -> float:
    """Share of the reference's keywords that the output has too; 1 when the reference has none."""
    wanted = keywords(reference)
    return len(wanted & keywords(output)) / len(wanted) if wanted else 1.0


def _singular(word: str) -> str:
    if len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is")):
        return word[:-1]
    return word
