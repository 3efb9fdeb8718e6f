"""Every name by which the installed LiteLLM takes an argument, read out of LiteLLM itself.

Its functions' parameters, its own lists, the fields of its configuration classes, and whatever any of its
parts reads out of a dictionary of parameters. Used by `test_parameters.py`.
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


def _read(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args:
            if node.func.attr in _READERS and _is_dictionary(node.func.value):
                yield from _text(node.args[0])
        elif isinstance(node, ast.Subscript) and _is_dictionary(node.value):
            yield from _text(node.slice)
        elif isinstance(node, ast.Compare) and isinstance(node.ops[0], (ast.In, ast.NotIn)):
            if _is_dictionary(node.comparators[0]):
                yield from _text(node.left)
        elif isinstance(node, ast.ClassDef) and node.name.endswith("Config"):
            yield from _fields(node)


def _fields(config: ast.ClassDef) -> Iterator[str]:
    """LiteLLM makes a configuration's arguments the provider's defaults."""
    for node in config.body:
        if isinstance(node, ast.FunctionDef) and node.name == "__init__":
            yield from (argument.arg for argument in (*node.args.args, *node.args.kwonlyargs))


def _is_dictionary(node: ast.AST) -> bool:
    name = node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""
    return name in _DICTIONARIES


def _text(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
