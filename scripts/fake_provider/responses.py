"""Answers of the fake provider in the wire format of OpenAI's Responses API. Used by `formats.py`.

Shapes and the order of events follow OpenAI's public API reference. It keeps nothing: whoever goes on from a
response is told that there is none.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import orjson

from scripts.fake_provider.profiles import Profile

_TOKENS = {"prompt": 12, "cached": 4, "reasoning": 2}


def response(profile: Profile, body: Any, words: list[str], tool: dict[str, str]) -> dict[str, Any]:
    """A whole one."""
    status = "incomplete" if profile.incomplete else "completed"
    return {
        **_begun(body),
        "status": status,
        "completed_at": None if profile.incomplete else 1700000001,
        "incomplete_details": {"reason": profile.incomplete} if profile.incomplete else None,
        "output": list(_items(profile, words, tool, status)),
        "usage": None if profile.no_usage else _usage(profile),
    }


def events(profile: Profile, body: Any, words: list[str], tool: dict[str, str]) -> Iterator[bytes]:
    """A stream of one."""
    for number, event in enumerate(_events(profile, body, words, tool)):
        written = orjson.dumps({"sequence_number": number, **event})
        yield f"event: {event['type']}\n".encode() + b"data: " + written + b"\n\n"


def _events(profile: Profile, body: Any, words: list[str], tool: dict[str, str]) -> Iterator[dict[str, Any]]:
    begun, whole = _begun(body), response(profile, body, words, tool)
    yield {"type": "response.created", "response": begun}
    yield {"type": "response.in_progress", "response": begun}
    if profile.fails_created:
        error = {"code": "server_error", "message": profile.error_message}
        yield {"type": "response.failed", "response": {**begun, "status": "failed", "error": error}}
        return
    for index, item in enumerate(whole["output"]):
        at = {"item_id": item["id"], "output_index": index}
        empty = {**item, "status": "in_progress"}
        empty |= {name: empty[name][:0] for name in ("content", "arguments", "summary") if name in item}
        yield {"type": "response.output_item.added", "output_index": index, "item": empty}
        if item["type"] == "message":
            yield from _text(at, item["content"][0], words)
        elif item["type"] == "function_call":
            yield {"type": "response.function_call_arguments.delta", **at, "delta": item["arguments"]}
            yield {"type": "response.function_call_arguments.done", **at, "name": item["name"],
                   "arguments": item["arguments"]}  # fmt: skip
        yield {"type": "response.output_item.done", "output_index": index, "item": item}
    yield {"type": f"response.{whole['status']}", "response": whole}


def _text(at: dict[str, Any], part: dict[str, Any], words: list[str]) -> Iterator[dict[str, Any]]:
    at = {**at, "content_index": 0}
    yield {"type": "response.content_part.added", **at, "part": {**part, "text": ""}}
    for word in words:
        yield {"type": "response.output_text.delta", **at, "delta": word, "logprobs": []}
    yield {"type": "response.output_text.done", **at, "text": part["text"], "logprobs": []}
    yield {"type": "response.content_part.done", **at, "part": part}


def _begun(body: Any) -> dict[str, Any]:
    text = body.get("text") or {}
    return {
        "id": "resp_fake", "object": "response", "created_at": 1700000000, "status": "in_progress",
        "background": False, "completed_at": None, "error": None, "incomplete_details": None,
        "instructions": body.get("instructions"), "max_output_tokens": body.get("max_output_tokens"),
        "max_tool_calls": None, "metadata": body.get("metadata") or {}, "model": body.get("model", "fake"),
        "output": [], "parallel_tool_calls": body.get("parallel_tool_calls", True),
        "previous_response_id": body.get("previous_response_id"), "prompt_cache_key": None,
        "reasoning": {"effort": None, "summary": None, **(body.get("reasoning") or {})},
        "safety_identifier": None, "service_tier": "default", "store": body.get("store", True),
        "temperature": body.get("temperature", 1.0), "text": {**text, "format": text.get("format") or
        {"type": "text"}}, "tool_choice": body.get("tool_choice", "auto"), "tools": body.get("tools") or [],
        "top_logprobs": 0, "top_p": 1.0, "truncation": "disabled", "usage": None, "user": None,
    }  # fmt: skip


def _items(profile: Profile, words: list[str], tool: dict[str, str], status: str) -> Iterator[dict[str, Any]]:
    if profile.thought:
        yield {"id": "rs_fake", "type": "reasoning", "encrypted_content": "c2VhbGVk",
               "summary": [{"type": "summary_text", "text": profile.thought}]}  # fmt: skip
    if profile.tool_call:
        yield {"id": "fc_fake", "type": "function_call", "status": "completed", "call_id": "call_1", **tool}
        return
    part = {"type": "output_text", "text": "".join(words), "annotations": [], "logprobs": []}
    yield {"id": "msg_fake", "type": "message", "role": "assistant", "status": status, "content": [part]}


def _usage(profile: Profile) -> dict[str, Any]:
    return {
        "input_tokens": _TOKENS["prompt"],
        "input_tokens_details": {"cached_tokens": _TOKENS["cached"], "cache_write_tokens": 0},
        "output_tokens": profile.tokens,
        "output_tokens_details": {"reasoning_tokens": _TOKENS["reasoning"]},
        "total_tokens": _TOKENS["prompt"] + profile.tokens,
    }
