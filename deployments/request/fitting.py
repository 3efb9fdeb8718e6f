"""A chat that was made of another API's words, as the model at hand takes it. Used by `calls.py`.

The body holds what Claude knows wherever it runs: marks of a cache, its own signed thoughts. No other model
has a use for them, and many providers refuse what they do not know. None of it changes what is asked.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from deployments.request.routing import Option

# The capability of models that are told how much to think.
EFFORT = "reasoning_effort"
# Who knows all of OpenAI's API, and whose newest models know a limit by its newest name alone.
_NEWEST = frozenset({"openai"})
_OF_CLAUDE = frozenset({"thinking_blocks", "cache_control"})
# Between paragraphs that a client gives in parts; what a model said is one text however it was parted.
_BETWEEN = {"assistant": ""}


def fitted(body: Mapping[str, Any], option: Option, *, says_effort: bool) -> dict[str, Any]:
    """The body for an option's endpoint. ``says_effort``: the client itself asks for an effort; Anthropic's
    clients speak of thinking to every model."""
    made = dict(body)
    if "claude" in option.endpoint.model_name:
        if "thinking" in made:
            made.pop(EFFORT, None)
        return made
    made.pop("thinking", None)
    if not says_effort and EFFORT not in option.model.capabilities:
        made.pop(EFFORT, None)
    made["messages"] = [_plain(message) for message in made.get("messages") or ()]
    if "tools" in made:
        made["tools"] = [_without(tool) for tool in made["tools"]]
    if "max_tokens" in made and option.endpoint.provider in _NEWEST:
        made["max_completion_tokens"] = made.pop("max_tokens")
    return made


def _plain(message: Mapping[str, Any]) -> dict[str, Any]:
    plain = _without(message)
    content = plain.get("content")
    if isinstance(content, list):
        parts = [_without(part) for part in cast("list[dict[str, Any]]", content)]
        if all(part["type"] == "text" for part in parts):
            between = _BETWEEN.get(plain["role"], "\n\n")
            plain["content"] = between.join(part["text"] for part in parts)
        else:
            plain["content"] = parts
    return plain


def _without(value: Mapping[str, Any]) -> dict[str, Any]:
    return {name: inner for name, inner in value.items() if name not in _OF_CLAUDE}
