"""Builds targets and calls for tests of the lanes."""

from __future__ import annotations

from typing import Any

import orjson

from voyager_llm.definitions.compiler import compile_model
from voyager_llm.domain.completion import Call, StreamEnd
from voyager_llm.domain.model import ModelDefinition
from voyager_llm.domain.operation import Operation
from voyager_llm.snapshot import CompiledModel

MESSAGES = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Say hello."}]
TOOLS = [
    {
        "type": "function",
        "function": {
            "name": "get_weather",
            "description": "Weather of a city.",
            "parameters": {
                "type": "object",
                "properties": {"city": {"type": "string"}},
                "required": ["city"],
            },
        },
    }
]

# Provider, model and where below a profile's address its API starts.
DIALECTS = {
    "openai": ("openai", "gpt-4o-mini", "/v1"),
    "anthropic": ("anthropic", "claude-haiku-4-5-20251001", "/v1/messages"),
    "gemini": ("gemini", "gemini-2.0-flash", "/v1beta"),
    "ollama": ("ollama", "llama3.1", "/api/chat"),
}


def model(name: str, provider: str, model_name: str, endpoint: str, **fields: Any) -> CompiledModel:
    """A compiled model at an endpoint."""
    endpoints = {"primary": endpoint}
    if "backup" in fields:
        endpoints["backup"] = fields.pop("backup")
    return compile_model(
        ModelDefinition.model_validate(
            {"name": name, "provider": provider, "model_name": model_name, "endpoints": endpoints, **fields}
        )
    )


def call(
    of: CompiledModel,
    *,
    stream: bool = False,
    timeout_s: float = 10.0,
    include_usage: bool = False,
    **body: Any,
) -> Call:
    """One attempt at a model's first endpoint."""
    document: dict[str, Any] = {"model": of.endpoints[0].model_name, "messages": MESSAGES, **body}
    if stream:
        document |= {"stream": True, "stream_options": {"include_usage": True}}
    return Call(
        operation=body.get("operation", Operation.CHAT),
        endpoint=of.endpoints[0],
        body=orjson.dumps(document),
        stream=stream,
        include_usage=include_usage,
        timeout_s=timeout_s,
        idle_timeout_s=timeout_s,
        total_timeout_s=timeout_s,
    )


async def collected(stream: Any) -> tuple[list[Any], StreamEnd]:
    """All chunks of a stream, and how it ended."""
    chunks: list[Any] = []
    end = StreamEnd()
    async for block in stream:
        if isinstance(block, StreamEnd):
            end = block
        else:
            assert block.endswith(b"\n\n")
            chunks += [orjson.loads(e.removeprefix(b"data: ")) for e in block.strip().split(b"\n\n")]
    return chunks, end


def streamed_text(chunks: list[Any]) -> str:
    return "".join(choice["delta"].get("content") or "" for chunk in chunks for choice in chunk["choices"])
