"""Answers in every shape that providers give, whole and as streams. Synthetic, after their API references.

A row is an answer's name, what makes the request fit it, and its bytes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import orjson

from tests.contract.differential.shapes import HELLO, SCHEMA, WEATHER
from tests.support.recorder import Reply


@dataclass(frozen=True)
class Given:
    """An answer to a request with ``body``."""

    provider: str
    name: str
    whole: Any
    events: tuple[Any, ...]
    body: Mapping[str, Any] = field(default_factory=dict[str, Any])
    model: str = ""

    def reply(self, stream: bool) -> Reply:
        if not stream:
            return Reply(orjson.dumps(self.whole))
        if self.provider == "ollama_chat":
            return Reply(
                b"".join(orjson.dumps(event) + b"\n" for event in self.events), "application/x-ndjson"
            )
        return Reply(sse(*self.events), "text/event-stream")

    def request(self, stream: bool) -> dict[str, Any]:
        asked: dict[str, Any] = {"messages": HELLO, **self.body}
        return {**asked, "stream": True, "stream_options": {"include_usage": True}} if stream else asked


def sse(*events: Any) -> bytes:
    return b"".join(
        b"data: " + (event if isinstance(event, bytes) else orjson.dumps(event)) + b"\n\n" for event in events
    )


# Anthropic


def _claude(content: list[Any], stop: str, output: int = 5, **usage: Any) -> dict[str, Any]:
    return {
        "id": "msg_1", "type": "message", "role": "assistant", "model": "claude-sonnet-4-5",
        "content": content, "stop_reason": stop, "stop_sequence": None,
        "usage": {"input_tokens": 12, "output_tokens": output, **usage},
    }  # fmt: skip


def _claudes(
    stop: str, *blocks: tuple[dict[str, Any], list[dict[str, Any]]], **usage: Any
) -> tuple[Any, ...]:
    started = {**_claude([], "", 1, **usage), "stop_reason": None}
    events: list[Any] = [{"type": "message_start", "message": started}, {"type": "ping"}]
    for i, (block, deltas) in enumerate(blocks):
        events.append({"type": "content_block_start", "index": i, "content_block": block})
        events += [{"type": "content_block_delta", "index": i, "delta": delta} for delta in deltas]
        events.append({"type": "content_block_stop", "index": i})
    ended = {"stop_reason": stop, "stop_sequence": None}
    return (*events, {"type": "message_delta", "delta": ended, "usage": {"output_tokens": 5}},
            {"type": "message_stop"})  # fmt: skip


def _said(*texts: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    return {"type": "text", "text": ""}, [{"type": "text_delta", "text": text} for text in texts]


def _used(id_: str, name: str, *pieces: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    return (
        {"type": "tool_use", "id": id_, "name": name, "input": {}},
        [{"type": "input_json_delta", "partial_json": piece} for piece in pieces],
    )


def _thought(text: str, signature: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    return (
        {"type": "thinking", "thinking": "", "signature": ""},
        [{"type": "thinking_delta", "thinking": text}, {"type": "signature_delta", "signature": signature}],
    )


_TEXT = {"type": "text", "text": "Hello there"}
_PARIS = {"type": "tool_use", "id": "toolu_1", "name": "get_weather", "input": {"city": "Paris"}}
_ROME = {"type": "tool_use", "id": "toolu_2", "name": "get_weather", "input": {"city": "Rome"}}
_TOOLS = {"tools": [WEATHER]}
_THINKING = {"thinking": {"type": "enabled", "budget_tokens": 1024}, "max_tokens": 4096}
_JSON = {"response_format": {"type": "json_schema", "json_schema": {"name": "answer", "schema": SCHEMA}}}
_CACHED = {"cache_read_input_tokens": 7, "cache_creation_input_tokens": 3}

_ANTHROPIC = (
    Given("anthropic", "text", _claude([_TEXT], "end_turn"), _claudes("end_turn", _said("Hello", " there"))),
    Given("anthropic", "cached", _claude([_TEXT], "end_turn", **_CACHED),
          _claudes("end_turn", _said("Hello", " there"), **_CACHED)),
    Given("anthropic", "length", _claude([_TEXT], "max_tokens"),
          _claudes("max_tokens", _said("Hello there"))),
    Given("anthropic", "stop sequence", _claude([_TEXT], "stop_sequence"),
          _claudes("stop_sequence", _said("Hello there")), {"stop": "END"}),
    Given("anthropic", "window exceeded", _claude([_TEXT], "model_context_window_exceeded"),
          _claudes("model_context_window_exceeded", _said("Hello there"))),
    Given("anthropic", "refusal", _claude([_TEXT], "refusal"), _claudes("refusal", _said("Hello there"))),
    Given("anthropic", "tool", _claude([_TEXT, _PARIS], "tool_use"),
          _claudes("tool_use", _said("Hello there"),
                   _used("toolu_1", "get_weather", "", '{"city":', ' "Paris"}')), _TOOLS),
    Given("anthropic", "tools at once", _claude([_PARIS, _ROME], "tool_use"),
          _claudes("tool_use", _used("toolu_1", "get_weather", '{"city": "Paris"}'),
                   _used("toolu_2", "get_weather", '{"city": "Rome"}')), _TOOLS),
    Given("anthropic", "tool without arguments",
          _claude([{"type": "tool_use", "id": "toolu_1", "name": "now", "input": {}}], "tool_use"),
          _claudes("tool_use", _used("toolu_1", "now")), _TOOLS),
    Given("anthropic", "thinking",
          _claude([{"type": "thinking", "thinking": "Hm.", "signature": "c2ln"}, _TEXT], "end_turn"),
          _claudes("end_turn", _thought("Hm.", "c2ln"), _said("Hello there")), _THINKING),
    Given("anthropic", "schema by tool",
          _claude([{"type": "tool_use", "id": "toolu_1", "name": "json_tool_call", "input": {"a": 1}}],
                  "tool_use"),
          _claudes("tool_use", _used("toolu_1", "json_tool_call", '{"a"', ": 1}")), _JSON,
          "claude-3-haiku-20240307"),
    Given("anthropic", "functions", _claude([_PARIS], "tool_use"),
          _claudes("tool_use", _used("toolu_1", "get_weather", '{"city": "Paris"}')),
          {"functions": [WEATHER["function"]]}),
)  # fmt: skip

# Gemini


def _gemini(parts: list[Any], finish: str | None = "STOP", index: int = 0) -> dict[str, Any]:
    candidate: dict[str, Any] = {"content": {"parts": parts, "role": "model"}, "index": index}
    if finish:
        candidate["finishReason"] = finish
    usage = {"promptTokenCount": 12, "candidatesTokenCount": 5, "totalTokenCount": 17}
    return {"candidates": [candidate], "usageMetadata": usage, "modelVersion": "gemini-2.5-flash",
            "responseId": "r1"}  # fmt: skip


_CALL = {"functionCall": {"name": "get_weather", "args": {"city": "Paris"}}}

_GEMINI = (
    Given("gemini", "text", _gemini([{"text": "Hello there"}]),
          (_gemini([{"text": "Hello"}], None), _gemini([{"text": " there"}]))),
    Given("gemini", "length", _gemini([{"text": "Hello"}], "MAX_TOKENS"),
          (_gemini([{"text": "Hello"}], "MAX_TOKENS"),)),
    Given("gemini", "tool", _gemini([_CALL]), (_gemini([_CALL]),), _TOOLS),
    Given("gemini", "tool, then its end", _gemini([_CALL]),
          (_gemini([_CALL], None), _gemini([{"text": ""}])), _TOOLS),
    Given("gemini", "tools at once", _gemini([_CALL, _CALL]),
          (_gemini([_CALL], None), _gemini([_CALL])), _TOOLS),
    Given("gemini", "thought", _gemini([{"text": "Hm.", "thought": True}, {"text": "Hello"}]),
          (_gemini([{"text": "Hm.", "thought": True}], None), _gemini([{"text": "Hello"}]))),
    Given("gemini", "signature", _gemini([{**_CALL, "thoughtSignature": "c2ln"}]),
          (_gemini([{**_CALL, "thoughtSignature": "c2ln"}]),), _TOOLS),
    Given("gemini", "functions", _gemini([_CALL]), (_gemini([_CALL]),), {"functions": [WEATHER["function"]]}),
)  # fmt: skip

# Ollama


def _ollama(message: dict[str, Any], done: str = "", **more: Any) -> dict[str, Any]:
    said: dict[str, Any] = {
        "model": "llama3.1", "created_at": "2026-01-01T00:00:00.000000Z",
        "message": {"role": "assistant", "content": "", **message}, "done": bool(done),
    }  # fmt: skip
    if done:
        said |= {"done_reason": done, "prompt_eval_count": 12, "eval_count": 5}
    return {**said, **more}


_OLLAMA_CALL = {"tool_calls": [{"function": {"name": "get_weather", "arguments": {"city": "Paris"}}}]}

_OLLAMA = (
    Given("ollama_chat", "text", _ollama({"content": "Hello there"}, "stop"),
          (_ollama({"content": "Hello"}), _ollama({"content": " there"}), _ollama({}, "stop"))),
    Given("ollama_chat", "length", _ollama({"content": "Hello"}, "length"),
          (_ollama({"content": "Hello"}), _ollama({}, "length"))),
    Given("ollama_chat", "tool", _ollama(_OLLAMA_CALL, "stop"),
          (_ollama(_OLLAMA_CALL), _ollama({}, "stop")), _TOOLS),
    Given("ollama_chat", "thinking", _ollama({"thinking": "Hm.", "content": "Hello"}, "stop"),
          (_ollama({"thinking": "Hm."}), _ollama({"content": "Hello"}), _ollama({}, "stop")),
          {"reasoning_effort": "high"}),
)  # fmt: skip

# OpenAI, and who speaks like it


def _chat(message: dict[str, Any], finish: str = "stop", **more: Any) -> dict[str, Any]:
    return {
        "id": "c1", "object": "chat.completion", "created": 1700000000, "model": "m",
        "choices": [{"index": 0, "message": {"role": "assistant", **message}, "finish_reason": finish}],
        "usage": {"prompt_tokens": 12, "completion_tokens": 5, "total_tokens": 17}, **more,
    }  # fmt: skip


_CHAT_CALL = {"id": "call_1", "type": "function",
              "function": {"name": "get_weather", "arguments": '{"city": "Paris"}'}}  # fmt: skip


def _cohere(message: dict[str, Any], finish: str) -> dict[str, Any]:
    tokens = {"input_tokens": 12, "output_tokens": 5}
    return {"id": "c1", "finish_reason": finish, "message": {"role": "assistant", **message},
            "usage": {"billed_units": tokens, "tokens": tokens}}  # fmt: skip


def _chats(finish: str, *deltas: dict[str, Any]) -> tuple[Any, ...]:
    """Mistral reports usage in the last chunk."""
    base = {"id": "c1", "object": "chat.completion.chunk", "created": 1700000000, "model": "m"}
    said = [
        {**base, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]}
        for delta in ({"role": "assistant", "content": ""}, *deltas)
    ]
    ended = {"index": 0, "delta": {"content": ""}, "finish_reason": finish}
    return (*said, {**base, "choices": [ended], "usage": _chat({})["usage"]}, b"[DONE]")


def _coheres(finish: str, *events: tuple[str, dict[str, Any]]) -> tuple[Any, ...]:
    tokens = {"input_tokens": 12, "output_tokens": 5}
    started = {"role": "assistant", "content": [], "tool_plan": "", "tool_calls": [], "citations": []}
    ended = {"finish_reason": finish, "usage": {"billed_units": tokens, "tokens": tokens}}
    return (
        {"id": "c1", "type": "message-start", "delta": {"message": started}},
        *({"type": kind, "index": 0, "delta": {"message": message}} for kind, message in events),
        {"type": "message-end", "delta": ended},
    )


_COHERE_TEXT = (
    ("content-start", {"content": {"type": "text", "text": ""}}),
    ("content-delta", {"content": {"text": "Hello"}}),
    ("content-delta", {"content": {"text": " there"}}),
    ("content-end", {}),
)
_COHERE_CALL = (
    ("tool-plan-delta", {"tool_plan": "I ask."}),
    ("tool-call-start", {"tool_calls": {"id": "call_1", "type": "function",
                                        "function": {"name": "get_weather", "arguments": ""}}}),
    ("tool-call-delta", {"tool_calls": {"function": {"arguments": '{"city":'}}}),
    ("tool-call-delta", {"tool_calls": {"function": {"arguments": ' "Paris"}'}}}),
    ("tool-call-end", {}),
)  # fmt: skip

_OTHERS = (
    Given("mistral", "text", _chat({"content": "Hello there"}),
          _chats("stop", {"content": "Hello"}, {"content": " there"})),
    Given("mistral", "tool", _chat({"content": "", "tool_calls": [_CHAT_CALL]}, "tool_calls"),
          _chats("tool_calls", {"content": "", "tool_calls": [{"index": 0, **_CHAT_CALL}]}), _TOOLS),
    Given("mistral", "length", _chat({"content": "Hello"}, "length"), _chats("length", {"content": "Hello"})),
    Given("codestral", "text", _chat({"content": "Hello there"}),
          _chats("stop", {"content": "Hello"}, {"content": " there"})),
    Given("cohere", "text", _cohere({"content": [{"type": "text", "text": "Hello there"}]}, "COMPLETE"),
          _coheres("COMPLETE", *_COHERE_TEXT)),
    Given("cohere", "length", _cohere({"content": [{"type": "text", "text": "Hello"}]}, "MAX_TOKENS"),
          _coheres("MAX_TOKENS", *_COHERE_TEXT)),
    Given("cohere", "tool", _cohere({"tool_calls": [_CHAT_CALL]}, "TOOL_CALL"),
          _coheres("TOOL_CALL", *_COHERE_CALL), _TOOLS),
    Given("openai", "text", _chat({"content": "Hello there"}), ()),
    Given("openai", "tool", _chat({"content": None, "tool_calls": [_CHAT_CALL]}, "tool_calls"), (), _TOOLS),
)  # fmt: skip

ANSWERS: Mapping[str, Given] = MappingProxyType(
    {f"{given.provider}: {given.name}": given for given in (*_ANTHROPIC, *_GEMINI, *_OLLAMA, *_OTHERS)}
)
