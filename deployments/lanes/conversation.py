"""What `litellm.completion` does to a request before an adapter sees it, and what no adapter does at all.

OpenAI's newer role and its older functions are written in the forms that every adapter knows. Used by
`adapter.py` and `wire.py`; `tests/contract/test_differential.py` compares with LiteLLM's own whole call.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, cast

from deployments.lanes.lenient import dumps, loads

_DEVELOPER, _ARGUMENTS = b'"developer"', b'"arguments"'
_NO_ARGUMENTS = re.compile(rb'"arguments"\s*:\s*""')


def prepare(body: dict[str, Any]) -> None:
    """Rewrite a checked ``body`` in place."""
    # Null is how SDKs write what is absent, and adapters are not ready for it.
    body["messages"] = [
        {name: value for name, value in message.items() if value is not None} for message in body["messages"]
    ]
    for message in cast("list[dict[str, Any]]", body["messages"]):
        _make_plain(message)
        if isinstance(message.get("content"), list):
            message["content"] = [_part(part) for part in message["content"]]
    _as_tools(body)


def compatible(body: bytes) -> bytes:
    """A body for a provider that speaks OpenAI's protocol as it was before its newest parts.

    As it came unless something in it has to change, which shows without parsing."""
    if _DEVELOPER not in body and not (_ARGUMENTS in body and _NO_ARGUMENTS.search(body)):
        return body
    document = loads(body)
    for message in document.get("messages") or ():
        _make_plain(message)
    return dumps(document)


def has_functions(body: dict[str, Any]) -> bool:
    """Whether a client speaks of functions as OpenAI did before tools, and expects such an answer."""
    return bool(body.get("functions")) and not body.get("tools")


def as_functions(choice: dict[str, Any]) -> None:
    """A choice of an answer or a chunk, rewritten for such a client."""
    said = choice.get("message") or choice.get("delta") or {}
    if calls := said.pop("tool_calls", None):
        function = calls[0].get("function") or {}
        said["function_call"] = {name: value for name, value in function.items() if value is not None}
    if choice.get("finish_reason") == "tool_calls":
        choice["finish_reason"] = "function_call"


def _make_plain(message: dict[str, Any]) -> None:
    if message["role"] == "developer":
        message["role"] = "system"
    for function in _called(message):
        # OpenAI's models write nothing where a function takes nothing, and others want an object.
        if not function.get("arguments"):
            function["arguments"] = "{}"


def _called(message: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The functions that a message calls."""
    for call in message.get("tool_calls") or ():
        if isinstance(call.get("function"), dict):
            yield call["function"]
    if isinstance(message.get("function_call"), dict):
        yield message["function_call"]


def _part(part: dict[str, Any]) -> dict[str, Any]:
    if part.get("type") == "refusal":
        return {"type": "text", "text": part.get("refusal") or ""}
    return part


def _as_tools(body: dict[str, Any]) -> None:
    functions, choice = body.pop("functions", None), body.pop("function_call", None)
    if not functions or body.get("tools"):
        return
    body["tools"] = [{"type": "function", "function": function} for function in functions]
    if isinstance(choice, dict):
        body["tool_choice"] = {"type": "function", "function": choice}
    elif choice:
        body["tool_choice"] = choice
