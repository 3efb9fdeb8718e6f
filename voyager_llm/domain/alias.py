"""Aliases: further names by which requests may call what a definition defines.

Other gateways' users call models by names that ours may not have, such as ``openrouter/anthropic/claude-3``
or ``Team A/gpt``. Requests alone use aliases; what refers to a definition uses its name. The fields are in
`model.py`, `route.py` and `prompt.py`; `voyager_llm/snapshot.py` resolves them, and
`voyager_llm/definitions/names.py` keeps them unique.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from pydantic import AfterValidator, Field

# What stands before a prompt's name where a request names its model.
PROMPT_PREFIX = "prompt:"
# What stands between it and a version.
VERSION_MARK = "@"

_MAX_LENGTH = 256
_MAX_ALIASES = 32


def fault_of(alias: str) -> str:
    """What keeps a text from being an alias, in the words that follow "aliases"; empty: nothing."""
    if not 0 < len(alias) <= _MAX_LENGTH:
        return f"must have 1 to {_MAX_LENGTH} characters"
    # Of all blanks only the plain one is printable, and of marks for the direction of writing none.
    if not alias.isprintable() or alias != alias.strip():
        return "must be printable, without blanks at their ends"
    if alias.startswith(PROMPT_PREFIX):
        return f"must not begin with {PROMPT_PREFIX}"
    return ""


def with_another(aliases: Sequence[str], called: str, name: str) -> list[str]:
    """The aliases of ``name`` with one more: what a manifest's `spec.name` calls it, beside metadata's name,
    where that can be an alias."""
    is_another = called not in ("", name, *aliases) and VERSION_MARK not in called and not fault_of(called)
    return [*aliases, called] if is_another else list(aliases)


def _checked(aliases: tuple[str, ...]) -> tuple[str, ...]:
    for alias in aliases:
        if fault := fault_of(alias):
            raise ValueError(f"aliases {fault}: {alias[:_MAX_LENGTH]!r}")
    if len(aliases) != len(set(aliases)):
        raise ValueError("aliases must differ")
    return aliases


Aliases = Annotated[
    tuple[Annotated[str, Field(min_length=1, max_length=_MAX_LENGTH)], ...],
    Field(max_length=_MAX_ALIASES),
    AfterValidator(_checked),
]
