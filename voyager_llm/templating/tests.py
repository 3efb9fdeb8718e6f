"""The tests of the dialect (``x is …``), each paid for before it runs. Named in `vocabulary.py`."""

from __future__ import annotations

from typing import Any

from jinja2 import Undefined

from voyager_llm.templating.budget import Budget
from voyager_llm.templating.values import kind, number, string


def defined(budget: Budget, value: Any) -> bool:
    return not isinstance(value, Undefined)


def undefined(budget: Budget, value: Any) -> bool:
    return isinstance(value, Undefined)


def none(budget: Budget, value: Any) -> bool:
    return value is None


def true(budget: Budget, value: Any) -> bool:
    return value is True


def false(budget: Budget, value: Any) -> bool:
    return value is False


def boolean(budget: Budget, value: Any) -> bool:
    return isinstance(value, bool)


def integer(budget: Budget, value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def floating(budget: Budget, value: Any) -> bool:
    return isinstance(value, float)


def numeric(budget: Budget, value: Any) -> bool:
    return isinstance(value, (int, float))


def textual(budget: Budget, value: Any) -> bool:
    return isinstance(value, str)


def mapping(budget: Budget, value: Any) -> bool:
    return isinstance(value, dict)


def sequence(budget: Budget, value: Any) -> bool:
    kind(value)
    return isinstance(value, (str, list, dict))


def even(budget: Budget, value: Any) -> bool:
    return number(value) % 2 == 0


def odd(budget: Budget, value: Any) -> bool:
    return number(value) % 2 == 1


def divisibleby(budget: Budget, value: Any, num: Any) -> bool:
    return number(value) % number(num) == 0


def lower(budget: Budget, value: Any) -> bool:
    budget.pay_text(len(string(value)))
    return value.islower()


def upper(budget: Budget, value: Any) -> bool:
    budget.pay_text(len(string(value)))
    return value.isupper()
