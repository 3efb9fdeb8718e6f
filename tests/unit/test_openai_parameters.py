"""Whatever OpenAI's own API takes is taken: the names of its SDK's types, and the ends of their ranges."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from openai.types import completion_create_params, embedding_create_params
from openai.types.chat import completion_create_params as chat_create_params

from deployments.ingress.asgi import HttpRequest
from deployments.ingress.openai.decode import decode
from voyager_llm.domain.operation import Operation
from voyager_llm.domain.parameters import PARAMETERS
from voyager_llm.errors import InvalidArgument

TYPES: dict[Operation, Any] = {
    Operation.CHAT: chat_create_params.CompletionCreateParamsStreaming,
    Operation.TEXT: completion_create_params.CompletionCreateParamsStreaming,
    Operation.EMBEDDINGS: embedding_create_params.EmbeddingCreateParams,
}
GIVEN: dict[Operation, dict[str, Any]] = {
    Operation.CHAT: {"messages": [{"role": "user", "content": "x"}]},
    Operation.TEXT: {"prompt": "x"},
    Operation.EMBEDDINGS: {"input": "x"},
}


@pytest.mark.parametrize("operation", TYPES)
def test_every_parameter_of_openais_sdk_is_one(operation: Operation) -> None:
    names = {name for kind in TYPES[operation].__mro__ for name in getattr(kind, "__annotations__", {})}
    names |= set(TYPES[operation].__annotations__)
    assert names - {"model"} <= PARAMETERS[operation].keys()


def decoded(operation: Operation, **parameters: Any) -> dict[str, Any]:
    body = {"model": "m", **GIVEN[operation], **parameters}
    request = HttpRequest("POST", "", "", {}, orjson.dumps(body))
    return dict(decode(request, operation).body)


ENDS: list[tuple[Operation, str, Any]] = [
    (Operation.TEXT, "max_tokens", 0),
    (Operation.TEXT, "best_of", 0),
    (Operation.TEXT, "logprobs", 0),
    (Operation.TEXT, "logprobs", 5),
    (Operation.TEXT, "echo", True),
    (Operation.TEXT, "prompt", None),
    (Operation.TEXT, "prompt", ""),
    (Operation.TEXT, "prompt", [1, 2]),
    (Operation.TEXT, "prompt", [[1, 2], [3]]),
    (Operation.TEXT, "suffix", ""),
    (Operation.TEXT, "stream_options", {"include_usage": True, "include_obfuscation": False}),
    (Operation.TEXT, "n", 128),
    (Operation.CHAT, "n", None),
    (Operation.CHAT, "stop", None),
    (Operation.CHAT, "stop", ["a", "b", "c", "d"]),
    (Operation.CHAT, "top_logprobs", 0),
    (Operation.CHAT, "top_logprobs", 20),
    (Operation.CHAT, "temperature", 2),
    (Operation.CHAT, "presence_penalty", -2),
    (Operation.CHAT, "seed", -(2**63)),
    (Operation.CHAT, "logit_bias", {"50256": -100}),
    (Operation.CHAT, "prompt_cache_retention", "24h"),
    (Operation.CHAT, "prompt_cache_options", {"mode": "explicit", "ttl": "30m"}),
    (Operation.CHAT, "moderation", {"model": "omni-moderation-latest"}),
    (Operation.CHAT, "verbosity", "low"),
    (Operation.CHAT, "stream_options", {"include_obfuscation": True}),
    (Operation.CHAT, "tool_choice", "none"),
    (Operation.CHAT, "functions", []),
    (Operation.EMBEDDINGS, "encoding_format", "base64"),
    (Operation.EMBEDDINGS, "dimensions", 1),
    (Operation.EMBEDDINGS, "user", None),
]


@pytest.mark.parametrize(("operation", "name", "value"), ENDS)
def test_the_ends_of_openais_ranges_are_taken(operation: Operation, name: str, value: Any) -> None:
    assert decoded(operation, **{name: value})[name] == value


@pytest.mark.parametrize(
    ("operation", "name", "value"),
    [(Operation.CHAT, "max_tokens", 0), (Operation.TEXT, "max_tokens", -1), (Operation.TEXT, "best_of", -1)],
)
def test_what_is_beyond_them_is_refused(operation: Operation, name: str, value: Any) -> None:
    with pytest.raises(InvalidArgument) as refused:
        decoded(operation, **{name: value})
    assert refused.value.field == name


def test_a_body_of_very_many_values_is_refused_before_it_is_parsed() -> None:
    """Twenty-five million lists would take two gigabytes."""
    body = b'{"model":"m","messages":' + b"[" * 2 + b"[]," * 8_000_000 + b"[]]]}"
    with pytest.raises(InvalidArgument, match="values"):
        decode(HttpRequest("POST", "", "", {}, body), Operation.CHAT)


def test_a_body_of_much_text_is_not() -> None:
    text = "Call me Ishmael. Some years ago, never mind how long precisely, " * 400_000
    assert len(decoded(Operation.CHAT, messages=[{"role": "user", "content": text}])["messages"]) == 1
