"""What may stand in a prompt's template: an allow-list over Jinja2's syntax tree.

A template is checked when it is created, so that its author learns at once, with line, what is wrong.
Used by `template.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from jinja2 import nodes

from voyager_llm.errors import TemplateInvalid
from voyager_llm.templating.expressions import EXPRESSIONS
from voyager_llm.templating.frame import LOOP_ATTRIBUTES
from voyager_llm.templating.statements import STATEMENTS
from voyager_llm.templating.vocabulary import (
    APPLYING,
    FILTERS,
    TESTS,
    Function,
    accepts,
    has_method,
    keywords_of,
)

# Of statements and expressions in one another; `a + b + c` is two deep.
MAX_DEPTH = 64
_MAX_INT_BITS = 256

# What is no statement or expression itself but stands in one.
_PARTS = (nodes.Output, nodes.TemplateData, nodes.Operand, nodes.Pair, nodes.Keyword, nodes.Slice)

_WORDS: Mapping[type[nodes.Node], str] = {
    nodes.Extends: "extends",
    nodes.Block: "block",
    nodes.Include: "include",
    nodes.Import: "import",
    nodes.FromImport: "import",
    nodes.Macro: "macro",
    nodes.CallBlock: "call",
    nodes.FilterBlock: "a filter block",
    nodes.AssignBlock: "a set block",
    nodes.NSRef: "namespace",
    nodes.Scope: "autoescape",
    nodes.Pow: "**",
}


def check(tree: nodes.Template) -> frozenset[str]:
    """The names that the template reads and does not set. Raises `TemplateInvalid` for what the dialect
    does not have."""
    checker, known = _Checker(), set[str]()
    for statement in tree.body:
        checker.visit(statement, known, 0)
    return frozenset(checker.read)


class _Checker:
    """Walks the tree; ``known`` are the names that are set at that place, ``loop`` in loops alone."""

    def __init__(self) -> None:
        self.read: set[str] = set()

    def visit(self, node: nodes.Node, known: set[str], depth: int) -> None:
        kind = type(node)
        if kind not in STATEMENTS and kind not in EXPRESSIONS and kind not in _PARTS:
            raise _refused(node, f"{_WORDS.get(kind, kind.__name__)} is not available in prompts")
        if depth > MAX_DEPTH:
            raise _refused(node, f"the template is nested more than {MAX_DEPTH} levels deep")
        match node:
            case nodes.For():
                self._for(node, known, depth)
            case nodes.With():
                self._with(node, known, depth)
            case nodes.Assign():
                self.visit(node.node, known, depth + 1)
                known |= _targets(node.target)
            case nodes.Name():
                self._name(node, known)
            case nodes.Getattr(node=nodes.Name(name="loop")) if "loop" in known:
                if node.attr not in LOOP_ATTRIBUTES:
                    raise _refused(node, f"loop.{node.attr} is not available in prompts")
            case nodes.Call():
                self._call(node, known, depth)
            case _:
                _check_itself(node)
                self._children(node, known, depth)

    def _children(self, node: nodes.Node, known: set[str], depth: int) -> None:
        for child in node.iter_child_nodes():
            self.visit(child, known, depth + 1)

    def _all(self, of: list[nodes.Node], known: set[str], depth: int) -> None:
        for node in of:
            self.visit(node, known, depth + 1)

    def _for(self, node: nodes.For, known: set[str], depth: int) -> None:
        if node.recursive:
            raise _refused(node, "recursive loops are not available in prompts")
        targets = _targets(node.target)
        self.visit(node.iter, known, depth + 1)
        if node.test:
            self.visit(node.test, known | targets, depth + 1)
        self._all(node.body, known | targets | {"loop"}, depth)
        self._all(node.else_, set(known), depth)

    def _with(self, node: nodes.With, known: set[str], depth: int) -> None:
        self._all(cast("list[nodes.Node]", node.values), known, depth)
        inner = known.union(*map(_targets, node.targets))
        self._all(node.body, inner, depth)

    def _name(self, node: nodes.Name, known: set[str]) -> None:
        if node.name == "loop" and "loop" in known:
            raise _refused(node, "loop has attributes, such as loop.index, and is no value itself")
        if node.name == "self" or node.name.startswith("__"):
            raise _refused(node, f"{node.name} is not available in prompts")
        if node.name not in known:
            self.read.add(node.name)

    def _call(self, node: nodes.Call, known: set[str], depth: int) -> None:
        if node.kwargs or node.dyn_args or node.dyn_kwargs:
            raise _refused(node, "calls take plain arguments only, without names and stars")
        callee, count = node.node, len(node.args)
        self._all(cast("list[nodes.Node]", node.args), known, depth)
        match callee:
            case nodes.Name(name="range") if "range" not in known and 1 <= count <= 3:
                return
            case nodes.Getattr(node=nodes.Name(name="loop"), attr="cycle") if "loop" in known and count:
                return
            case nodes.Getattr(attr=name) if has_method(name, count):
                self.visit(callee.node, known, depth + 1)
            case _:
                name = callee.name if isinstance(callee, nodes.Name) else getattr(callee, "attr", "this")
                raise _refused(node, f"calling {name}() with {count} arguments is not available in prompts")


def _check_itself(node: nodes.Node) -> None:
    match node:
        case nodes.Filter():
            _check_applied(node, "filter", FILTERS)
        case nodes.Test():
            _check_applied(node, "test", TESTS)
        case nodes.Const():
            _check_constant(node)
        case nodes.Tuple(items=items) if any(isinstance(item, nodes.Slice) for item in items):
            raise _refused(node, "a slice stands alone in its brackets")
        case nodes.Getattr():
            _check_attribute(node, node.attr)
        case nodes.Getitem(arg=nodes.Const(value=name)):
            _check_attribute(node, name)
        case _:
            pass


def _check_applied(node: nodes.Filter | nodes.Test, word: str, known: Mapping[str, Function]) -> None:
    function = known.get(node.name)
    if function is None:
        raise _refused(node, f"no {word} is named {node.name!r}")
    if node.dyn_args or node.dyn_kwargs:
        raise _refused(node, f"the {word} {node.name} takes no arguments with stars")
    named = [keyword.key for keyword in keywords_of(node)]
    if not accepts(function, len(node.args), named):
        raise _refused(node, f"the {word} {node.name} takes other arguments")
    if isinstance(node, nodes.Filter) and node.name in APPLYING:
        _check_applying(node)


def _check_applying(node: nodes.Filter) -> None:
    position, functions = APPLYING[node.name]
    if len(node.args) <= position:
        return
    argument = node.args[position]
    name = argument.value if isinstance(argument, nodes.Const) else None
    if not isinstance(name, str) or name not in functions or (functions is FILTERS and name in APPLYING):
        word = "filter" if functions is FILTERS else "test"
        raise _refused(node, f"{node.name} needs the name of a {word}, as a plain text")
    if not accepts(functions[name], len(node.args) - position - 1):
        raise _refused(node, f"{name} takes other arguments")


def _check_constant(node: nodes.Const) -> None:
    value = node.value
    if isinstance(value, int) and value.bit_length() > _MAX_INT_BITS:
        raise _refused(node, f"a number must not exceed {_MAX_INT_BITS} bits")
    if isinstance(value, str) and any("\ud800" <= character <= "\udfff" for character in value):
        raise _refused(node, "a text must not hold half a character (\\ud800 to \\udfff)")


def _check_attribute(node: nodes.Node, name: object) -> None:
    if isinstance(name, str) and name.startswith("_"):
        raise _refused(node, f"attribute {name} is not available in prompts")


def _targets(target: nodes.Node) -> set[str]:
    """The names that an assignment sets."""
    names: set[str] = set()
    for part in [target, *target.find_all(nodes.Node)]:
        if not isinstance(part, (nodes.Name, nodes.Tuple)):
            raise _refused(part, f"{_WORDS.get(type(part), 'this')} cannot be set in prompts")
        if isinstance(part, nodes.Name):
            if part.name == "loop" or part.name.startswith("__"):
                raise _refused(part, f"{part.name} cannot be set in prompts")
            names.add(part.name)
    return names


def _refused(node: nodes.Node, message: str) -> TemplateInvalid:
    # Jinja2 gives some nodes that it makes itself no line.
    where = f"line {node.lineno}: " if node.lineno else ""
    return TemplateInvalid(f"{where}{message}", "template")
