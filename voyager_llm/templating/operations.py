"""The operators of the dialect, each paid for before it runs. Called by `expressions.py`."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

from jinja2 import nodes

from voyager_llm.errors import RenderFailed
from voyager_llm.templating.budget import Budget
from voyager_llm.templating.values import kind, mapping, number, shown, string

Operation = Callable[[Budget, Any, Any], Any]

# CPython looks for a text within another in time that is linear, but for short ones: there it is the
# product of both lengths, up to about this many comparisons.
_SLOW_SEARCH = 3_000_000
_COMPARISONS_PER_UNIT = 512


def _arithmetic(function: Callable[[Any, Any], Any]) -> Operation:
    def run(budget: Budget, left: Any, right: Any) -> Any:
        return number(function(number(left), number(right)))

    return run


def add(budget: Budget, left: Any, right: Any) -> Any:
    if isinstance(left, str) and isinstance(right, str):
        budget.pay_text(len(left) + len(right))
        return left + right
    if isinstance(left, list) and isinstance(right, list):
        budget.pay(len(cast("list[Any]", left)) + len(cast("list[Any]", right)))
        return cast("list[Any]", left) + cast("list[Any]", right)
    return number(number(left) + number(right))


def concatenated(budget: Budget, parts: Sequence[Any]) -> str:
    """``a ~ b ~ c``"""
    pieces = [shown(budget, part) for part in parts]
    budget.pay_text(sum(map(len, pieces)))
    return "".join(pieces)


def pay_search(budget: Budget, within: str, part: str) -> None:
    """For looking for ``part``, once or until the end of ``within``."""
    comparisons = min(len(within) * len(part), _SLOW_SEARCH)
    budget.pay((len(within) + len(part)) // 16 + comparisons // _COMPARISONS_PER_UNIT)


def contains(budget: Budget, needle: Any, container: Any) -> bool:
    """``needle in container``"""
    kind(needle)
    if isinstance(container, str):
        pay_search(budget, container, string(needle))
        return needle in container
    if isinstance(container, list):
        budget.pay_whole(cast("list[Any]", container))
        return needle in cast("list[Any]", container)
    return isinstance(needle, str) and needle in mapping(container)


def _compared(function: Callable[[Any, Any], bool]) -> Operation:
    def run(budget: Budget, left: Any, right: Any) -> bool:
        if isinstance(left, str) and isinstance(right, str):
            budget.pay_text(min(len(left), len(right)))
        elif isinstance(left, (list, dict)) and isinstance(right, (list, dict)):
            budget.pay_whole(cast("Any", left))
            budget.pay_whole(cast("Any", right))
        return function(left, right)

    return run


ARITHMETIC: Mapping[type[nodes.Node], Operation] = {
    nodes.Add: add,
    nodes.Sub: _arithmetic(operator.sub),
    nodes.Mul: _arithmetic(operator.mul),
    nodes.Div: _arithmetic(operator.truediv),
    nodes.FloorDiv: _arithmetic(operator.floordiv),
    nodes.Mod: _arithmetic(operator.mod),
}

# By the names of Jinja2's operands.
COMPARISONS: Mapping[str, Operation] = {
    "eq": _compared(operator.eq),
    "ne": _compared(operator.ne),
    "lt": _compared(operator.lt),
    "lteq": _compared(operator.le),
    "gt": _compared(operator.gt),
    "gteq": _compared(operator.ge),
    "in": contains,
    "notin": lambda budget, needle, container: not contains(budget, needle, container),
}


def sliced(budget: Budget, value: Any, bounds: slice) -> Any:
    """``value[start:stop:step]`` of a text or a list."""
    if not isinstance(value, (str, list)):
        raise RenderFailed(f"expected text or a list to slice, not {kind(value)}", "template")
    whole = cast("str | list[Any]", value)
    length = len(range(*bounds.indices(len(whole))))
    budget.pay(length if isinstance(whole, list) else length // 16)
    return whole[bounds]


def spanned(budget: Budget, *bounds: Any) -> list[int]:
    """``range(…)``"""
    for bound in bounds:
        if not isinstance(bound, int):
            raise RenderFailed(f"range expects whole numbers, not {kind(bound)}", "template")
    span = range(*bounds)
    # `len` refuses what C cannot count.
    budget.pay(max(0, (span.stop - span.start) // span.step + 1))
    return list(span)
