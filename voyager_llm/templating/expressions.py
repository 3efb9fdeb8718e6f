"""A checked expression as a function of the frame in which it stands. Nothing is evaluated while the
functions are made. Base of `statements.py`; `EXPRESSIONS` says to `policy.py` what there is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from jinja2 import StrictUndefined, nodes

from voyager_llm.templating import methods
from voyager_llm.templating.frame import LOOP_ATTRIBUTES, Frame
from voyager_llm.templating.operations import ARITHMETIC, COMPARISONS, concatenated, sliced, spanned
from voyager_llm.templating.values import item, number, string
from voyager_llm.templating.vocabulary import APPLYING, FILTERS, TESTS, keywords_of

Expression = Callable[[Frame], Any]


class Expressions:
    """Makes the functions. ``cost`` counts the nodes that it saw, ``loops`` the loops around the current
    one."""

    def __init__(self) -> None:
        self.cost = 0
        self.loops = 0

    def expression(self, node: nodes.Expr) -> Expression:
        self.cost += 1
        return EXPRESSIONS[type(node)](self, node)

    def several(self, of: Sequence[nodes.Expr]) -> list[Expression]:
        return [self.expression(node) for node in of]

    def name(self, node: nodes.Name) -> Expression:
        name = node.name

        def get(frame: Frame) -> Any:
            try:
                return frame.names[name]
            except KeyError:
                return StrictUndefined(name=name)

        return get

    def constant(self, node: nodes.Const) -> Expression:
        value = node.value
        return lambda frame: value

    def list_(self, node: nodes.List | nodes.Tuple) -> Expression:
        parts = self.several(node.items)
        return lambda frame: [part(frame) for part in parts]

    def dict_(self, node: nodes.Dict) -> Expression:
        self.cost += len(node.items)
        pairs = [(self.expression(pair.key), self.expression(pair.value)) for pair in node.items]
        return lambda frame: {string(key(frame)): value(frame) for key, value in pairs}

    def attribute(self, node: nodes.Getattr) -> Expression:
        name = node.attr
        if self.loops and isinstance(node.node, nodes.Name) and node.node.name == "loop":
            read = LOOP_ATTRIBUTES[name]
            return lambda frame: read(frame.loop)  # pyright: ignore[reportArgumentType]  # in a loop there is one
        value = self.expression(node.node)
        return lambda frame: item(value(frame), name)

    def item(self, node: nodes.Getitem) -> Expression:
        value = self.expression(node.node)
        if isinstance(node.arg, nodes.Slice):
            return self._slice(value, node.arg)
        key = self.expression(node.arg)
        return lambda frame: item(value(frame), key(frame))

    def _slice(self, value: Expression, node: nodes.Slice) -> Expression:
        bounds = [self.expression(part) if part else _nothing for part in (node.start, node.stop, node.step)]
        return lambda frame: sliced(frame.budget, value(frame), slice(*(bound(frame) for bound in bounds)))

    def call(self, node: nodes.Call) -> Expression:
        arguments = self.several(node.args)
        callee = node.node
        if isinstance(callee, nodes.Name):
            return lambda frame: spanned(frame.budget, *(argument(frame) for argument in arguments))
        assert isinstance(callee, nodes.Getattr)
        if self.loops and isinstance(callee.node, nodes.Name) and callee.node.name == "loop":
            return lambda frame: arguments[frame.loop.index0 % len(arguments)](frame)  # pyright: ignore[reportOptionalMemberAccess]
        value, name = self.expression(callee.node), callee.attr
        return lambda frame: methods.call(
            frame.budget, value(frame), name, [argument(frame) for argument in arguments]
        )

    def filter(self, node: nodes.Filter) -> Expression:
        return self._applied(FILTERS[node.name], node)

    def test(self, node: nodes.Test) -> Expression:
        return self._applied(TESTS[node.name], node)

    def _applied(self, function: Callable[..., Any], node: nodes.Filter | nodes.Test) -> Expression:
        assert node.node is not None
        value = self.expression(node.node)
        arguments = self.several(node.args)
        named = {keyword.key: self.expression(keyword.value) for keyword in keywords_of(node)}
        if node.name in APPLYING and isinstance(node, nodes.Filter):
            position, functions = APPLYING[node.name]
            if position < len(arguments):
                applied = functions[node.args[position].as_const()]
                arguments[position] = lambda frame: applied
        if not arguments and not named:
            return lambda frame: function(frame.budget, value(frame))
        return lambda frame: function(
            frame.budget,
            value(frame),
            *[argument(frame) for argument in arguments],
            **{name: argument(frame) for name, argument in named.items()},
        )

    def arithmetic(self, node: nodes.BinExpr) -> Expression:
        operation = ARITHMETIC[type(node)]
        left, right = self.expression(node.left), self.expression(node.right)
        return lambda frame: operation(frame.budget, left(frame), right(frame))

    def concat(self, node: nodes.Concat) -> Expression:
        parts = self.several(node.nodes)
        return lambda frame: concatenated(frame.budget, [part(frame) for part in parts])

    def compare(self, node: nodes.Compare) -> Expression:
        first = self.expression(node.expr)
        rest = [(COMPARISONS[operand.op], self.expression(operand.expr)) for operand in node.ops]

        def run(frame: Frame) -> bool:
            left = first(frame)
            for operation, operand in rest:
                right = operand(frame)
                if not operation(frame.budget, left, right):
                    return False
                left = right
            return True

        return run

    def and_(self, node: nodes.And) -> Expression:
        left, right = self.expression(node.left), self.expression(node.right)
        return lambda frame: left(frame) and right(frame)

    def or_(self, node: nodes.Or) -> Expression:
        left, right = self.expression(node.left), self.expression(node.right)
        return lambda frame: left(frame) or right(frame)

    def not_(self, node: nodes.Not) -> Expression:
        value = self.expression(node.node)
        return lambda frame: not value(frame)

    def negative(self, node: nodes.Neg) -> Expression:
        value = self.expression(node.node)
        return lambda frame: -number(value(frame))

    def positive(self, node: nodes.Pos) -> Expression:
        value = self.expression(node.node)
        return lambda frame: number(value(frame))

    def conditional(self, node: nodes.CondExpr) -> Expression:
        test, then = self.expression(node.test), self.expression(node.expr1)
        otherwise = self.expression(node.expr2) if node.expr2 else _no_else
        return lambda frame: then(frame) if test(frame) else otherwise(frame)


def _nothing(frame: Frame) -> None:
    return None


def _no_else(frame: Frame) -> str:
    return ""


EXPRESSIONS: Mapping[type[nodes.Node], Callable[[Expressions, Any], Expression]] = {
    nodes.Name: Expressions.name,
    nodes.Const: Expressions.constant,
    nodes.List: Expressions.list_,
    nodes.Tuple: Expressions.list_,
    nodes.Dict: Expressions.dict_,
    nodes.Getattr: Expressions.attribute,
    nodes.Getitem: Expressions.item,
    nodes.Call: Expressions.call,
    nodes.Filter: Expressions.filter,
    nodes.Test: Expressions.test,
    **dict.fromkeys(ARITHMETIC, Expressions.arithmetic),
    nodes.Concat: Expressions.concat,
    nodes.Compare: Expressions.compare,
    nodes.And: Expressions.and_,
    nodes.Or: Expressions.or_,
    nodes.Not: Expressions.not_,
    nodes.Neg: Expressions.negative,
    nodes.Pos: Expressions.positive,
    nodes.CondExpr: Expressions.conditional,
}
