"""Tools of the Responses API as functions of a chat. Used by `chat.py`.

A provider's own tools, such as its search, exist at that provider alone and are refused by name; so are the
addresses and credentials in them. A custom tool takes one text: a function with one parameter.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from deployments.ingress.openai.responses.items import CUSTOM_INPUT, only_native
from voyager_llm.errors import InvalidArgument

Tool = Mapping[str, Any]

_OF_FUNCTIONS = frozenset({"type", "name", "description", "parameters", "strict"})
_OF_CUSTOM = frozenset({"type", "name", "description"})
_DIRECT = ["direct"]


@dataclass(frozen=True, slots=True)
class Tools:
    """Of a chat. ``choice`` is None where none is said."""

    functions: list[dict[str, Any]]
    choice: Any


def custom_names(tools: Sequence[Tool]) -> frozenset[str]:
    """The names of the tools whose calls are answered as calls of custom tools."""
    return frozenset(str(tool.get("name")) for tool in tools if tool.get("type") == "custom")


def tools_of(given: Sequence[Tool], choice: Any) -> Tools:
    """Raises `InvalidArgument` naming the field of what is no function."""
    functions = [_function(tool, f"tools.{i}") for i, tool in enumerate(given)]
    if not isinstance(choice, dict):
        return Tools(functions, choice)
    chosen = cast("Tool", choice)
    kind = chosen.get("type")
    if kind in ("function", "custom"):
        return Tools(functions, {"type": "function", "function": {"name": chosen.get("name")}})
    if kind == "allowed_tools":
        return _allowed(functions, chosen)
    raise only_native(f"choices of type {str(kind)[:64]}", "tool_choice.type")


def _allowed(functions: list[dict[str, Any]], choice: Tool) -> Tools:
    """Only these may be called, so only these are told."""
    tools = choice.get("tools")
    if not isinstance(tools, list) or choice.get("mode") not in ("auto", "required"):
        raise InvalidArgument("must have a mode, auto or required, and a list of tools", "tool_choice")
    names = {cast("Tool", tool).get("name") for tool in cast("list[Any]", tools) if isinstance(tool, dict)}
    allowed = [tool for tool in functions if tool["function"]["name"] in names]
    if not allowed:
        raise InvalidArgument("must name some of the request's tools", "tool_choice.tools")
    return Tools(allowed, choice["mode"])


def _function(tool: Tool, field: str) -> dict[str, Any]:
    kind = tool.get("type")
    if kind not in ("function", "custom"):
        raise only_native(f"tools of type {str(kind)[:64]}", f"{field}.type")
    if not isinstance(tool.get("name"), str) or not tool["name"]:
        raise InvalidArgument("must be a string, not empty", f"{field}.name")
    _check_rest(tool, field)
    function = {name: tool[name] for name in ("name", "description") if tool.get(name) is not None}
    if kind == "custom":
        return {"type": "function", "function": {**function, "parameters": _ONE_TEXT}}
    for name in ("parameters", "strict"):
        if tool.get(name) is not None:
            function[name] = tool[name]
    return {"type": "function", "function": function}


def _check_rest(tool: Tool, field: str) -> None:
    """What a tool says besides: null, or what is so anyway."""
    known = _OF_FUNCTIONS if tool["type"] == "function" else _OF_CUSTOM
    for name, value in tool.items():
        if name in known or not value:
            continue
        if name == "allowed_callers" and value == _DIRECT:
            continue
        if name == "format" and isinstance(value, dict) and cast("Tool", value).get("type") == "text":
            continue
        raise only_native(f"tools with {name[:64]}", f"{field}.{name[:64]}")


_ONE_TEXT: Mapping[str, Any] = {
    "type": "object",
    "properties": {CUSTOM_INPUT: {"type": "string"}},
    "required": [CUSTOM_INPUT],
    "additionalProperties": False,
}
