"""Events of Cohere's chat API, version 2, as chunks of OpenAI's. Used by `dialects.py`.

LiteLLM's own parser is of an earlier form: it finds neither calls of tools, nor ends, nor usage.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

# What ends an answer, in OpenAI's words. The rest are failures.
FINISH: Mapping[str, str] = MappingProxyType(
    {"COMPLETE": "stop", "STOP_SEQUENCE": "stop", "MAX_TOKENS": "length", "TOOL_CALL": "tool_calls",
     "ERROR_TOXIC": "content_filter"}
)  # fmt: skip


class CohereEvents:
    """Follows one stream."""

    def __init__(self) -> None:
        self._id = ""
        self._calls = -1

    def chunk_parser(self, event: dict[str, Any]) -> dict[str, Any] | None:
        """The chunk of an event; None: it says nothing. Raises `ValueError` where the answer failed."""
        self._id = event.get("id") or self._id
        delta = event.get("delta") or {}
        kind = event.get("type")
        if kind == "message-end":
            return self._ended(delta)
        said = self._said(kind, delta.get("message") or {})
        return self._chunk(said, None) if said else None

    def _said(self, kind: Any, message: dict[str, Any]) -> dict[str, Any]:
        if kind == "content-delta":
            content = message.get("content") or {}
            return {"content": content.get("text"), "reasoning_content": content.get("thinking")}
        if kind == "tool-plan-delta":
            return {"reasoning_content": message.get("tool_plan")}
        if kind in ("tool-call-start", "tool-call-delta"):
            self._calls += kind == "tool-call-start"
            call = message.get("tool_calls") or {}
            return {"tool_calls": [{**call, "index": self._calls}]}
        return {}

    def _ended(self, delta: dict[str, Any]) -> dict[str, Any]:
        finish = FINISH.get(delta.get("finish_reason") or "COMPLETE")
        if finish is None:
            raise ValueError("the answer failed")
        chunk = self._chunk({}, finish)
        tokens = (delta.get("usage") or {}).get("tokens")
        if tokens:
            sent, received = tokens.get("input_tokens") or 0, tokens.get("output_tokens") or 0
            chunk["usage"] = {
                "prompt_tokens": sent, "completion_tokens": received, "total_tokens": sent + received,
            }  # fmt: skip
        return chunk

    def _chunk(self, delta: dict[str, Any], finish: str | None) -> dict[str, Any]:
        return {"id": self._id, "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}
