"""A chat's answer as a message of Anthropic's. Used by `anthropic/api.py`; streams in `events.py`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from os import urandom
from typing import Any, cast

from deployments.ingress.chat_events import chunk_of, first_choice, objects, part, text
from deployments.lanes.lenient import dumps, loads
from voyager_llm.domain.completion import Account
from voyager_llm.domain.usage_reports import as_anthropic
from voyager_llm.errors import UpstreamInvalid

Block = dict[str, Any]

_STOP_REASONS = {
    "stop": "end_turn",
    "length": "max_tokens",
    "tool_calls": "tool_use",
    "function_call": "tool_use",
    "content_filter": "refusal",
}
# What some who speak OpenAI's protocol hand on from Anthropic's.
_ANTHROPICS = frozenset({"pause_turn", "refusal", "model_context_window_exceeded"})


def message(body: bytes, account: Account) -> bytes:
    """A whole answer. Raises `UpstreamInvalid` for one that no message can be made of."""
    document = chunk_of(body)
    choice = first_choice(document)
    said = part(choice, "message")
    content = list(_blocks(said))
    has_called = any(block["type"] == "tool_use" for block in content)
    ending = stop(choice, has_called=has_called, is_refused=bool(text(said, "refusal")))
    return dumps(
        {
            **head(text(document, "model") or account.model),
            "content": content,
            **ending,
            "usage": as_anthropic(account.usage),
        }
    )


def head(model: str) -> dict[str, Any]:
    """What a message begins with."""
    return {"id": f"msg_{urandom(12).hex()}", "type": "message", "role": "assistant", "model": model}


def stop(choice: Mapping[str, Any], *, has_called: bool, is_refused: bool) -> dict[str, Any]:
    """Why an answer ended. Not everybody says that it did to call a tool."""
    told = text(choice, "finish_reason")
    reason = told if told in _ANTHROPICS else _STOP_REASONS.get(told, "end_turn")
    # vLLM says which of the client's sequences it was.
    sequence = text(choice, "stop_reason") or None if told == "stop" else None
    if is_refused:
        reason = "refusal"
    elif sequence:
        reason = "stop_sequence"
    elif reason == "end_turn" and has_called:
        reason = "tool_use"
    return {"stop_reason": reason, "stop_sequence": sequence}


def thoughts(said: Mapping[str, Any]) -> list[Block]:
    """What a model thought, of a message or of a delta: as Claude has it, else the text that others give
    under one of two names."""
    if blocks := objects(said, "thinking_blocks"):
        return [_thought(block) for block in blocks]
    reasoning = text(said, "reasoning_content") or text(said, "reasoning")
    return [{"type": "thinking", "thinking": reasoning, "signature": ""}] if reasoning else []


def spoken(said: Mapping[str, Any]) -> str:
    """The text of a message or of a delta, whether in a string or in parts; a refusal's, too."""
    content = text(said, "content") or "".join(
        text(one, "text") for one in objects(said, "content") if one.get("type") == "text"
    )
    return content + text(said, "refusal")


def arguments(written: object, name: str) -> dict[str, Any]:
    """The arguments of a call. Raises `UpstreamInvalid` where the model wrote none that can be read."""
    found: object = written or {}
    if isinstance(written, str) and written.strip():
        try:
            found = loads(written.encode("utf-8", "surrogatepass")) or {}
        except ValueError:
            found = written
    if not isinstance(found, dict):
        raise UpstreamInvalid(f"the model called {name[:60]!r} with arguments that are no JSON object")
    return cast("dict[str, Any]", found)


def call_id(given: str) -> str:
    """The id of a call; who gives none gets one, for its result to refer to."""
    return given or f"toolu_{urandom(12).hex()}"


def _blocks(said: Mapping[str, Any]) -> Iterator[Block]:
    yield from thoughts(said)
    if content := spoken(said):
        yield {"type": "text", "text": content}
    for call in objects(said, "tool_calls"):
        function = part(call, "function")
        name, given = text(function, "name"), function.get("arguments")
        # Some give the object itself.
        found = cast("Any", given) if isinstance(given, dict) else arguments(given, name)
        yield {"type": "tool_use", "id": call_id(text(call, "id")), "name": name, "input": found}


def _thought(block: Mapping[str, Any]) -> Block:
    if block.get("type") == "redacted_thinking":
        return {"type": "redacted_thinking", "data": text(block, "data")}
    return {"type": "thinking", "thinking": text(block, "thinking"), "signature": text(block, "signature")}
