"""Which field of a request a provider's adapter cannot translate. Used by `adapter.py` and `full.py`.

LiteLLM's adapters raise whatever they meet, in words of their own. What is often wrong is looked for; which
field it is otherwise shows by elimination: the request can be translated without it. Only requests that fail
pay for this.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, cast

from deployments.lanes.lenient import loads
from voyager_llm.errors import UpstreamRejected

Body = dict[str, Any]

# Translations that one request may cost.
_MOST = 64
_ROLES = frozenset({"system", "developer", "user", "assistant", "tool", "function"})

# What each field must be, as every adapter wants it.
_WANTED = {
    "content": "must be text, or parts whose pictures, sounds and files are data: URLs with their type",
    "tool_calls": "needs functions, each with a name and with arguments that are the JSON of an object",
    "function_call": "needs a name and arguments that are the JSON of an object",
    "tools": "needs functions, each with a name and with parameters that are a JSON schema",
    "tool_choice": 'must be "auto", "none", "required" or an object that names a function of tools',
    "response_format": "must be an object with a type, and with a JSON schema where the type is json_schema",
}
_OTHERWISE = "has no counterpart in the form that it has"


def untranslated(
    provider: str, parsed: Callable[[], Body], translates: Callable[[Body], bool]
) -> UpstreamRejected:
    """The error for a body that cannot be translated.

    ``parsed`` gives the body anew, since adapters change what they are given; ``translates`` tries one."""
    if known := mistake(provider, parsed()):
        return known
    for place, (name, field, shorter) in enumerate(_without_one(parsed)):
        if place >= _MOST:
            break
        if translates(shorter):
            return UpstreamRejected(f"{_WANTED.get(name, _OTHERWISE)} (provider {provider})", field)
    return UpstreamRejected(f"cannot be put in the form of provider {provider}", "messages")


def mistake(provider: str, body: Body) -> UpstreamRejected | None:
    """The error for a conversation that no provider could make anything of; None: it shows no mistake."""
    found = next(_mistakes(body), None)
    return UpstreamRejected(f"{found[1]} (provider {provider})", found[0]) if found else None


def _mistakes(body: Body) -> Iterator[tuple[str, str]]:
    """Fields that are wrong, and what they must be."""
    if all(message["role"] in ("system", "developer") for message in body["messages"]):
        yield "messages", "needs a message of role user"
    for i, message in enumerate(body["messages"]):
        where = f"messages.{i}"
        if message["role"] not in _ROLES:
            yield f"{where}.role", "must be system, developer, user, assistant or tool"
        if message["role"] == "tool" and not message.get("tool_call_id"):
            yield f"{where}.tool_call_id", "must name the call that this is the result of"
        calls: list[Body] = message.get("tool_calls") or []
        for j, call in enumerate(calls):
            function: Any = call.get("function")
            if not isinstance(function, dict) or "name" not in function:
                yield f"{where}.tool_calls.{j}.function", "must be an object with a name"
            elif not _is_object(cast("Body", function).get("arguments")):
                yield f"{where}.tool_calls.{j}.function.arguments", "must be the JSON of an object"


def _is_object(text: Any) -> bool:
    try:
        return not text or isinstance(loads(text.encode()), dict)
    except (AttributeError, ValueError):
        return False


def _without_one(parsed: Callable[[], Body]) -> Iterator[tuple[str, str, Body]]:
    """Bodies that lack one field each, with its name and its path."""
    whole = parsed()
    for name in sorted(whole.keys() - {"model", "messages", "stream"}):
        yield name, name, _less(parsed(), name)
    for i, message in reversed([*enumerate(whole["messages"])]):
        for name in sorted(message.keys() - {"role"}):
            shorter = parsed()
            _less(shorter["messages"][i], name).setdefault("content", ".")
            yield name, f"messages.{i}.{name}", shorter
        shorter = parsed()
        shorter["messages"][i] = {"role": "user", "content": "."}
        yield "", f"messages.{i}", shorter


def _less(fields: Body, name: str) -> Body:
    del fields[name]
    return fields
