"""A template's way from source to something that can be rendered.

Called by `render.py`.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from jinja2 import UndefinedError

from voyager_llm.errors import RenderFailed
from voyager_llm.templating.budget import Budget
from voyager_llm.templating.frame import Frame
from voyager_llm.templating.policy import check
from voyager_llm.templating.statements import Statement, Statements
from voyager_llm.templating.syntax import Tokens, parse

# About what one token of a template takes once it is made, in bytes.
_BYTES_PER_TOKEN = 400


@dataclass(frozen=True, slots=True)
class Template:
    """``reads`` are the variables that it needs, ``cost`` what it takes to run, loops and operands apart."""

    statements: Sequence[Statement]
    reads: frozenset[str]
    cost: int
    bytes: int

    def render(self, variables: Mapping[str, Any], budget: Budget) -> str:
        """Raises `RenderFailed` when the budget does not suffice or the template fails."""
        try:
            budget.line = 1
            budget.pay(self.cost)
            out: list[str] = []
            frame = Frame(budget, dict(variables), out)
            for statement in self.statements:
                statement(frame)
            return "".join(out)
        except RenderFailed as error:
            reason = error.message
        except UndefinedError as error:
            reason = str(error)
        except Exception as error:  # what Python raises on a template's operands is the template's mistake
            reason = next((words for kind, words in _MISTAKES if isinstance(error, kind)), _NO_VALUE)
        raise RenderFailed(f"line {budget.line}: {reason}", "template")


# Python's words are for those who write Python.
_MISTAKES: tuple[tuple[type[Exception], str], ...] = (
    (ZeroDivisionError, "division by zero"),
    (OverflowError, "a number is too large"),
    (TypeError, "values of these kinds cannot be compared or combined"),
    (ValueError, "a value is not of the kind that is needed"),
)
_NO_VALUE = "an expression has no value"


def compiled(source: str, tokens: Tokens) -> Template:
    """The template of a source, made anew. Raises `TemplateInvalid`."""
    before = tokens.left
    tree = parse(source, tokens)
    reads = check(tree)
    statements = Statements()
    block = statements.block(tree.body)
    size = 2 * sys.getsizeof(source) + _BYTES_PER_TOKEN * (before - tokens.left)
    return Template(block, reads, statements.cost, size)
