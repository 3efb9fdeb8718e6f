"""Values of a configuration as what they are meant to be: texts, numbers, and `os.environ/…`.

LiteLLM reads variables of its process; here only those count that the file or the command gives. Used by all
that makes definitions.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

from serve_app.commands.litellm.source import Node, Scalar

REFERENCE = "os.environ/"
# Names of variables and of fields whose value is nobody's business.
_SECRET = re.compile(
    r"(^|_|-)(api_?keys?|keys?|secrets?|tokens?|passw(or)?d|credentials?|auth(orization)?|bearer|private)(_|-|$)",
    re.IGNORECASE,
)
# Such names of what is no secret: counts and prices.
_HARMLESS = re.compile(
    r"(max|min|budget|cost|per|num|count).*tokens?|tokens?_(count|cost|limit)", re.IGNORECASE
)


def names_a_secret(name: str) -> bool:
    """Whether a field or variable of this name holds a secret, as far as a name can tell."""
    return bool(_SECRET.search(name)) and not _HARMLESS.search(name)


class UnresolvedError(Exception):
    """A value is that of a variable which nobody gave; the text says what to do."""


class WrongValueError(Exception):
    """A value is not what its setting takes; the text says what it must be, and never the value."""


@dataclass(frozen=True, slots=True)
class Variables:
    """What `os.environ/…` stands for: ``given`` by whoever imports, else by the file itself."""

    given: Mapping[str, str]
    of_file: Mapping[str, Node]

    def find(self, name: str) -> str | None:
        """The value of a variable that is no secret; None: nobody gave it."""
        if names_a_secret(name):
            return None
        if name in self.given:
            return self.given[name]
        node = self.of_file.get(name)
        text = None if node is None or node.scalar is None else str(node.scalar)
        return None if text is None or text.startswith(REFERENCE) else text

    def scalar(self, node: Node) -> Scalar:
        """The value of a node, looked up where it is a reference. Raises `UnresolvedError`."""
        value = node.scalar
        if not isinstance(value, str) or not value.startswith(REFERENCE):
            return value
        name = value.removeprefix(REFERENCE)
        found = self.find(name)
        if found is None:
            raise UnresolvedError(_unresolved(name))
        return found

    def text(self, node: Node) -> str:
        """A value as text. Raises `UnresolvedError`, and `WrongValueError` for a mapping or list."""
        value = self.scalar(node)
        if value is None and not node.is_null:
            raise WrongValueError("must be a text")
        return "" if value is None else str(value).strip()

    def number(self, node: Node) -> Decimal:
        """A value as a number, with the digits that stand there.

        Raises `UnresolvedError` and `WrongValueError`."""
        value = self.scalar(node)
        try:
            found = Decimal("NaN") if isinstance(value, bool) else Decimal(str(value).strip())
        except InvalidOperation:
            found = Decimal("NaN")
        if not found.is_finite():
            raise WrongValueError("must be a number")
        return found

    def count(self, node: Node) -> int:
        """A value as a whole number of at least 0. Raises `UnresolvedError`, `WrongValueError`."""
        found = self.number(node)
        if found < 0 or found != found.to_integral_value() or found.adjusted() > _MOST_DIGITS:
            raise WrongValueError("must be a whole number of at least 0")
        return int(found)

    def data(self, node: Node) -> Any:
        """A value as JSON data, references in it looked up. Raises `UnresolvedError`."""
        if isinstance(node.value, Mapping):
            return {name: self.data(field) for name, field in node.fields.items()}
        if isinstance(node.value, tuple):
            return [self.data(item) for item in node.items]
        return self.scalar(node)


_MOST_DIGITS = 18


def _unresolved(name: str) -> str:
    if names_a_secret(name):
        return f"{name[:80]!r} names a secret, and no secret is copied into a definition"
    return f"the variable {name[:80]!r} is not known here; import again with --env {name[:80]}=VALUE"
