"""A conversation in Anthropic's words as messages of a chat. Used by `chat.py`.

Anthropic puts the results of tools into a user's message, a chat gives each a message of its own. Thoughts go
back to who had them: signed ones in Claude's form, others as the text that they are.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import orjson

from deployments.ingress.anthropic.obstacles import Obstacles, inner, objects, text
from deployments.ingress.anthropic.parts import Block, Part, block_parts, cache_mark, parts
from voyager_llm.errors import InvalidArgument

Message = dict[str, Any]
# Stands where the result of a tool is a picture: a chat has them in messages of the user alone.
_ELSEWHERE = "The result is in the next message."
_ERROR = "Error: "


def system_message(system: Any, obstacles: Obstacles) -> Iterator[Message]:
    """What is said before the conversation, if anything is. Raises `InvalidArgument`."""
    said = list(parts(system, "system", obstacles)) if system is not None else []
    if said:
        yield {"role": "system", "content": _content(said)}


def chat_messages(given: Any, obstacles: Obstacles) -> list[Message]:
    """The messages in order. Raises `InvalidArgument` for what is no conversation."""
    messages: list[Message] = []
    turns = objects(given, "messages")
    for i, turn in enumerate(turns):
        field = f"messages.{i}"
        role = text(turn, "role", field)
        if role not in _TURNS:
            raise InvalidArgument("must be user, assistant or system", f"{field}.role")
        content = turn.get("content")
        blocks: list[Block] = (
            [{"type": "text", "text": content}]
            if isinstance(content, str)
            else [*objects(content, f"{field}.content")]
        )
        messages += _TURNS[role](blocks, f"{field}.content", obstacles)
    if turns and turns[-1]["role"] == "assistant":
        last = f"messages.{len(turns) - 1}.role"
        obstacles.note(last, "this model does not go on from what it said; end with a message of the user")
    return messages


def signed_alone(given: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """A conversation in Anthropic's words, not checked, without thoughts that no Claude has signed."""
    return [
        {**turn, "content": [block for block in blocks if not _is_unsigned(block)]}
        if isinstance(blocks := turn.get("content"), list)
        else turn
        for turn in given
    ]


def _is_unsigned(block: Any) -> bool:
    return isinstance(block, dict) and block.get("type") == "thinking" and not block.get("signature")


def _user_turn(blocks: list[Block], field: str, obstacles: Obstacles) -> Iterator[Message]:
    said: list[Part] = []
    for i, block in enumerate(blocks):
        if block.get("type") == "tool_result":
            yield _tool_result(block, f"{field}.{i}", said, obstacles)
        else:
            said += block_parts(block, f"{field}.{i}", obstacles)
    if said:
        yield {"role": "user", "content": _content(said)}


def _tool_result(block: Block, field: str, beside: list[Part], obstacles: Obstacles) -> Message:
    """``beside`` gets what of the result is no text."""
    content = block.get("content")
    found = list(parts(content, f"{field}.content", obstacles)) if content is not None else []
    others = [part for part in found if part["type"] != "text"]
    beside += others
    told = "\n\n".join(part["text"] for part in found if part["type"] == "text")
    if others and not told:
        told = _ELSEWHERE
    if block.get("is_error"):
        told = _ERROR + told
    answered = text(block, "tool_use_id", field)
    return {"role": "tool", "tool_call_id": answered, "content": told, **cache_mark(block, field)}


def _assistant_turn(blocks: list[Block], field: str, obstacles: Obstacles) -> Iterator[Message]:
    said: list[Part] = []
    calls: list[dict[str, Any]] = []
    signed: list[Block] = []
    thoughts: list[str] = []
    for i, block in enumerate(blocks):
        at = f"{field}.{i}"
        kind = text(block, "type", at)
        if kind == "tool_use":
            calls.append(_call(block, at))
        elif _is_unsigned(block):
            thoughts.append(text(block, "thinking", at))
        elif kind in ("thinking", "redacted_thinking"):
            signed.append(block)
        else:
            said += block_parts(block, at, obstacles)
    message: Message = {"role": "assistant", "content": _content(said) if said else None if calls else ""}
    if calls:
        message["tool_calls"] = calls
    if signed:
        message["thinking_blocks"] = signed
    if thoughts:
        message["reasoning_content"] = "".join(thoughts)
    yield message


def _system_turn(blocks: list[Block], field: str, obstacles: Obstacles) -> Iterator[Message]:
    """Claude is told something on the way."""
    said = [part for i, block in enumerate(blocks) for part in block_parts(block, f"{field}.{i}", obstacles)]
    if said:
        yield {"role": "system", "content": _content(said)}


def _call(block: Block, field: str) -> dict[str, Any]:
    try:
        arguments = orjson.dumps(inner(block, "input", field)).decode()
    except orjson.JSONEncodeError:
        raise InvalidArgument("is nested too deeply", f"{field}.input") from None
    return {
        "id": text(block, "id", field),
        "type": "function",
        "function": {"name": text(block, "name", field), "arguments": arguments},
    }


def _content(said: list[Part]) -> str | list[Part]:
    """A single text as it is: not everybody takes parts."""
    if len(said) == 1 and said[0].keys() == {"type", "text"}:
        return str(said[0]["text"])
    return said


_TURNS = {"user": _user_turn, "assistant": _assistant_turn, "system": _system_turn}
