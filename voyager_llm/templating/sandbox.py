"""The Jinja2 environment of prompts: immutable sandbox, and a price limit on every operation.

Jinja2's own sandbox keeps a template away from Python's internals, but lets it burn time and memory
(`range` nested in `range`, `'x' * 10**9`, doubling a string by `~`). Here every loop is metered, every
operation that can grow a value is bounded before it runs, and filters stand on an allow-list of those
whose cost is linear in their input. Used by `templating/render.py`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, cast

import orjson
from jinja2 import StrictUndefined, nodes
from jinja2.exceptions import SecurityError
from jinja2.filters import FILTERS
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.visitor import NodeTransformer

MAX_OUTPUT_CHARS = 1_000_000
MAX_ITERATIONS = 100_000
MAX_RENDER_SECONDS = 0.25
_MAX_INT_BITS = 256


@dataclass(slots=True)
class Meter:
    """What one rendering may still spend."""

    iterations_left: int
    deadline: float

    @classmethod
    def start(cls) -> Meter:
        return cls(MAX_ITERATIONS, time.monotonic() + MAX_RENDER_SECONDS)

    def tick(self) -> None:
        self.iterations_left -= 1
        if self.iterations_left < 0:
            raise SecurityError(f"the template loops more than {MAX_ITERATIONS} times")
        if time.monotonic() > self.deadline:
            raise SecurityError(f"rendering takes longer than {MAX_RENDER_SECONDS:g} s")


# Set for the time of one synchronous rendering; a context variable so that threads cannot share it.
METER: ContextVar[Meter] = ContextVar("voyager_render_meter")


def text(value: object) -> str:
    """A value as a prompt shows it: text and numbers plainly, lists and objects as JSON."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None:
        return ""
    if isinstance(value, (int, float, StrictUndefined)):
        return str(value)
    if isinstance(value, (list, tuple, dict)):
        return orjson.dumps(value).decode()
    if isinstance(value, Iterable):
        return orjson.dumps(list(_metered(value))).decode()  # pyright: ignore[reportUnknownArgumentType]
    raise SecurityError(f"a value of type {type(value).__name__} cannot be shown")


def _bounded(size: int) -> None:
    if size > MAX_OUTPUT_CHARS:
        raise SecurityError(f"the template builds a value of more than {MAX_OUTPUT_CHARS} characters")


def _metered(values: Iterable[Any]) -> Iterator[Any]:
    meter = METER.get()
    for value in values:
        meter.tick()
        yield value


def _concat(*parts: Any) -> str:
    pieces = [text(part) for part in parts]
    _bounded(sum(map(len, pieces)))
    return "".join(pieces)


def _join(values: Iterable[Any], separator: str = "") -> str:
    pieces = [text(value) for value in _metered(values)]
    _bounded(sum(map(len, pieces)) + len(separator) * len(pieces))
    return separator.join(pieces)


def _replace(value: str, old: str, new: str) -> str:
    _bounded(len(value) + value.count(old) * len(new))
    return value.replace(old, new)


def _indent(value: str, width: int = 4, first: bool = False) -> str:
    pad = " " * min(int(width), 64)
    lines = value.splitlines(keepends=True)
    _bounded(len(value) + len(lines) * len(pad))
    return "".join(line if i == 0 and not first else pad + line for i, line in enumerate(lines))


def _range(*bounds: int) -> range:
    span = range(*bounds)
    if len(span) > MAX_ITERATIONS:
        raise SecurityError(f"range has more than {MAX_ITERATIONS} values")
    return span


_LINEAR_FILTERS = (
    "abs", "capitalize", "count", "d", "default", "dictsort", "first", "float", "int", "items",
    "last", "length", "list", "lower", "max", "min", "reject", "rejectattr", "reverse", "round",
    "select", "selectattr", "sort", "sum", "title", "trim", "truncate", "unique", "upper",
    "wordcount",
)  # fmt: skip

_FILTERS: dict[str, Callable[..., Any]] = {
    **{name: FILTERS[name] for name in _LINEAR_FILTERS},
    "join": _join,
    "replace": _replace,
    "indent": _indent,
    "string": text,
    "tojson": lambda value: orjson.dumps(value).decode(),
    # Names with a space cannot be written in a template: for the rewriter alone.
    "voyager concat": _concat,
    "voyager metered": _metered,
}


class _Rewriter(NodeTransformer):
    """Sends loops and `~` through the bounded filters above."""

    def visit_For(self, node: nodes.For) -> nodes.Node:
        self.generic_visit(node)
        node.iter = _filter(node.iter, "voyager metered", node.lineno)
        return node

    def visit_Concat(self, node: nodes.Concat) -> nodes.Node:
        self.generic_visit(node)
        return _filter(node.nodes[0], "voyager concat", node.lineno, node.nodes[1:])


def _filter(value: nodes.Node, name: str, line: int, arguments: Sequence[nodes.Expr] = ()) -> nodes.Filter:
    return nodes.Filter(cast("nodes.Expr", value), name, list(arguments), [], None, None, lineno=line)


class PromptEnvironment(ImmutableSandboxedEnvironment):
    """The environment in which prompts are parsed and rendered."""

    intercepted_binops = frozenset({"+", "*", "**", "%", "//", "/", "-"})

    def __init__(self) -> None:
        super().__init__(
            undefined=StrictUndefined,
            autoescape=False,
            keep_trailing_newline=True,
            finalize=text,
            # Folding constants would run `10 ** 10 ** 10` while the template is compiled.
            optimized=False,
            cache_size=0,
        )
        self.globals = {"range": _range}
        self.filters = dict(_FILTERS)

    def _parse(self, source: str, name: str | None, filename: str | None) -> nodes.Template:
        return _Rewriter().visit(super()._parse(source, name, filename))

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        if operator == "+" and isinstance(left, (str, list)) and isinstance(right, (str, list)):
            _bounded(len(left) + len(right))  # pyright: ignore[reportUnknownArgumentType]
            return super().call_binop(context, operator, left, right)
        if not isinstance(left, (int, float)) or not isinstance(right, (int, float)):
            raise SecurityError(f"'{operator}' works on numbers only")
        if operator == "**" and abs(right) > 64:
            raise SecurityError("an exponent must not exceed 64")
        result = super().call_binop(context, operator, left, right)
        if isinstance(result, int) and result.bit_length() > _MAX_INT_BITS:
            raise SecurityError(f"a number must not exceed {_MAX_INT_BITS} bits")
        return result
