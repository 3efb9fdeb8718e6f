"""Requests in every shape that clients send, as OpenAI bodies. Synthetic; none has a meaning.

A shape is a body without `model`; `messages` where it says none are two ordinary ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

HELLO: list[dict[str, Any]] = [{"role": "user", "content": "Say hello."}]

# One pixel, one empty second, one empty page: data that is what it says, as far as anyone looks.
PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
WAV = "UklGRiQAAABXQVZFZm10IBAAAAABAAEAQB8AAEAfAAABAAgAZGF0YQAAAAA="
PDF = "JVBERi0xLjQKJSVFT0YK"

WEATHER: dict[str, Any] = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Weather of a city.",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}, "unit": {"type": "string", "enum": ["C", "F"]}},
            "required": ["city"],
        },
    },
}
CLOCK: dict[str, Any] = {"type": "function", "function": {"name": "now", "parameters": {"type": "object"}}}
STRICT: dict[str, Any] = {
    "type": "function",
    "function": {
        "name": "pick",
        "strict": True,
        "parameters": {
            "type": "object",
            "properties": {"a": {"type": "integer"}},
            "required": ["a"],
            "additionalProperties": False,
        },
    },
}
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"a": {"type": "integer"}},
    "required": ["a"],
    "additionalProperties": False,
}


def _user(*parts: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"role": "user", "content": list(parts)}]


def _text(text: str) -> dict[str, Any]:
    return {"type": "text", "text": text}


def _picture(url: str) -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": url}}


def _called(*calls: tuple[str, str, str]) -> dict[str, Any]:
    return {
        "role": "assistant",
        "content": None,
        "tool_calls": [
            {"id": id_, "type": "function", "function": {"name": name, "arguments": arguments}}
            for id_, name, arguments in calls
        ],
    }


def _result(id_: str, content: Any) -> dict[str, Any]:
    return {"role": "tool", "tool_call_id": id_, "content": content}


PARIS = ("call_1", "get_weather", '{"city": "Paris"}')
ROME = ("call_2", "get_weather", '{"city": "Rome"}')


def _schema(strict: bool | None) -> dict[str, Any]:
    named: dict[str, Any] = {"name": "answer", "schema": SCHEMA}
    return {"type": "json_schema", "json_schema": named if strict is None else {**named, "strict": strict}}


_MESSAGES: dict[str, list[dict[str, Any]]] = {
    "plain": HELLO,
    "system": [{"role": "system", "content": "Be brief."}, *HELLO],
    "developer": [{"role": "developer", "content": "Be brief."}, *HELLO],
    "systems": [{"role": "system", "content": "Be brief."}, {"role": "system", "content": "Be kind."},
                *HELLO],
    "system late": [*HELLO, {"role": "assistant", "content": "Hi"}, {"role": "system", "content": "Shout."},
                    *HELLO],
    "system in parts": [{"role": "system", "content": [_text("Be brief."), _text("Be kind.")]}, *HELLO],
    "turns": [*HELLO, {"role": "assistant", "content": "Hello."}, {"role": "user", "content": "Again."}],
    "assistant first": [{"role": "assistant", "content": "Hello."}, {"role": "user", "content": "Again."}],
    "assistant last": [*HELLO, {"role": "assistant", "content": "Hel"}],
    "users in a row": [*HELLO, {"role": "user", "content": "And bye."}],
    "name": [{"role": "user", "name": "ann", "content": "Say hello."}],
    "parts": _user(_text("Say"), _text("hello.")),
    "empty text": [{"role": "user", "content": ""}],
    "unicode": [{"role": "user", "content": "Grüß Gott 🙂 \u2028 \u0000 你好"}],
    "refusal sent back": [*HELLO, {"role": "assistant", "content": None, "refusal": "No."}, *HELLO],
    "picture": _user(_text("What is it?"), _picture(f"data:image/png;base64,{PNG}")),
    "picture by address": _user(_text("What is it?"), _picture("https://pictures.example/a.png")),
    "picture by plain address": _user(_picture("http://pictures.example/a.png")),
    "picture by bare address": _user(_picture("https://pictures.example/a")),
    "picture detail": _user({"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}",
                                                               "detail": "low"}}),
    "sound": _user(_text("Who speaks?"),
                   {"type": "input_audio", "input_audio": {"data": WAV, "format": "wav"}}),
    "pdf": _user(_text("Sum up."),
                 {"type": "file", "file": {"filename": "a.pdf",
                                           "file_data": f"data:application/pdf;base64,{PDF}"}}),
    "pdf by address": _user({"type": "file", "file": {"file_id": "https://files.example/a.pdf"}}),
    "file by id": _user(_text("Sum up."), {"type": "file", "file": {"file_id": "file-abc"}}),
    "cache control": [{"role": "system",
                       "content": [{**_text("Long."), "cache_control": {"type": "ephemeral"}}]}, *HELLO],
    "thinking sent back": [
        *HELLO,
        {"role": "assistant", "content": "Hi", "reasoning_content": "Hm.",
         "thinking_blocks": [{"type": "thinking", "thinking": "Hm.", "signature": "c2ln"}]},
        *HELLO,
    ],
}  # fmt: skip

_TOOL_TALK: dict[str, list[dict[str, Any]]] = {
    "tool result": [*HELLO, _called(PARIS), _result("call_1", "Sunny.")],
    "tool result in parts": [*HELLO, _called(PARIS), _result("call_1", [_text("Sunny.")])],
    "tool results": [*HELLO, _called(PARIS, ROME), _result("call_1", "Sunny."), _result("call_2", "Wet.")],
    "tool result then user": [*HELLO, _called(PARIS), _result("call_1", "Sunny."), *HELLO],
    "tool call without arguments": [*HELLO, _called(("call_1", "now", "")), _result("call_1", "12:00")],
    "tool call with empty object": [*HELLO, _called(("call_1", "now", "{}")), _result("call_1", "12:00")],
}

_PARAMETERS: dict[str, dict[str, Any]] = {
    "tools": {"tools": [WEATHER]},
    "two tools": {"tools": [WEATHER, CLOCK]},
    "strict tool": {"tools": [STRICT]},
    "tool_choice auto": {"tools": [WEATHER], "tool_choice": "auto"},
    "tool_choice none": {"tools": [WEATHER], "tool_choice": "none"},
    "tool_choice required": {"tools": [WEATHER], "tool_choice": "required"},
    "tool_choice named": {"tools": [WEATHER],
                          "tool_choice": {"type": "function", "function": {"name": "get_weather"}}},
    "parallel_tool_calls false": {"tools": [WEATHER], "parallel_tool_calls": False},
    "functions": {"functions": [WEATHER["function"]], "function_call": "auto"},
    "function_call named": {"functions": [WEATHER["function"]], "function_call": {"name": "get_weather"}},
    "json_object": {"response_format": {"type": "json_object"}},
    "text format": {"response_format": {"type": "text"}},
    "json_schema": {"response_format": _schema(None)},
    "json_schema strict": {"response_format": _schema(True)},
    "json_schema and tools": {"response_format": _schema(True), "tools": [WEATHER]},
    "stop": {"stop": "END"},
    "stops": {"stop": ["END", "\n\n"]},
    "max_tokens": {"max_tokens": 7},
    "max_completion_tokens": {"max_completion_tokens": 7},
    "n 1": {"n": 1},
    "n 2": {"n": 2},
    "temperature": {"temperature": 0.3, "top_p": 0.9},
    "temperature high": {"temperature": 1.7},
    "top_k": {"top_k": 5},
    "seed": {"seed": 9007199254740993},
    "penalties": {"presence_penalty": 0.5, "frequency_penalty": -0.5},
    "logprobs": {"logprobs": True, "top_logprobs": 3},
    "logit_bias": {"logit_bias": {"50256": -100}},
    "reasoning_effort low": {"reasoning_effort": "low", "max_tokens": 4096},
    "reasoning_effort high": {"reasoning_effort": "high"},
    "reasoning_effort none": {"reasoning_effort": "none"},
    "thinking": {"thinking": {"type": "enabled", "budget_tokens": 1024}, "max_tokens": 4096},
    "service_tier auto": {"service_tier": "auto"},
    "service_tier flex": {"service_tier": "flex"},
    "user": {"user": "ann"},
    "metadata": {"metadata": {"team": "a"}},
    "store": {"store": False},
    "safety_identifier": {"safety_identifier": "ann"},
    "prompt_cache_key": {"prompt_cache_key": "k"},
    "verbosity": {"verbosity": "low"},
    "web_search": {"web_search_options": {"search_context_size": "low"}},
    "extra": {"custom_thing": {"a": 1}, "other_thing": 12345678901234567890},
    "stream": {"stream": True},
    "stream and tools": {"stream": True, "tools": [WEATHER]},
    "stream and json_schema": {"stream": True, "response_format": _schema(True)},
}  # fmt: skip

SHAPES: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {name: {"messages": messages} for name, messages in _MESSAGES.items()}
    | {name: {"messages": messages, "tools": [WEATHER, CLOCK]} for name, messages in _TOOL_TALK.items()}
    | {name: {"messages": HELLO, **parameters} for name, parameters in _PARAMETERS.items()}
)
