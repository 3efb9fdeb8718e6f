"""A provider's events as the chunks that OpenAI's own streams are made of. Used by `adapter.py`.

OpenAI's SDKs put a stream together again and throw where one is made otherwise: a role comes first, one id,
one model and one time stand in every chunk, and each choice ends by one chunk with a reason.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

from deployments.lanes.conversation import as_functions
from deployments.lanes.faults import error_in_success, policy_refused
from deployments.lanes.lenient import dumps
from deployments.lanes.sse import frame
from deployments.lanes.translation import Dialect, Outgoing
from voyager_llm.domain.completion import Call
from voyager_llm.domain.usage import Usage
from voyager_llm.domain.usage_reports import Reports, as_openai, format_of
from voyager_llm.errors import UpstreamInvalid


class Chunks:
    """Turns a provider's events into frames of OpenAI chunks, and keeps count of usage."""

    def __init__(self, spoken: Dialect, request: Outgoing, call: Call, *, functions: bool) -> None:
        self._spoken = spoken
        self._parser = spoken.events(request)
        self._include_usage = call.include_usage
        self._functions = functions
        # What every chunk says: of the first event that says something.
        self._head: dict[str, Any] = {}
        self._model = call.endpoint.model_name
        self._begun: set[int] = set()
        self._reports = Reports(format_of(call.endpoint.provider))
        self.finished = False

    @property
    def usage(self) -> Usage | None:
        """As far as the provider has told."""
        return self._reports.usage

    def take(self, event: dict[str, Any]) -> bytes:
        """The frame of an event; empty where it says nothing. Raises the error that it tells."""
        if event.get("type") == "error" or "error" in event:
            raise error_in_success(event)
        if not self._begun and self._spoken.blocks(event):
            raise policy_refused()
        self._reports.take(event)
        try:
            chunk = self._parser.chunk_parser(event)
        except Exception as error:
            raise UpstreamInvalid("the provider sent a chunk that cannot be read") from error
        if chunk is None:
            return b""
        document: dict[str, Any] = chunk if isinstance(chunk, dict) else standard(chunk)
        choices = list(self._choices(event, document.get("choices") or []))
        if not choices:
            return b""
        if not self._head:
            self._head = {
                "id": document.get("id") or "chatcmpl",
                "object": "chat.completion.chunk",
                "created": int(document.get("created") or time.time()),
                "model": document.get("model") or self._model,
            }
        further = {name: value for name, value in document.items() if name not in _OF_OURS}
        return frame(dumps({**self._head, **further, "choices": choices}))

    def usage_frame(self) -> bytes:
        """The closing chunk with usage that OpenAI sends when it was asked for."""
        usage = self.usage
        if not self._include_usage or usage is None:
            return b""
        return frame(dumps({**self._head, "choices": [], "usage": as_openai(usage)}))

    def _choices(self, event: dict[str, Any], read: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
        for choice in read:
            index = choice.get("index") or 0
            delta = {name: value for name, value in (choice.get("delta") or {}).items() if _is_said(value)}
            delta.pop("role", None)
            finish = self._spoken.finish(event, index, choice.get("finish_reason") or None)
            if not delta and not finish:
                continue
            if index not in self._begun:
                self._begun.add(index)
                delta = {"role": "assistant", **delta}
                if not delta.keys() & _CONTENTS:
                    delta["content"] = ""
            self.finished = self.finished or bool(finish)
            said = {**choice, "index": index, "delta": delta, "finish_reason": finish}
            if self._functions:
                as_functions(said)
            yield said


def standard(result: Any) -> dict[str, Any]:
    """A result of LiteLLM's as plain data, without the fields that it adds for itself."""
    fields: dict[str, Any] = result.model_dump(exclude_none=True)
    return {name: value for name, value in fields.items() if not name.startswith("vertex_ai_")}


def _is_said(value: Any) -> bool:
    return value is not None and value != "" and value != []


_OF_OURS = frozenset({"id", "object", "created", "model", "choices", "usage"})
_CONTENTS = frozenset({"content", "tool_calls"})
