"""What the lanes that translate give to an adapter of a request's tools: functions that the client runs.

Tools that a provider or LiteLLM would run are refused: they name addresses and carry credentials, and some
make adapters add headers. Used by `adapter.py` and `full.py`.
"""

from __future__ import annotations

from typing import Any, cast

from voyager_llm.errors import InvalidArgument

# By a tool's type, the fields that adapters may see.
_FIELDS = {
    "function": ("type", "function", "cache_control"),
    "custom": ("type", "custom"),
}
_FUNCTION = ("name", "description", "parameters", "strict")


def restrict_tools(body: dict[str, Any]) -> None:
    """Leave the fields that adapters may see in the tools of ``body``.

    Raises `InvalidArgument` naming a tool that the client would not run itself."""
    given: list[Any] | None = body.get("tools")
    if given is not None:
        body["tools"] = [_restricted(tool, f"tools.{i}") for i, tool in enumerate(given)]


def _restricted(tool: Any, field: str) -> dict[str, Any]:
    if not isinstance(tool, dict):
        raise InvalidArgument("must be an object", field)
    known = cast("dict[str, Any]", tool)
    kind = known.get("type")
    if not isinstance(kind, str) or kind not in _FIELDS:
        told = repr(kind)[:60] if kind is not None else "a tool without a type"
        raise InvalidArgument(f"is not available at this provider: {told}; give functions", f"{field}.type")
    left = {name: known[name] for name in _FIELDS[kind] if name in known}
    if kind == "function":
        function = known.get("function")
        if not isinstance(function, dict):
            raise InvalidArgument("must be an object with a name", f"{field}.function")
        left["function"] = {name: function[name] for name in _FUNCTION if name in function}
    return left
