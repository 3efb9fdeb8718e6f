"""The filters of the dialect: those of Jinja2 that prompts need, each paid for before it runs.

A filter's Python signature is what `policy.py` holds a template's arguments against; ``budget`` and
``value`` come from `expressions.py`. Filters on lists stand in `list_filters.py`. Docstrings of Jinja2's
documentation apply; what differs is said here.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any

from jinja2 import Undefined

from voyager_llm.errors import RenderFailed
from voyager_llm.templating.budget import Budget
from voyager_llm.templating.operations import pay_search
from voyager_llm.templating.values import integer, number, packed, shown, string

_LINE_BREAKS = "\n\r\v\f\x1c\x1d\x1e\x85\u2028\u2029"
_WORD = re.compile(r"\w+")
_WORD_BEGINNING = re.compile(r"([-\s({\[<]+)")
_MAX_NUMBER_CHARS = 100
_MAX_CHARS_TO_STRIP = 16
_MAX_INDENT = 64
_MAX_PRECISION = 20


def default(budget: Budget, value: Any, default_value: Any = "", boolean: bool = False) -> Any:
    if isinstance(value, Undefined) or (boolean and not value):
        return default_value
    return value


def as_string(budget: Budget, value: Any) -> str:
    return shown(budget, value)


def tojson(budget: Budget, value: Any) -> str:
    return packed(budget, value)


def upper(budget: Budget, value: Any) -> str:
    return cased(budget, value, str.upper)


def lower(budget: Budget, value: Any) -> str:
    return cased(budget, value, str.lower)


def capitalize(budget: Budget, value: Any) -> str:
    return cased(budget, value, str.capitalize)


def cased(budget: Budget, value: Any, function: Callable[[str], str]) -> str:
    """The text in another case, paid for. A character may become three, but not again."""
    result = function(shown(budget, value))
    budget.pay_text(len(result))
    return result


def title(budget: Budget, value: Any) -> str:
    given = shown(budget, value)
    budget.pay(2 * len(given))
    return "".join(part[0].upper() + part[1:].lower() for part in _WORD_BEGINNING.split(given) if part)


def trim(budget: Budget, value: Any, chars: Any = None) -> str:
    return shown(budget, value).strip(to_strip(budget, value, chars))


def to_strip(budget: Budget, value: Any, chars: Any) -> str | None:
    """The characters to strip off a text, paid for: each of the text's may be compared with each of them."""
    if chars is None:
        return None
    if len(string(chars)) > _MAX_CHARS_TO_STRIP:
        raise RenderFailed(f"at most {_MAX_CHARS_TO_STRIP} characters can be stripped", "template")
    if isinstance(value, str):
        budget.pay_text(len(value) * len(chars))
    return chars


def replace(budget: Budget, value: Any, old: Any, new: Any, count: Any = None) -> str:
    given, old, new = shown(budget, value), shown(budget, old), shown(budget, new)
    pay_search(budget, given, old)
    pay_search(budget, given, old)
    found = given.count(old)
    if count is not None:
        found = min(found, integer(count, "count", 0, len(given) + 1))
    budget.pay_text(len(given) + found * len(new))
    return given.replace(old, new, found)


def truncate(
    budget: Budget, value: Any, length: Any = 255, killwords: Any = False, end: Any = "...", leeway: Any = 5
) -> str:
    given, end = shown(budget, value), string(end)
    length = integer(length, "length", len(end), 10**9)
    if len(given) <= length + integer(leeway, "leeway", 0, 10**9):
        return given
    kept = given[: length - len(end)]
    return (kept if killwords else kept.rsplit(" ", 1)[0]) + end


def indent(budget: Budget, value: Any, width: Any = 4, first: Any = False, blank: Any = False) -> str:
    pad = width if isinstance(width, str) else " " * integer(width, "width", 0, _MAX_INDENT)
    if len(pad) > _MAX_INDENT:
        raise RenderFailed(f"width must be at most {_MAX_INDENT} characters", "template")
    given = shown(budget, value) + "\n"
    lines = paid_lines(budget, given)
    budget.pay_text(len(given) + len(lines) * len(pad))
    rest = [pad + line if line or blank else line for line in lines[1:]]
    return "\n".join([pad + lines[0] if first else lines[0], *rest])


def paid_lines(budget: Budget, value: str) -> list[str]:
    """The text's lines, which are counted before they are made: each takes more room than its characters."""
    budget.pay_text(2 * len(value))
    budget.pay(2 * sum(map(value.count, _LINE_BREAKS)))
    return value.splitlines()


def wordcount(budget: Budget, value: Any) -> int:
    given = shown(budget, value)
    budget.pay(len(given) // 4)
    return sum(1 for _ in _WORD.finditer(given))


def as_int(budget: Budget, value: Any, default: Any = 0, base: Any = 10) -> Any:
    if not _is_numeral(value):
        return default
    try:
        return number(int(value, integer(base, "base", 2, 36)) if isinstance(value, str) else int(value))
    except (ValueError, OverflowError):
        pass
    try:
        return number(int(float(value)))
    except (ValueError, OverflowError):
        return default


def as_float(budget: Budget, value: Any, default: Any = 0.0) -> Any:
    if not _is_numeral(value):
        return default
    try:
        return float(value)
    except ValueError:
        return default


def absolute(budget: Budget, value: Any) -> int | float:
    return abs(number(value))


def rounded(budget: Budget, value: Any, precision: Any = 0, method: Any = "common") -> int | float:
    given, precision = number(value), integer(precision, "precision", -_MAX_PRECISION, _MAX_PRECISION)
    if method == "common":
        return round(given, precision)
    if method not in ("ceil", "floor"):
        raise RenderFailed("method must be common, ceil or floor", "template")
    scale = 10**precision
    return number((math.ceil if method == "ceil" else math.floor)(given * scale)) / scale


def _is_numeral(value: Any) -> bool:
    """Whether to try and read it as a number; to read a long one takes longer than its length."""
    return isinstance(value, (int, float)) or (isinstance(value, str) and len(value) <= _MAX_NUMBER_CHARS)
