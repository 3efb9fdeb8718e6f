"""What a message of a chat may be made of: its fields with types and bounds, and which are translated.

Clients send whole answers back as part of the next request, with whatever fields a provider or an SDK put
into them. So an unknown field is no mistake: a provider that speaks OpenAI's protocol gets it as it is, and
an adapter, which might obey it, never sees it. Known fields are checked for everybody.

Used by the codecs (`deployments/ingress/`) and by the lanes that translate (`deployments/lanes/media.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, cast

from voyager_llm.errors import InvalidArgument

# Of lists whose every entry is translated for some providers: one request must not hold up the others.
_MAX_MESSAGES = 4096
_MAX_ENTRIES = 1024
# Of what names something: roles, people, calls.
_MAX_NAME = 1024


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_name(value: Any) -> bool:
    return isinstance(value, str) and len(value) <= _MAX_NAME


def _is_objects(value: Any) -> bool:
    return (
        isinstance(value, list)
        and len(cast("list[Any]", value)) <= _MAX_ENTRIES
        and all(isinstance(item, dict) for item in cast("list[Any]", value))
    )


_NAME = (_is_name, f"must be a string of at most {_MAX_NAME} characters")
_TEXT = (_is_text, "must be a string")
_FLAG = (lambda value: isinstance(value, bool), "must be true or false")
_OBJECT = (lambda value: isinstance(value, dict), "must be an object")
_OBJECTS = (_is_objects, f"must be a list of at most {_MAX_ENTRIES} objects")

# What each field accepts besides null, which SDKs write for what is absent. `content` is checked by itself.
_FIELDS: Mapping[str, tuple[Callable[[Any], bool], str]] = {
    "role": _NAME,
    "name": _NAME,
    "tool_call_id": _NAME,
    "tool_calls": _OBJECTS,
    "function_call": _OBJECT,
    "refusal": _TEXT,
    "audio": _OBJECT,
    "annotations": _OBJECTS,
    "cache_control": _OBJECT,
    "images": _OBJECTS,
    "prefix": _FLAG,
    "provider_specific_fields": _OBJECT,
    "reasoning_content": _TEXT,
    "reasoning_details": _OBJECTS,
    "thinking_blocks": _OBJECTS,
}

# The fields that adapters get to see. What they have no use for in a request (`annotations`, `refusal`,
# `audio`, `reasoning_details`) is left out like any field that nobody knows.
_OF_EVERY_ROLE = frozenset({"role", "content", "name", "cache_control"})
_OF_ROLE: Mapping[str, frozenset[str]] = {
    "assistant": _OF_EVERY_ROLE | {"tool_calls", "function_call", "images", "prefix",
                                   "provider_specific_fields", "reasoning_content", "thinking_blocks"},
    "tool": _OF_EVERY_ROLE | {"tool_call_id"},
}  # fmt: skip


def translated(message: Mapping[str, Any]) -> dict[str, Any]:
    """A checked message as adapters get it: with the fields that its role has, and no others."""
    fields = _OF_ROLE.get(message["role"], _OF_EVERY_ROLE)
    return {name: value for name, value in message.items() if name in fields}


def check_messages(messages: Any) -> None:
    """Raises `InvalidArgument` naming the field that no lane could make anything of."""
    if not isinstance(messages, list):
        raise InvalidArgument("must be a list of at least one message", "messages")
    if len(cast("list[Any]", messages)) > _MAX_MESSAGES:
        raise InvalidArgument(f"must not have more than {_MAX_MESSAGES} entries", "messages")
    for i, message in enumerate(cast("list[Any]", messages)):
        if not isinstance(message, dict) or not _is_text(cast("dict[str, Any]", message).get("role")):
            raise InvalidArgument("must be an object with a role", f"messages.{i}")
        for name, value in cast("dict[str, Any]", message).items():
            if name == "content":
                _check_content(value, f"messages.{i}.content")
            elif value is not None and name in _FIELDS:
                accepts, what = _FIELDS[name]
                if not accepts(value):
                    raise InvalidArgument(what, f"messages.{i}.{name}")


def _check_content(content: Any, field: str) -> None:
    """What lanes rely on; which parts a model takes, its provider says."""
    if content is None or isinstance(content, str):
        return
    if not isinstance(content, list):
        raise InvalidArgument("must be a string or a list of parts", field)
    parts = cast("list[Any]", content)
    if len(parts) > _MAX_ENTRIES:
        raise InvalidArgument(f"must not have more than {_MAX_ENTRIES} entries", field)
    for i, part in enumerate(parts):
        kind = cast("dict[str, Any]", part).get("type") if isinstance(part, dict) else None
        if not isinstance(kind, str):
            raise InvalidArgument("must be an object with a type", f"{field}.{i}")
        if kind == "text" and not isinstance(cast("dict[str, Any]", part).get("text"), str):
            raise InvalidArgument("must be a string", f"{field}.{i}.text")
