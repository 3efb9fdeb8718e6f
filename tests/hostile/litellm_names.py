"""Every name by which the installed LiteLLM takes an argument, read out of LiteLLM itself.

Its functions' parameters, its own lists, the fields of its configuration classes, and whatever any of its
parts reads out of a dictionary of parameters; and the fields of a message that it reads. Used by
`test_parameters.py` and `test_messages.py`.
"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import litellm
from litellm.types.router import GenericLiteLLMParams, LiteLLM_Params
from litellm.types.utils import all_litellm_params

import deployments.lanes  # noqa: F401  keeps LiteLLM from asking the network when it is imported

_FUNCTIONS = ("completion", "acompletion", "text_completion", "atext_completion", "embedding", "aembedding")

# What LiteLLM calls the dictionaries in which it hands parameters on.
_DICTIONARIES = frozenset(
    {"_optional_params", "extra_body", "inference_params", "kwargs", "litellm_params", "litellm_params_dict",
     "non_default_params", "optional_params", "passed_params", "special_params"}
)  # fmt: skip
# What it calls a message, a part of one, or a call of a tool.
_MESSAGES = frozenset(
    {"assistant_content_block", "assistant_message_block", "assistant_msg", "content_item", "element", "item",
     "m", "message", "msg", "new_message", "part", "tool", "tool_call", "tool_message", "user_message"}
)  # fmt: skip
_READERS = frozenset({"get", "pop", "setdefault"})


@cache
def names() -> frozenset[str]:
    found: set[str] = set(all_litellm_params)
    for function in _FUNCTIONS:
        found |= inspect.signature(getattr(litellm, function)).parameters.keys()
    found |= GenericLiteLLMParams.model_fields.keys() | LiteLLM_Params.model_fields.keys()
    root = Path(litellm.__file__).parent
    parts = [root / "main.py", root / "utils.py"]
    for folder in ("llms", "litellm_core_utils", "secret_managers"):
        parts += (root / folder).rglob("*.py")
    for part in parts:
        found |= set(_read(ast.parse(part.read_text())))
    return frozenset(name for name in found if name)


@cache
def message_fields() -> frozenset[str]:
    found: set[str] = set()
    for folder in ("llms", "litellm_core_utils"):
        for part in (Path(litellm.__file__).parent / folder).rglob("*.py"):
            found |= set(_keys(ast.parse(part.read_text()), _MESSAGES))
    return frozenset(name for name in found if name)


def _read(tree: ast.AST) -> Iterator[str]:
    yield from _keys(tree, _DICTIONARIES)
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef) and node.name.endswith("Config"):
            yield from _fields(node)


def _keys(tree: ast.AST, dictionaries: frozenset[str]) -> Iterator[str]:
    """The keys that are read out of what goes by one of these names."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args:
            if node.func.attr in _READERS and _name(node.func.value) in dictionaries:
                yield from _text(node.args[0])
        elif isinstance(node, ast.Subscript) and _name(node.value) in dictionaries:
            yield from _text(node.slice)
        elif isinstance(node, ast.Compare) and _name(node.comparators[0]) in dictionaries:
            yield from _text(node.left)


def _fields(config: ast.ClassDef) -> Iterator[str]:
    """LiteLLM makes a configuration's arguments the provider's defaults."""
    for node in config.body:
        if isinstance(node, ast.FunctionDef) and node.name == "__init__":
            yield from (argument.arg for argument in (*node.args.args, *node.args.kwonlyargs))


def _name(node: ast.AST) -> str:
    return node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""


def _text(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
