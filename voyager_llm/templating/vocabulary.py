"""Which filters, tests and methods there are, by name, and how each may be called.

`policy.py` holds templates against it, `expressions.py` calls what stands here. Every function takes the
rendering's budget, the value, and the template's own arguments; its signature is the rule for those.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any, cast

from jinja2 import nodes

from voyager_llm.templating import list_filters, tests, text_filters
from voyager_llm.templating.methods import METHODS
from voyager_llm.templating.operations import COMPARISONS

Function = Callable[..., Any]

FILTERS: Mapping[str, Function] = {
    "abs": text_filters.absolute, "capitalize": text_filters.capitalize, "count": list_filters.length,
    "d": text_filters.default, "default": text_filters.default, "dictsort": list_filters.dictsort,
    "first": list_filters.first, "float": text_filters.as_float, "indent": text_filters.indent,
    "int": text_filters.as_int, "items": list_filters.items, "join": list_filters.join,
    "last": list_filters.last, "length": list_filters.length, "list": list_filters.as_list,
    "lower": text_filters.lower, "map": list_filters.mapped, "max": list_filters.most,
    "min": list_filters.least, "reject": list_filters.reject, "rejectattr": list_filters.rejectattr,
    "replace": text_filters.replace, "reverse": list_filters.reverse, "round": text_filters.rounded,
    "select": list_filters.select, "selectattr": list_filters.selectattr, "sort": list_filters.ordered,
    "string": text_filters.as_string, "sum": list_filters.total, "title": text_filters.title,
    "tojson": text_filters.tojson, "trim": text_filters.trim, "truncate": text_filters.truncate,
    "unique": list_filters.unique, "upper": text_filters.upper, "wordcount": text_filters.wordcount,
}  # fmt: skip

TESTS: Mapping[str, Function] = {
    "boolean": tests.boolean, "defined": tests.defined, "divisibleby": tests.divisibleby,
    "even": tests.even, "false": tests.false, "float": tests.floating, "integer": tests.integer,
    "iterable": tests.sequence, "lower": tests.lower, "mapping": tests.mapping, "none": tests.none,
    "number": tests.numeric, "odd": tests.odd, "sequence": tests.sequence, "string": tests.textual,
    "true": tests.true, "undefined": tests.undefined, "upper": tests.upper,
    "==": COMPARISONS["eq"], "eq": COMPARISONS["eq"], "equalto": COMPARISONS["eq"],
    "!=": COMPARISONS["ne"], "ne": COMPARISONS["ne"],
    "<": COMPARISONS["lt"], "lt": COMPARISONS["lt"], "lessthan": COMPARISONS["lt"],
    "<=": COMPARISONS["lteq"], "le": COMPARISONS["lteq"],
    ">": COMPARISONS["gt"], "gt": COMPARISONS["gt"], "greaterthan": COMPARISONS["gt"],
    ">=": COMPARISONS["gteq"], "ge": COMPARISONS["gteq"],
    "in": COMPARISONS["in"],
}  # fmt: skip

# Filters that apply another filter or a test: at which of their arguments its name stands.
APPLYING: Mapping[str, tuple[int, Mapping[str, Function]]] = {
    "map": (0, FILTERS),
    "select": (0, TESTS),
    "reject": (0, TESTS),
    "selectattr": (1, TESTS),
    "rejectattr": (1, TESTS),
}


def keywords_of(node: nodes.Filter | nodes.Test) -> Sequence[nodes.Keyword]:
    """A filter's or test's named arguments; Jinja2's types say less than is so."""
    return cast("Sequence[nodes.Keyword]", node.kwargs)


def accepts(function: Function, positional: int, named: Sequence[str] = ()) -> bool:
    """Whether a function can be called with so many arguments and with these named ones."""
    try:
        _signature(function).bind(None, None, *([None] * positional), **dict.fromkeys(named))
    except TypeError:
        return False
    return True


def has_method(name: str, arguments: int) -> bool:
    """Whether some value has a method of this name that takes so many arguments."""
    return any(name in of and accepts(of[name], arguments) for of in METHODS.values())


@cache
def _signature(function: Function) -> inspect.Signature:
    return inspect.signature(function)
