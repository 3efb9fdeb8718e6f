"""The methods of values (``name.upper()``), each paid for before it runs. Called by `expressions.py`.

Those that are filters too are the same functions.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from voyager_llm.errors import RenderFailed
from voyager_llm.templating import list_filters, text_filters
from voyager_llm.templating.budget import Budget
from voyager_llm.templating.operations import pay_search
from voyager_llm.templating.values import integer, kind, string


def _get(budget: Budget, value: Any, key: Any, default: Any = None) -> Any:
    kind(key)
    return value.get(key, default) if isinstance(key, str) else default


def _values(budget: Budget, value: Any) -> list[Any]:
    budget.pay(len(value))
    return list(value.values())


def _title(budget: Budget, value: Any) -> str:
    return text_filters.cased(budget, value, str.title)


def _strip(budget: Budget, value: Any, chars: Any = None) -> str:
    budget.pay_text(len(value))
    return value.strip(text_filters.to_strip(budget, value, chars))


def _lstrip(budget: Budget, value: Any, chars: Any = None) -> str:
    budget.pay_text(len(value))
    return value.lstrip(text_filters.to_strip(budget, value, chars))


def _rstrip(budget: Budget, value: Any, chars: Any = None) -> str:
    budget.pay_text(len(value))
    return value.rstrip(text_filters.to_strip(budget, value, chars))


def _split(budget: Budget, value: Any, sep: Any = None, maxsplit: Any = -1) -> list[str]:
    most = integer(maxsplit, "maxsplit", -1, len(value) + 1)
    if sep is None:
        # Words cannot be counted without making them: no more are made than can be paid for.
        budget.pay_text(len(value))
        affordable = budget.left // 2
        words = value.split(None, min(most, affordable) if most >= 0 else affordable)
        budget.pay(2 * len(words))
        return words
    pay_search(budget, value, string(sep))
    pay_search(budget, value, sep)
    found = value.count(sep) if sep else 0
    budget.pay(2 * (min(found, most) if most >= 0 else found))
    budget.pay_text(len(value))
    return value.split(sep, most)


def _count(budget: Budget, value: Any, sub: Any) -> int:
    pay_search(budget, value, string(sub))
    return value.count(sub)


def _find(budget: Budget, value: Any, sub: Any) -> int:
    pay_search(budget, value, string(sub))
    return value.find(sub)


def _startswith(budget: Budget, value: Any, prefix: Any) -> bool:
    budget.pay_text(len(string(prefix)))
    return value.startswith(prefix)


def _endswith(budget: Budget, value: Any, suffix: Any) -> bool:
    budget.pay_text(len(string(suffix)))
    return value.endswith(suffix)


def _isdigit(budget: Budget, value: Any) -> bool:
    budget.pay_text(len(value))
    return value.isdigit()


def _join(budget: Budget, value: Any, parts: Any) -> str:
    return list_filters.join(budget, parts, value)


def _count_elements(budget: Budget, value: Any, element: Any) -> int:
    kind(element)
    budget.pay_whole(value)
    return value.count(element)


METHODS: Mapping[type, Mapping[str, Callable[..., Any]]] = {
    str: {
        "upper": text_filters.upper, "lower": text_filters.lower, "capitalize": text_filters.capitalize,
        "title": _title, "strip": _strip, "lstrip": _lstrip, "rstrip": _rstrip, "split": _split,
        "splitlines": text_filters.paid_lines, "startswith": _startswith, "endswith": _endswith,
        "count": _count, "find": _find, "isdigit": _isdigit, "join": _join, "replace": text_filters.replace,
    },
    dict: {
        "items": list_filters.items, "keys": list_filters.as_list, "values": _values, "get": _get,
    },
    list: {"count": _count_elements},
}  # fmt: skip


def call(budget: Budget, value: Any, name: str, arguments: list[Any]) -> Any:
    """``value.name(…)``. Raises `RenderFailed` when such a value has no such method."""
    method = METHODS.get(type(value), {}).get(name)
    if method is None:
        raise RenderFailed(f"{kind(value)} has no method {name}()", "template")
    return method(budget, value, *arguments)
