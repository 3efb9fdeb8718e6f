"""What may stand in a prompt's template: an allow-list over Jinja2's syntax tree.

A template is checked when it is created, so that its author learns at once, with line, what is wrong.
Used by `templating/render.py`.
"""

from __future__ import annotations

from jinja2 import nodes

from voyager_llm.errors import TemplateInvalid

_FORBIDDEN: dict[type[nodes.Node], str] = {
    nodes.Extends: "extends",
    nodes.Block: "block",
    nodes.Include: "include",
    nodes.Import: "import",
    nodes.FromImport: "import",
    nodes.Macro: "macro",
    nodes.CallBlock: "call",
    nodes.FilterBlock: "filter blocks",
    nodes.AssignBlock: "set blocks",
    nodes.Pow: "**",
}

# Methods whose result is at most as long as the object they are called on.
_METHODS = frozenset(
    {"upper", "lower", "title", "capitalize", "strip", "lstrip", "rstrip", "split", "splitlines",
     "startswith", "endswith", "items", "keys", "values", "get", "count", "find", "isdigit"}
)  # fmt: skip


def check(tree: nodes.Template) -> None:
    """Refuse what the dialect does not have. Raises `TemplateInvalid`."""
    for node in tree.find_all(nodes.Node):
        for forbidden, word in _FORBIDDEN.items():
            if isinstance(node, forbidden):
                raise _refused(node, f"{word} is not available in prompts")
        if isinstance(node, nodes.Call):
            _check_call(node)
        elif isinstance(node, nodes.Getattr):
            _check_attribute(node, node.attr)
        elif isinstance(node, nodes.Getitem) and isinstance(node.arg, nodes.Const):
            _check_attribute(node, node.arg.value)
        elif isinstance(node, nodes.Name) and (node.name == "self" or node.name.startswith("__")):
            raise _refused(node, f"{node.name} is not available in prompts")
        elif isinstance(node, nodes.For) and node.recursive:
            raise _refused(node, "recursive loops are not available in prompts")
        elif isinstance(node, nodes.Assign):
            _check_assignment(node)


def _check_call(node: nodes.Call) -> None:
    callee = node.node
    if isinstance(callee, nodes.Name) and callee.name == "range":
        return
    if isinstance(callee, nodes.Getattr) and (
        callee.attr in _METHODS
        or (isinstance(callee.node, nodes.Name) and (callee.node.name, callee.attr) == ("loop", "cycle"))
    ):
        return
    name = callee.name if isinstance(callee, nodes.Name) else getattr(callee, "attr", "this")
    raise _refused(node, f"calling {name}() is not available in prompts")


def _check_attribute(node: nodes.Node, name: object) -> None:
    if isinstance(name, str) and name.startswith("_"):
        raise _refused(node, f"attribute {name} is not available in prompts")


def _check_assignment(node: nodes.Assign) -> None:
    # `set a = [a, a]`, repeated, would build a value that is exponentially long when shown.
    for literal in node.node.find_all((nodes.List, nodes.Dict, nodes.Tuple)):
        if any(True for _ in literal.find_all(nodes.Name)):
            raise _refused(node, "set cannot build a list or object out of variables")
    if isinstance(node.node, (nodes.List, nodes.Dict, nodes.Tuple)) and any(
        True for _ in node.node.find_all(nodes.Name)
    ):
        raise _refused(node, "set cannot build a list or object out of variables")


def _refused(node: nodes.Node, message: str) -> TemplateInvalid:
    return TemplateInvalid(f"line {node.lineno}: {message}", "template")
