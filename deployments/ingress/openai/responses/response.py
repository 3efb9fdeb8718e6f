"""The Response object of an answer that was translated: all the fields of OpenAI's, so that SDKs read it.

Used by `translated.py`.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any
from uuid import uuid4

from deployments.ingress.openai.responses.request import Asked
from voyager_llm.domain.usage import Usage

Response = dict[str, Any]

# What a request says and its response repeats, with what holds where it says nothing.
_REPEATED: Mapping[str, Any] = {
    "instructions": None,
    "max_output_tokens": None,
    "max_tool_calls": None,
    "metadata": {},
    "parallel_tool_calls": True,
    "previous_response_id": None,
    "prompt_cache_key": None,
    "safety_identifier": None,
    "temperature": None,
    "tool_choice": "auto",
    "top_logprobs": 0,
    "top_p": None,
    "truncation": "disabled",
    "user": None,
}
_TIERS = frozenset({"default", "flex", "scale", "priority", "fast"})
# Why a chat ended, where it is not at its end.
_REASONS = {
    "length": "max_output_tokens",
    "max_tokens": "max_output_tokens",
    "content_filter": "content_filter",
}


def new_id() -> str:
    """A response's id."""
    return f"resp_{uuid4().hex}"


def begun(asked: Asked, response_id: str) -> Response:
    """A response that has begun. Its model is the name that was asked for, until the answer tells its own."""
    document = asked.document
    repeated = {
        name: usual if document.get(name) is None else document[name] for name, usual in _REPEATED.items()
    }
    reasoning, text = document.get("reasoning") or {}, document.get("text") or {}
    return {
        "id": response_id,
        "object": "response",
        "created_at": int(time.time()),
        "status": "in_progress",
        "background": False,
        "completed_at": None,
        "error": None,
        "incomplete_details": None,
        "model": asked.destination,
        "output": [],
        **repeated,
        "reasoning": {"effort": None, "summary": None, **reasoning},
        "service_tier": _tier(document.get("service_tier"), "auto"),
        "store": asked.store,
        "text": {**text, "format": text.get("format") or {"type": "text"}},
        "tools": [_tool(tool) for tool in document.get("tools") or ()],
        "usage": None,
    }


def ended(begun: Response, output: list[Any], finish: str, used: Usage, tier: Any) -> Response:
    """The response with all of its output. ``finish`` is the chat's reason."""
    reason = _REASONS.get(finish)
    return {
        **begun,
        "status": "incomplete" if reason else "completed",
        "completed_at": None if reason else int(time.time()),
        "incomplete_details": {"reason": reason} if reason else None,
        "output": output,
        "service_tier": _tier(tier, "default"),
        "usage": {
            "input_tokens": used.input_tokens,
            "input_tokens_details": {
                "cached_tokens": used.cached_input_tokens,
                "cache_write_tokens": used.cache_write_tokens,
            },
            "output_tokens": used.output_tokens,
            "output_tokens_details": {"reasoning_tokens": used.reasoning_tokens},
            "total_tokens": used.total_tokens,
        },
    }


def status_of(finish: str) -> str:
    """Of the item that was being written when a chat ended so."""
    return "incomplete" if finish in _REASONS else "completed"


def _tier(given: Any, usual: str) -> str:
    return given if given in _TIERS else usual


def _tool(tool: Mapping[str, Any]) -> Response:
    if tool.get("type") != "function":
        return dict(tool)
    return {"description": None, "parameters": None, "strict": None, **tool}
