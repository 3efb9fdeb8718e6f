"""A request in Anthropic's words as one for a chat, for models that do not speak them. Used by `decode.py`.

`docs/messages.md` has the table. What would make another answer and cannot be said is an obstacle, named by
its field; what is only a hint or a note to Anthropic is left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from deployments.ingress.anthropic.obstacles import Obstacles, inner, objects, optional, text
from deployments.ingress.anthropic.parts import cache_mark
from deployments.ingress.anthropic.turns import chat_messages, system_message
from voyager_llm.errors import InvalidArgument

Document = Mapping[str, Any]
Body = dict[str, Any]

# Under the same name and with the same meaning in both.
_SAME = ("max_tokens", "temperature", "top_k", "top_p")
# What only Anthropic's own API does.
_ALONE = ("mcp_servers", "container", "compaction")
# How much a model is told to think, by the tokens that it may think with, and by Anthropic's words.
_EFFORTS = ((4096, "low"), (16384, "medium"))
_HIGH = "high"
_EFFORT = {"low": "low", "medium": "medium", "high": _HIGH, "xhigh": _HIGH, "max": _HIGH}
_CHOICES = {"auto": "auto", "any": "required", "none": "none"}
_MAX_TOOLS = 512


class Chat(Mapping[str, Any]):
    """The body of a chat, made when it is first looked into: a long conversation takes a millisecond, and an
    endpoint that speaks Anthropic's API has no use for it. Looking raises `InvalidArgument` for what is wrong
    at any model."""

    __slots__ = ("_document", "_further", "_made")

    def __init__(self, document: Document, further: frozenset[str]) -> None:
        """``document`` holds parameters of Anthropic's API with their types, and ``further`` ones that a
        model must allow."""
        self._document = document
        self._further = further
        self._made: tuple[Body, InvalidArgument | None] | None = None

    def obstacle(self) -> InvalidArgument | None:
        """What a chat could not be made to say; None: nothing."""
        return self._look()[1]

    def __getitem__(self, name: str) -> Any:
        return self._look()[0][name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._look()[0])

    def __len__(self) -> int:
        return len(self._look()[0])

    def _look(self) -> tuple[Body, InvalidArgument | None]:
        if self._made is None:
            self._made = _chat(self._document, self._further)
        return self._made


def _chat(document: Document, further: frozenset[str]) -> tuple[Body, InvalidArgument | None]:
    """The body, and what it could not be made to say."""
    obstacles = Obstacles()
    body: Body = {name: document[name] for name in (*_SAME, *further) if document.get(name) is not None}
    if body.get("max_tokens") == 0:
        obstacles.note("max_tokens", "must be at least 1: this model has no cache to warm")
    for name in _ALONE:
        if document.get(name):
            obstacles.note(name, "this model does not know it; leave it out")
    body["messages"] = [
        *system_message(document.get("system"), obstacles),
        *chat_messages(document.get("messages") or [], obstacles),
    ]
    if stops := document.get("stop_sequences"):
        body["stop"] = stops
    _put_tools(document, body, obstacles)
    _put_thinking(document, body)
    _put_format(document, body, obstacles)
    _note_edits(document, obstacles)
    return body, obstacles.first


def _put_tools(document: Document, body: Body, obstacles: Obstacles) -> None:
    given = objects(document.get("tools") or [], "tools")
    if len(given) > _MAX_TOOLS:
        raise InvalidArgument(f"must not have more than {_MAX_TOOLS} entries", "tools")
    tools = [tool for i, one in enumerate(given) if (tool := _tool(one, f"tools.{i}", obstacles))]
    if tools:
        body["tools"] = tools
    choice = document.get("tool_choice")
    if not choice:
        return
    kind = text(choice, "type", "tool_choice")
    if kind == "tool":
        name = text(choice, "name", "tool_choice")
        body["tool_choice"] = {"type": "function", "function": {"name": name}}
    elif kind in _CHOICES:
        body["tool_choice"] = _CHOICES[kind]
    else:
        raise InvalidArgument("must be auto, any, tool or none", "tool_choice.type")
    if choice.get("disable_parallel_tool_use") is not None:
        body["parallel_tool_calls"] = not choice["disable_parallel_tool_use"]


def _tool(tool: Mapping[str, Any], field: str, obstacles: Obstacles) -> dict[str, Any] | None:
    kind = tool.get("type") or "custom"
    if kind != "custom":
        obstacles.note(f"{field}.type", f"{str(kind)[:60]!r} is a tool of Anthropic's; give one of your own")
        return None
    function: dict[str, Any] = {
        "name": text(tool, "name", field),
        "parameters": inner(tool, "input_schema", field),
    }
    function |= {name: tool[name] for name in ("description", "strict") if tool.get(name) is not None}
    return {"type": "function", "function": function, **cache_mark(tool, field)}


def _put_thinking(document: Document, body: Body) -> None:
    """For Claude elsewhere as it is given, for others as how much effort to make (`request/fitting.py`)."""
    thinking = document.get("thinking") or {}
    effort = (document.get("output_config") or {}).get("effort")
    budget = thinking.get("budget_tokens")
    if thinking and not (thinking.get("type") == "adaptive" and effort):
        body["thinking"] = thinking
    if effort:
        if not isinstance(effort, str) or effort not in _EFFORT:
            raise InvalidArgument(f"must be one of: {', '.join(_EFFORT)}", "output_config.effort")
        body["reasoning_effort"] = _EFFORT[effort]
    elif isinstance(budget, int):
        body["reasoning_effort"] = next((word for most, word in _EFFORTS if budget < most), _HIGH)


def _put_format(document: Document, body: Body, obstacles: Obstacles) -> None:
    """Structured output, under its present name or its first one."""
    name = "output_config.format"
    wanted = optional(document.get("output_config") or {}, "format", "output_config")
    if not wanted and document.get("output_format"):
        name, wanted = "output_format", document["output_format"]
    if not wanted:
        return
    if text(wanted, "type", name) != "json_schema":
        obstacles.note(f"{name}.type", "must be json_schema")
        return
    schema = inner(wanted, "schema", name)
    body["response_format"] = {
        "type": "json_schema", "json_schema": {"name": "output", "schema": schema, "strict": True}
    }  # fmt: skip


def _note_edits(document: Document, obstacles: Obstacles) -> None:
    """Old results and thoughts may stay in the conversation; its summary would be part of the answer."""
    management = document.get("context_management") or {}
    edits = objects(management.get("edits") or [], "context_management.edits")
    for i, edit in enumerate(edits):
        kind = text(edit, "type", f"context_management.edits.{i}")
        if not kind.startswith("clear_"):
            field = f"context_management.edits.{i}.type"
            obstacles.note(field, f"this model has no edits of type {kind[:60]!r}; leave it out")
