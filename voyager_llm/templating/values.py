"""The values of a template: JSON's, and Jinja2's strict `Undefined` for what is not there.

Text is `str`, a number `int` or `float`, a list `list` (tuples are lists here), an object a `dict` whose
keys are text: hashes of text cannot be made to collide, those of numbers can. Used by `operations.py`,
`filters.py`, `tests.py` and `methods.py`; `text` by the codecs too.
"""

from __future__ import annotations

from typing import Any, cast

import orjson
from jinja2 import StrictUndefined, Undefined

from voyager_llm.errors import RenderFailed
from voyager_llm.templating.budget import Budget

_MAX_INT_BITS = 256


def text(value: object) -> str:
    """A value as a prompt shows it: text and numbers plainly, lists and objects as JSON. Raises
    `RenderFailed` for what JSON has no word for."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None:
        return ""
    if isinstance(value, (int, float, Undefined)):
        return str(value)
    return _dumped(value).decode()


def _dumped(value: object) -> bytes:
    try:
        return orjson.dumps(value)
    except TypeError as error:  # orjson's own error is one
        raise RenderFailed(f"cannot be shown as JSON: {error}", "template") from None


def shown(budget: Budget, value: Any) -> str:
    """`text`, paid for."""
    if isinstance(value, str):
        budget.pay_text(len(value))
    elif isinstance(value, (list, dict)):
        return packed(budget, value)
    return text(value)


def packed(budget: Budget, value: Any) -> str:
    """The value as JSON, paid for: by what is read, and, as JSON writes some characters as six, by what is
    written. Raises `RenderFailed` for what JSON has no word for."""
    budget.pay_whole(value)
    written = _dumped(value)
    budget.pay_text(len(written))
    return written.decode()


def kind(value: object) -> str:
    """What a value is, for messages. Raises `UndefinedError` for what is not there."""
    if isinstance(value, Undefined):
        str(value)  # raises, and says what is missing where
    if value is None:
        return "null"
    names: tuple[tuple[type, str], ...] = (
        (bool, "true or false"), (int, "a number"), (float, "a number"), (str, "text"),
        (list, "a list"), (dict, "an object"),
    )  # fmt: skip
    return next((name for of, name in names if isinstance(value, of)), "something else")


def number(value: object) -> int | float:
    """``value``, which must be a number that arithmetic stays cheap on. Raises `RenderFailed`."""
    if not isinstance(value, (int, float)):
        raise RenderFailed(f"expected a number, not {kind(value)}", "template")
    if isinstance(value, int) and value.bit_length() > _MAX_INT_BITS:
        raise RenderFailed(f"a number must not exceed {_MAX_INT_BITS} bits", "template")
    return value


def integer(value: object, name: str, least: int, most: int) -> int:
    """``value``, which must be a whole number within these bounds. Raises `RenderFailed`."""
    if not isinstance(value, int) or not least <= value <= most:
        raise RenderFailed(f"{name} must be a whole number from {least} to {most}", "template")
    return value


def string(value: object) -> str:
    """``value``, which must be text. Raises `RenderFailed`."""
    if not isinstance(value, str):
        raise RenderFailed(f"expected text, not {kind(value)}", "template")
    return value


def mapping(value: object) -> dict[str, Any]:
    """``value``, which must be an object. Raises `RenderFailed`."""
    if not isinstance(value, dict):
        raise RenderFailed(f"expected an object, not {kind(value)}", "template")
    return cast("dict[str, Any]", value)


def elements(budget: Budget, value: Any) -> list[Any]:
    """What a loop goes over: a list's elements, an object's keys, a text's characters; a list of its own."""
    if not isinstance(value, (list, dict, str)):
        raise RenderFailed(f"expected a list, not {kind(value)}", "template")
    found = cast("list[Any] | dict[str, Any] | str", value)
    budget.pay(2 * len(found) if isinstance(found, str) else len(found))
    return list(found)


def item(value: Any, key: Any) -> Any:
    """``value[key]``, or an `Undefined` that says what is missing."""
    if isinstance(value, dict):
        if isinstance(key, str) and key in value:
            return cast("dict[str, Any]", value)[key]
    elif isinstance(value, (str, list)) and isinstance(key, int):
        try:
            return cast("list[Any]", value)[key]
        except IndexError:
            pass
    kind(value)
    if not isinstance(key, (str, int)):
        raise RenderFailed(f"{kind(key)} is no key and no index", "template")
    return StrictUndefined(obj=value, name=cast("str", key))  # Jinja2 takes any key
