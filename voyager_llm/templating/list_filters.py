"""The filters of lists and objects, each paid for before it runs. Where Jinja2 gives a generator, these
give a list. See `vocabulary.py` for their names and how they are called.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, cast

from jinja2 import StrictUndefined, Undefined

from voyager_llm.errors import RenderFailed
from voyager_llm.templating.budget import Budget
from voyager_llm.templating.values import elements, integer, item, kind, mapping, number, shown

_MAX_PATH = 16

Function = Callable[..., Any]


def length(budget: Budget, value: Any) -> int:
    if not isinstance(value, (str, list, dict)):
        raise RenderFailed(f"expected text, a list or an object, not {kind(value)}", "template")
    return len(cast("str | list[Any] | dict[str, Any]", value))


def first(budget: Budget, value: Any) -> Any:
    return _end(budget, value, 0)


def last(budget: Budget, value: Any) -> Any:
    return _end(budget, value, -1)


def as_list(budget: Budget, value: Any) -> list[Any]:
    return elements(budget, value)


def reverse(budget: Budget, value: Any) -> Any:
    if isinstance(value, str):
        budget.pay_text(len(value))
        return value[::-1]
    return elements(budget, value)[::-1]


def items(budget: Budget, value: Any) -> list[Any]:
    given = mapping(value)
    budget.pay(2 * len(given))
    return [[key, held] for key, held in given.items()]


def join(budget: Budget, value: Any, d: Any = "", attribute: Any = None) -> str:
    separator = shown(budget, d)
    found = _attributes(budget, elements(budget, value), attribute)
    budget.pay(len(found))
    pieces = [shown(budget, each) for each in found]
    budget.pay_text(sum(map(len, pieces)) + len(separator) * len(pieces))
    return separator.join(pieces)


def mapped(
    budget: Budget,
    value: Any,
    function: Function | None = None,
    /,
    *arguments: Any,
    attribute: Any = None,
    default: Any = None,
) -> list[Any]:
    """``map('filter', …)`` or ``map(attribute=…, default=…)``"""
    found = elements(budget, value)
    if function is None:
        return _attributes(budget, found, attribute, default)
    budget.pay(2 * len(found))
    return [function(budget, each, *arguments) for each in found]


def select(budget: Budget, value: Any, test: Function | None = None, /, *arguments: Any) -> list[Any]:
    found = elements(budget, value)
    return _kept(budget, found, found, True, test, arguments)


def reject(budget: Budget, value: Any, test: Function | None = None, /, *arguments: Any) -> list[Any]:
    found = elements(budget, value)
    return _kept(budget, found, found, False, test, arguments)


def selectattr(
    budget: Budget, value: Any, attribute: Any, test: Function | None = None, /, *arguments: Any
) -> list[Any]:
    found = elements(budget, value)
    return _kept(budget, found, _attributes(budget, found, attribute), True, test, arguments)


def rejectattr(
    budget: Budget, value: Any, attribute: Any, test: Function | None = None, /, *arguments: Any
) -> list[Any]:
    found = elements(budget, value)
    return _kept(budget, found, _attributes(budget, found, attribute), False, test, arguments)


def total(budget: Budget, value: Any, attribute: Any = None, start: Any = 0) -> int | float:
    result = number(start)
    for found in _attributes(budget, elements(budget, value), attribute):
        result = number(result + number(found))
    return result


def least(budget: Budget, value: Any, case_sensitive: Any = False, attribute: Any = None) -> Any:
    return _extreme(min, budget, value, case_sensitive, attribute)


def most(budget: Budget, value: Any, case_sensitive: Any = False, attribute: Any = None) -> Any:
    return _extreme(max, budget, value, case_sensitive, attribute)


def ordered(
    budget: Budget, value: Any, reverse: Any = False, case_sensitive: Any = False, attribute: Any = None
) -> list[Any]:
    """``sort``"""
    found = elements(budget, value)
    return _sorted(budget, found, _keys(budget, found, case_sensitive, attribute), bool(reverse))


def dictsort(
    budget: Budget, value: Any, case_sensitive: Any = False, by: Any = "key", reverse: Any = False
) -> list[Any]:
    if by not in ("key", "value"):
        raise RenderFailed('dictsort sorts by "key" or "value"', "template")
    pairs = items(budget, value)
    return _sorted(budget, pairs, _keys(budget, pairs, case_sensitive, int(by == "value")), bool(reverse))


def unique(budget: Budget, value: Any, case_sensitive: Any = False, attribute: Any = None) -> list[Any]:
    """Two values are the same when they are shown the same and are both text, or both not."""
    found = elements(budget, value)
    budget.pay(2 * len(found))
    firsts: dict[str, Any] = {}
    for each, key in zip(found, _keys(budget, found, case_sensitive, attribute), strict=True):
        # Hashes of text cannot be made to collide, those of numbers can.
        firsts.setdefault(f'"{shown(budget, key)}' if isinstance(key, str) else shown(budget, key), each)
    return list(firsts.values())


def _end(budget: Budget, value: Any, index: int) -> Any:
    found: Sequence[Any] = value if isinstance(value, (str, list)) else elements(budget, value)
    return found[index] if found else StrictUndefined("an empty list has no first and no last element")


def _attributes(budget: Budget, found: list[Any], attribute: Any, default: Any = None) -> list[Any]:
    """Of each element what the path ``attribute`` (``address.city``, or an index) leads to."""
    if attribute is None:
        return found
    path: list[Any] = [attribute]
    if isinstance(attribute, str):
        path = [int(part) if part.isdecimal() else part for part in attribute[:1000].split(".")]
    integer(len(path), "the number of steps of an attribute", 1, _MAX_PATH)
    budget.pay(len(found) * (2 + len(path)))
    result: list[Any] = []
    for each in found:
        reached = each
        for step in path:
            reached = item(reached, step)
            if isinstance(reached, Undefined) and default is not None:
                reached = default
                break
        result.append(reached)
    return result


def _keys(budget: Budget, found: list[Any], case_sensitive: Any, attribute: Any) -> list[Any]:
    keys = _attributes(budget, found, attribute)
    if case_sensitive:
        return keys
    budget.pay(len(keys) + sum(len(key) // 16 for key in keys if isinstance(key, str)))
    return [key.lower() if isinstance(key, str) else key for key in keys]


def _sorted(budget: Budget, found: list[Any], keys: list[Any], reverse: bool) -> list[Any]:
    before = budget.left
    budget.pay_whole(keys)
    # A merge sort compares every key with as many others as the length has bits.
    budget.pay((before - budget.left) * len(keys).bit_length())
    return [found[i] for i in sorted(range(len(keys)), key=keys.__getitem__, reverse=reverse)]


def _extreme(function: Function, budget: Budget, value: Any, case_sensitive: Any, attribute: Any) -> Any:
    found = elements(budget, value)
    if not found:
        return StrictUndefined("an empty list has no least and no greatest element")
    keys = _keys(budget, found, case_sensitive, attribute)
    budget.pay_whole(keys)
    return found[function(range(len(keys)), key=keys.__getitem__)]


def _kept(
    budget: Budget,
    found: list[Any],
    judged: list[Any],
    wanted: bool,
    test: Function | None,
    arguments: tuple[Any, ...],
) -> list[Any]:
    budget.pay(2 * len(found))
    passes = test or _true
    return [
        each for each, by in zip(found, judged, strict=True) if bool(passes(budget, by, *arguments)) is wanted
    ]


def _true(budget: Budget, value: Any) -> bool:
    return bool(value)
