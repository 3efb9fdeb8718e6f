"""Answers of the fake provider in the wire formats of OpenAI, Anthropic, Gemini, Ollama and Cohere; OpenAI's
Responses are in `responses.py`.

Shapes follow the providers' public API references.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import orjson

from scripts.fake_provider import responses
from scripts.fake_provider.profiles import Profile

PROMPT_TOKENS = 12
CACHED_TOKENS = 4
REASONING_TOKENS = 2
WORDS = ("Hello", " from", " the", " fake", " provider", ".")
SIGNATURE = "signature-of-the-fake-provider"
TOOL = {"name": "get_weather", "arguments": '{"city": "Paris"}'}


def words(profile: Profile) -> list[str]:
    """The tokens of an answer."""
    if profile.text:
        return [profile.text]
    return [WORDS[i % len(WORDS)] for i in range(profile.tokens)]


def _sse(document: Any, event: str = "") -> bytes:
    head = f"event: {event}\n".encode() if event else b""
    return head + b"data: " + orjson.dumps(document) + b"\n\n"


class OpenAI:
    """Chat, text and embeddings."""

    stream_type = "text/event-stream"

    @staticmethod
    def usage(profile: Profile) -> dict[str, Any]:
        return {
            "prompt_tokens": PROMPT_TOKENS,
            "completion_tokens": profile.tokens,
            "total_tokens": PROMPT_TOKENS + profile.tokens,
            "prompt_tokens_details": {"cached_tokens": CACHED_TOKENS},
            "completion_tokens_details": {"reasoning_tokens": REASONING_TOKENS},
        }

    @classmethod
    def answer(cls, profile: Profile, body: Any) -> dict[str, Any]:
        message: dict[str, Any] = {"role": "assistant", "content": "".join(words(profile))}
        finish = "stop"
        if profile.tool_call:
            call = {"id": "call_1", "type": "function", "function": TOOL}
            message, finish = {"role": "assistant", "content": None, "tool_calls": [call]}, "tool_calls"
        if profile.refuses:
            finish = "content_filter"
        if profile.thought:
            message["reasoning_content"] = profile.thought
        document: dict[str, Any] = {
            "id": "chatcmpl-fake", "object": "chat.completion", "created": 1700000000,
            "model": body.get("model", "fake"),
            "choices": [{"index": i, "message": message, "finish_reason": finish}
                        for i in range(body.get("n") or 1)],
        }  # fmt: skip
        if not profile.no_usage:
            document["usage"] = cls.usage(profile)
        return document

    @classmethod
    def events(cls, profile: Profile, body: Any) -> Iterator[bytes]:
        base = {"id": "chatcmpl-fake", "object": "chat.completion.chunk", "created": 1700000000,
                "model": body.get("model", "fake")}  # fmt: skip

        def chunk(delta: dict[str, Any], finish: str | None = None) -> bytes:
            return _sse({**base, "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]})

        if profile.thought:
            yield chunk({"role": "assistant", "reasoning_content": profile.thought})
        if profile.tool_call:
            call = {"index": 0, "id": "call_1", "type": "function", "function": TOOL}
            yield chunk({"role": "assistant", "tool_calls": [call]})
            yield chunk({}, "tool_calls")
        else:
            for i, word in enumerate(words(profile)):
                yield chunk({"role": "assistant", "content": word} if i == 0 else {"content": word})
            yield chunk({}, "content_filter" if profile.refuses else "stop")
        options = body.get("stream_options") or {}
        if options.get("include_usage") and not profile.no_usage:
            yield _sse({**base, "choices": [], "usage": cls.usage(profile)})
        yield b"data: [DONE]\n\n"

    @staticmethod
    def error(profile: Profile) -> dict[str, Any]:
        return {"error": {"message": profile.error_message, "type": "fake_error", "param": None,
                          "code": profile.error_code or None}}  # fmt: skip


class OpenAIText(OpenAI):
    @classmethod
    def answer(cls, profile: Profile, body: Any) -> dict[str, Any]:
        return {
            "id": "cmpl-fake", "object": "text_completion", "created": 1700000000,
            "model": body.get("model", "fake"),
            "choices": [{"index": 0, "text": "".join(words(profile)), "finish_reason": "stop"}],
            "usage": cls.usage(profile),
        }  # fmt: skip

    @classmethod
    def events(cls, profile: Profile, body: Any) -> Iterator[bytes]:
        base = {"id": "cmpl-fake", "object": "text_completion", "created": 1700000000, "model": "fake"}
        for word in words(profile):
            yield _sse({**base, "choices": [{"index": 0, "text": word, "finish_reason": None}]})
        yield _sse({**base, "choices": [{"index": 0, "text": "", "finish_reason": "stop"}]})
        yield b"data: [DONE]\n\n"


class Responses(OpenAI):
    @classmethod
    def answer(cls, profile: Profile, body: Any) -> dict[str, Any]:
        return responses.response(profile, body, words(profile), TOOL)

    @classmethod
    def events(cls, profile: Profile, body: Any) -> Iterator[bytes]:
        return responses.events(profile, body, words(profile), TOOL)


class Embeddings(OpenAI):
    @classmethod
    def answer(cls, profile: Profile, body: Any) -> dict[str, Any]:
        """An embedding tells its text's length."""
        given = body.get("input")
        texts = given if isinstance(given, list) else [given]
        tokens = sum(len(str(text)) for text in texts)
        return {
            "object": "list", "model": body.get("model", "fake"),
            "data": [{"object": "embedding", "index": i, "embedding": [len(str(text)), 0.5]}
                     for i, text in enumerate(texts)],
            "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
        }  # fmt: skip


class Anthropic:
    """The Messages API."""

    stream_type = "text/event-stream"

    @staticmethod
    def usage(profile: Profile) -> dict[str, Any]:
        written = profile.cache_written
        return {
            "input_tokens": PROMPT_TOKENS - CACHED_TOKENS - written, "output_tokens": profile.tokens,
            "cache_read_input_tokens": CACHED_TOKENS, "cache_creation_input_tokens": written,
        }  # fmt: skip

    @classmethod
    def blocks(cls, profile: Profile) -> list[dict[str, Any]]:
        thought = {"type": "thinking", "thinking": profile.thought, "signature": SIGNATURE}
        thoughts = [thought] if profile.thought else []
        if profile.tool_call:
            return [*thoughts, {"type": "tool_use", "id": "call_1", "name": TOOL["name"],
                                "input": orjson.loads(TOOL["arguments"])}]  # fmt: skip
        return [*thoughts, {"type": "text", "text": "".join(words(profile))}]

    @classmethod
    def stop(cls, profile: Profile) -> str:
        if profile.refuses:
            return "refusal"
        return "tool_use" if profile.tool_call else "end_turn"

    @classmethod
    def answer(cls, profile: Profile, body: Any) -> dict[str, Any]:
        return {
            "id": "msg_fake", "type": "message", "role": "assistant", "model": body.get("model", "fake"),
            "content": cls.blocks(profile), "stop_reason": cls.stop(profile), "stop_sequence": None,
            "usage": cls.usage(profile),
        }  # fmt: skip

    @classmethod
    def events(cls, profile: Profile, body: Any) -> Iterator[bytes]:
        start = {**cls.answer(profile, body), "content": [], "stop_reason": None,
                 "usage": {**cls.usage(profile), "output_tokens": 1}}  # fmt: skip
        yield _sse({"type": "message_start", "message": start}, "message_start")
        if profile.pings:
            yield _sse({"type": "ping"}, "ping")
        for index, block in enumerate(cls.blocks(profile)):
            yield from cls._block(profile, index, block)
        ending = {"stop_reason": cls.stop(profile), "stop_sequence": None}
        usage = {"output_tokens": profile.tokens}
        yield _sse({"type": "message_delta", "delta": ending, "usage": usage}, "message_delta")
        yield _sse({"type": "message_stop"}, "message_stop")

    @classmethod
    def _block(cls, profile: Profile, index: int, block: dict[str, Any]) -> Iterator[bytes]:
        if block["type"] == "thinking":
            empty = {**block, "thinking": "", "signature": ""}
            deltas = [{"type": "thinking_delta", "thinking": block["thinking"]},
                      {"type": "signature_delta", "signature": block["signature"]}]  # fmt: skip
        elif block["type"] == "tool_use":
            empty = {**block, "input": {}}
            deltas = [{"type": "input_json_delta", "partial_json": TOOL["arguments"]}]
        else:
            empty = {**block, "text": ""}
            deltas = [{"type": "text_delta", "text": word} for word in words(profile)]
        yield _sse({"type": "content_block_start", "index": index, "content_block": empty},
                   "content_block_start")  # fmt: skip
        for delta in deltas:
            yield _sse({"type": "content_block_delta", "index": index, "delta": delta}, "content_block_delta")
        yield _sse({"type": "content_block_stop", "index": index}, "content_block_stop")

    @staticmethod
    def error(profile: Profile) -> dict[str, Any]:
        return {"type": "error", "error": {"type": profile.error_code or "api_error",
                                           "message": profile.error_message}}  # fmt: skip


class CountTokens(Anthropic):
    """How many tokens the prompt of a message has."""

    @classmethod
    def answer(cls, profile: Profile, body: Any) -> dict[str, Any]:
        return {"input_tokens": PROMPT_TOKENS}


class Gemini:
    """generateContent and streamGenerateContent?alt=sse."""

    stream_type = "text/event-stream"

    @staticmethod
    def usage(profile: Profile) -> dict[str, Any]:
        return {
            "promptTokenCount": PROMPT_TOKENS, "candidatesTokenCount": profile.tokens,
            "totalTokenCount": PROMPT_TOKENS + profile.tokens, "cachedContentTokenCount": CACHED_TOKENS,
        }  # fmt: skip

    @classmethod
    def _chunk(cls, profile: Profile, parts: list[Any], finish: str | None) -> dict[str, Any]:
        candidate: dict[str, Any] = {"content": {"parts": parts, "role": "model"}, "index": 0}
        if finish:
            candidate["finishReason"] = finish
        return {"candidates": [candidate], "usageMetadata": cls.usage(profile), "modelVersion": "fake"}

    @classmethod
    def _parts(cls, profile: Profile) -> list[Any]:
        if profile.tool_call:
            arguments = orjson.loads(TOOL["arguments"])
            return [{"functionCall": {"name": TOOL["name"], "args": arguments}}]
        return [{"text": "".join(words(profile))}]

    @classmethod
    def answer(cls, profile: Profile, body: Any) -> dict[str, Any]:
        return cls._chunk(profile, cls._parts(profile), "STOP")

    @classmethod
    def events(cls, profile: Profile, body: Any) -> Iterator[bytes]:
        if profile.tool_call:
            yield _sse(cls._chunk(profile, cls._parts(profile), "STOP"))
            return
        all_words = words(profile)
        for i, word in enumerate(all_words):
            finish = "STOP" if i == len(all_words) - 1 else None
            yield _sse(cls._chunk(profile, [{"text": word}], finish))

    @staticmethod
    def error(profile: Profile) -> dict[str, Any]:
        return {"error": {"code": profile.status or 500, "message": profile.error_message,
                          "status": profile.error_code or "INTERNAL"}}  # fmt: skip


class Ollama:
    """The native /api/chat: JSON, or one JSON object a line."""

    stream_type = "application/x-ndjson"

    @classmethod
    def answer(cls, profile: Profile, body: Any) -> dict[str, Any]:
        message: dict[str, Any] = {"role": "assistant", "content": "".join(words(profile))}
        if profile.tool_call:
            function = {"name": TOOL["name"], "arguments": orjson.loads(TOOL["arguments"])}
            message = {"role": "assistant", "content": "", "tool_calls": [{"function": function}]}
        return {"model": body.get("model", "fake"), "created_at": "2024-01-01T00:00:00.000000Z",
                "message": message, "done": True, "done_reason": "stop", "total_duration": 1,
                "prompt_eval_count": PROMPT_TOKENS, "eval_count": profile.tokens}  # fmt: skip

    @classmethod
    def events(cls, profile: Profile, body: Any) -> Iterator[bytes]:
        base = {"model": body.get("model", "fake"), "created_at": "2024-01-01T00:00:00.000000Z"}
        if profile.tool_call:
            message = cls.answer(profile, body)["message"]
            yield orjson.dumps({**base, "message": message, "done": False}) + b"\n"
        else:
            for word in words(profile):
                message = {"role": "assistant", "content": word}
                yield orjson.dumps({**base, "message": message, "done": False}) + b"\n"
        end = {**cls.answer(profile, body), **base, "message": {"role": "assistant", "content": ""}}
        yield orjson.dumps(end) + b"\n"

    @staticmethod
    def error(profile: Profile) -> dict[str, Any]:
        return {"error": profile.error_message}


class Cohere:
    """The second version of its chat API."""

    stream_type = "text/event-stream"

    @staticmethod
    def usage(profile: Profile) -> dict[str, Any]:
        tokens = {"input_tokens": PROMPT_TOKENS, "output_tokens": profile.tokens}
        return {"billed_units": tokens, "tokens": tokens}

    @classmethod
    def answer(cls, profile: Profile, body: Any) -> dict[str, Any]:
        message: dict[str, Any] = {
            "role": "assistant", "content": [{"type": "text", "text": "".join(words(profile))}]
        }  # fmt: skip
        finish = "COMPLETE"
        if profile.tool_call:
            call = {"id": "call_1", "type": "function", "function": TOOL}
            message, finish = {"role": "assistant", "tool_calls": [call]}, "TOOL_CALL"
        return {"id": "cohere-fake", "finish_reason": finish, "message": message, "usage": cls.usage(profile)}

    @classmethod
    def events(cls, profile: Profile, body: Any) -> Iterator[bytes]:
        start = {"role": "assistant", "content": [], "tool_calls": []}
        yield _sse({"id": "cohere-fake", "type": "message-start", "delta": {"message": start}})
        finish = "COMPLETE"
        if profile.tool_call:
            finish = "TOOL_CALL"
            call = {"id": "call_1", "type": "function", "function": TOOL}
            delta = {"message": {"tool_calls": call}}
            yield _sse({"type": "tool-call-start", "index": 0, "delta": delta})
        else:
            for word in words(profile):
                delta = {"message": {"content": {"text": word}}}
                yield _sse({"type": "content-delta", "index": 0, "delta": delta})
        ended = {"finish_reason": finish, "usage": cls.usage(profile)}
        yield _sse({"type": "message-end", "delta": ended})

    @staticmethod
    def error(profile: Profile) -> dict[str, Any]:
        return {"message": profile.error_message}


Format = type[OpenAI] | type[Anthropic] | type[Gemini] | type[Ollama] | type[Cohere]


def format_of(path: str) -> Format | None:
    """The wire format that a path belongs to."""
    if path.endswith("/chat/completions"):
        return OpenAI
    if path.endswith("/completions"):
        return OpenAIText
    if path.endswith("/embeddings"):
        return Embeddings
    if path.endswith("/messages/count_tokens"):
        return CountTokens
    if path.endswith("/responses"):
        return Responses
    if path.endswith("/messages"):
        return Anthropic
    if path.endswith((":generateContent", ":streamGenerateContent")):
        return Gemini
    if path.endswith("/v2/chat"):
        return Cohere
    return Ollama if path.endswith("/api/chat") else None


def wants_stream(path: str, body: Any) -> bool:
    return path.endswith(":streamGenerateContent") or bool(body.get("stream"))
