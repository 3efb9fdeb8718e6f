"""A checked template as functions that write its text. Nothing is evaluated while the functions are made.

What a node costs whatever its operands are is paid by the template as a whole before it runs, and by each
loop for its body before it starts; what depends on the operands is paid by the functions that get them.
Called by `template.py`; `STATEMENTS` says to `policy.py` what there is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

from jinja2 import nodes

from voyager_llm.errors import RenderFailed
from voyager_llm.templating.expressions import Expression, Expressions
from voyager_llm.templating.frame import Frame, Loop
from voyager_llm.templating.values import elements, kind, shown

Statement = Callable[[Frame], None]
Target = Callable[[Frame, Any], None]


class Statements(Expressions):
    """Makes the functions of one template."""

    def block(self, of: Sequence[nodes.Node]) -> Sequence[Statement]:
        statements: list[Statement] = []
        for node in of:
            self.cost += 1
            if isinstance(node, nodes.Output):
                statements.extend(map(self._output, node.nodes))
            else:
                statements.append(STATEMENTS[type(node)](self, node))
        return statements

    def _output(self, node: nodes.Expr) -> Statement:
        if isinstance(node, nodes.TemplateData):
            self.cost += 1
            return _copy(node.data)
        return _show(self.expression(node), node.lineno)

    def if_(self, node: nodes.If) -> Statement:
        branches = [
            (self.expression(cast("nodes.Expr", branch.test)), self.block(branch.body))
            for branch in (node, *node.elif_)
        ]
        otherwise, line = self.block(node.else_), node.lineno

        def run(frame: Frame) -> None:
            frame.budget.line = line
            for test, body in branches:
                if test(frame):
                    return _run(body, frame)
            return _run(otherwise, frame)

        return run

    def for_(self, node: nodes.For) -> Statement:
        over, line = self.expression(cast("nodes.Expr", node.iter)), node.lineno
        outside, self.cost = self.cost, 0
        target = self._target(node.target)
        test = self.expression(cast("nodes.Expr", node.test)) if node.test else None
        self.loops += 1
        body = self.block(node.body)
        self.loops -= 1
        cost, self.cost = self.cost, outside
        otherwise = self.block(node.else_)

        def run(frame: Frame) -> None:
            budget = frame.budget
            budget.line = line
            found = elements(budget, over(frame))
            budget.pay(len(found) * (cost + frame.cost))
            if test is not None:
                found = _passing(found, test, target, frame)
            loop = Loop(found)
            for loop.index0, value in enumerate(found):
                inner = frame.inner(loop)
                target(inner, value)
                _run(body, inner)
            if not found and otherwise:
                budget.pay(frame.cost)
                _run(otherwise, frame.inner(frame.loop))

        return run

    def with_(self, node: nodes.With) -> Statement:
        values = self.several(node.values)
        targets = [self._target(target) for target in node.targets]
        body, line = self.block(node.body), node.lineno

        def run(frame: Frame) -> None:
            frame.budget.line = line
            frame.budget.pay(frame.cost)
            inner = frame.inner(frame.loop)
            for target, value in zip(targets, values, strict=True):
                target(inner, value(frame))
            _run(body, inner)

        return run

    def assign(self, node: nodes.Assign) -> Statement:
        target, value, line = (
            self._target(node.target),
            self.expression(cast("nodes.Expr", node.node)),
            node.lineno,
        )

        def run(frame: Frame) -> None:
            frame.budget.line = line
            target(frame, value(frame))

        return run

    def _target(self, node: nodes.Node) -> Target:
        self.cost += 1
        if isinstance(node, nodes.Name):
            name = node.name
            return lambda frame, value: frame.names.__setitem__(name, value)
        assert isinstance(node, nodes.Tuple)
        return _unpack([self._target(part) for part in node.items])


def _run(statements: Sequence[Statement], frame: Frame) -> None:
    for statement in statements:
        statement(frame)


def _copy(data: str) -> Statement:
    def run(frame: Frame) -> None:
        frame.budget.pay_output(len(data))
        frame.out.append(data)

    return run


def _show(value: Expression, line: int) -> Statement:
    def run(frame: Frame) -> None:
        budget = frame.budget
        budget.line = line
        found = value(frame)
        if not isinstance(found, str):
            found = shown(budget, found)
        budget.pay_output(len(found))
        frame.out.append(found)

    return run


def _passing(found: list[Any], test: Expression, target: Target, frame: Frame) -> list[Any]:
    """The elements for which ``{% for … if test %}`` is true."""
    passing: list[Any] = []
    for value in found:
        inner = frame.inner(frame.loop)
        target(inner, value)
        if test(inner):
            passing.append(value)
    return passing


def _unpack(targets: Sequence[Target]) -> Target:
    def assign(frame: Frame, value: Any) -> None:
        if not isinstance(value, list):
            raise RenderFailed(f"expected a list of {len(targets)} values, not {kind(value)}", "template")
        values = cast("list[Any]", value)
        if len(values) != len(targets):
            message = f"expected a list of {len(targets)} values, not of {len(values)}"
            raise RenderFailed(message, "template")
        for target, each in zip(targets, values, strict=True):
            target(frame, each)

    return assign


STATEMENTS: Mapping[type[nodes.Node], Callable[[Statements, Any], Statement]] = {
    nodes.If: Statements.if_,
    nodes.For: Statements.for_,
    nodes.With: Statements.with_,
    nodes.Assign: Statements.assign,
}
