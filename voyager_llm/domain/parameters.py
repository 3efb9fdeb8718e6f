"""What a client may put into a request: one table per operation, with types and bounds.

A name that is not in the table is no parameter. A model may allow further ones (`parameters.allow`), so
that a new parameter of a provider works without a release; but never one that says how the call is made
(`reserved.py`): address, credentials, retries, mocks, callbacks and headers come from the definition alone.

Used by the codecs (`deployments/ingress/`), by the router, and by `model.py`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from types import MappingProxyType
from typing import Any, cast

from voyager_llm.domain.operation import Operation
from voyager_llm.domain.reserved import reserved
from voyager_llm.errors import InvalidArgument

_MAX_TOKENS = 10_000_000
_MAX_TEXT = 1024
_MAX_LIST = 1024

# A name as OpenAI writes them, and every provider that follows it.
NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")


@dataclass(frozen=True, slots=True)
class Parameter:
    """What one parameter accepts. ``is_text``: a string map's value is the text itself, never JSON."""

    accepts: Callable[[Any], bool]
    what: str
    is_text: bool = False
    # Whether it is one of OpenAI's API. Others are the provider's own and reach it under their own name.
    is_standard: bool = True


def _number(low: float, high: float) -> Parameter:
    def accepts(value: Any) -> bool:
        return isinstance(value, (int, float)) and not isinstance(value, bool) and low <= value <= high

    return Parameter(accepts, f"a number from {low:g} to {high:g}")


def _integer(low: int, high: int) -> Parameter:
    return Parameter(lambda value: _is_integer(value, low, high), f"an integer from {low} to {high}")


def _is_integer(value: Any, low: int, high: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and low <= value <= high


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and len(value) <= _MAX_TEXT


def _is_stop(value: Any) -> bool:
    given = cast("list[Any]", value) if isinstance(value, list) else [value]
    return len(given) <= 64 and all(_is_text(item) for item in given)


_BOOLEAN = Parameter(lambda value: isinstance(value, bool), "true or false")
_TEXT = Parameter(_is_text, f"a string of at most {_MAX_TEXT} characters", is_text=True)
_STOP = Parameter(_is_stop, "a string or a list of strings", is_text=True)
_OBJECT = Parameter(lambda value: isinstance(value, dict), "an object")
_FLAGS = Parameter(
    lambda value: (
        isinstance(value, dict)
        and all(isinstance(flag, bool) for flag in cast("dict[str, Any]", value).values())
    ),
    "an object whose values are true or false",
)
_LIST = Parameter(lambda value: isinstance(value, list), "a list")
_OBJECTS = Parameter(
    lambda value: (
        isinstance(value, list) and all(isinstance(item, dict) for item in cast("list[Any]", value))
    ),
    "a list of objects",
)
_TEXTS = Parameter(
    lambda value: isinstance(value, list) and all(_is_text(item) for item in cast("list[Any]", value)),
    "a list of strings",
)
_TEXT_OR_LIST = Parameter(lambda value: isinstance(value, (str, list)), "a string or a list")
_CHOICE = Parameter(lambda value: isinstance(value, (str, dict)), "a string or an object")
_FLAG_OR_COUNT = Parameter(
    lambda value: isinstance(value, bool) or _is_integer(value, 0, 20), "true, false or an integer to 20"
)


_ANY_TEXT = Parameter(lambda value: isinstance(value, str), "a string", is_text=True)


def _own(parameter: Parameter) -> Parameter:
    """Of providers, not of OpenAI."""
    return Parameter(parameter.accepts, parameter.what, parameter.is_text, is_standard=False)


# Of every operation that writes text.
_SAMPLING: dict[str, Parameter] = {
    "frequency_penalty": _number(-2, 2),
    "logit_bias": _OBJECT,
    "max_tokens": _integer(1, _MAX_TOKENS),
    "n": _integer(1, 128),
    "presence_penalty": _number(-2, 2),
    "seed": _integer(-(2**63), 2**63 - 1),
    "stop": _STOP,
    "stream": _BOOLEAN,
    "stream_options": _FLAGS,
    "temperature": _number(0, 2),
    "top_p": _number(0, 1),
    "user": _TEXT,
    "min_p": _own(_number(0, 1)),
    "repetition_penalty": _own(_number(0, 100)),
    "top_k": _own(_integer(-1, 10_000_000)),
}

# Of Anthropic's Messages, what the prompt is made of. What changes its price (`speed`, `inference_geo`) or
# who pays for it is for a model's definition to allow.
_OF_MESSAGES: dict[str, Parameter] = {
    "cache_control": _OBJECT,
    "compaction": _OBJECT,
    "context_management": _OBJECT,
    "mcp_servers": _OBJECTS,
    "messages": _OBJECTS,
    "output_config": _OBJECT,
    "output_format": _OBJECT,
    "system": _TEXT_OR_LIST,
    "thinking": _OBJECT,
    "tool_choice": _OBJECT,
    "tools": _OBJECTS,
}

_PICTURES: dict[str, Parameter] = {
    "background": _TEXT,
    "n": _integer(1, 10),
    "output_compression": _integer(0, 100),
    "output_format": _TEXT,
    "partial_images": _integer(0, 3),
    "prompt": _ANY_TEXT,
    "quality": _TEXT,
    "response_format": _TEXT,
    "size": _TEXT,
    "stream": _BOOLEAN,
    "user": _TEXT,
}

PARAMETERS: Mapping[Operation, Mapping[str, Parameter]] = MappingProxyType(
    {
        Operation.CHAT: {
            **_SAMPLING,
            "audio": _OBJECT,
            "function_call": _CHOICE,
            "functions": _OBJECTS,
            "logprobs": _BOOLEAN,
            "max_completion_tokens": _integer(1, _MAX_TOKENS),
            "messages": _LIST,
            "metadata": _OBJECT,
            "modalities": _TEXTS,
            "moderation": _OBJECT,
            "parallel_tool_calls": _BOOLEAN,
            "prediction": _OBJECT,
            "prompt_cache_key": _TEXT,
            "prompt_cache_options": _OBJECT,
            "prompt_cache_retention": _TEXT,
            "reasoning_effort": _TEXT,
            "response_format": _OBJECT,
            "safety_identifier": _TEXT,
            "service_tier": _TEXT,
            "store": _BOOLEAN,
            "tool_choice": _CHOICE,
            "tools": _OBJECTS,
            "top_logprobs": _integer(0, 20),
            "verbosity": _TEXT,
            "web_search_options": _OBJECT,
            "thinking": _own(_OBJECT),
        },
        Operation.TEXT: {
            **_SAMPLING,
            "best_of": _integer(0, 128),
            "echo": _BOOLEAN,
            "logprobs": _FLAG_OR_COUNT,
            # None are written where a text is only to be scored (`echo` with `logprobs`).
            "max_tokens": _integer(0, _MAX_TOKENS),
            "prompt": _TEXT_OR_LIST,
            "suffix": _ANY_TEXT,
        },
        Operation.EMBEDDINGS: {
            "dimensions": _integer(1, 1_000_000),
            "encoding_format": _TEXT,
            "input": _TEXT_OR_LIST,
            "user": _TEXT,
            "input_type": _own(_TEXT),
        },
        Operation.MESSAGES: {
            **_OF_MESSAGES,
            "container": _CHOICE,
            "diagnostics": _OBJECT,
            "max_tokens": _integer(0, _MAX_TOKENS),
            "metadata": _OBJECT,
            "service_tier": _TEXT,
            "stop_sequences": _TEXTS,
            "stream": _BOOLEAN,
            "temperature": _number(0, 2),
            "top_k": _integer(-1, 10_000_000),
            "top_p": _number(0, 1),
        },
        Operation.COUNT_TOKENS: _OF_MESSAGES,
        Operation.RESPONSES: {
            "background": _BOOLEAN,
            "context_management": _OBJECTS,
            "conversation": _CHOICE,
            "include": _TEXTS,
            "input": _TEXT_OR_LIST,
            "instructions": _ANY_TEXT,
            "max_output_tokens": _integer(1, _MAX_TOKENS),
            "max_tool_calls": _integer(1, _MAX_TOKENS),
            "metadata": _OBJECT,
            "moderation": _OBJECT,
            "parallel_tool_calls": _BOOLEAN,
            "previous_response_id": _TEXT,
            "prompt": _OBJECT,
            "prompt_cache_key": _TEXT,
            "prompt_cache_options": _OBJECT,
            "prompt_cache_retention": _TEXT,
            "reasoning": _OBJECT,
            "safety_identifier": _TEXT,
            "service_tier": _TEXT,
            "store": _BOOLEAN,
            "stream": _BOOLEAN,
            "stream_options": _FLAGS,
            "temperature": _number(0, 2),
            "text": _OBJECT,
            "tool_choice": _CHOICE,
            "tools": _OBJECTS,
            "top_logprobs": _integer(0, 20),
            "top_p": _number(0, 1),
            "truncation": _TEXT,
            "user": _TEXT,
        },
        Operation.MODERATIONS: {"input": _TEXT_OR_LIST},
        Operation.RERANK: {
            "documents": _LIST,
            "max_chunks_per_doc": _integer(1, _MAX_TOKENS),
            "max_tokens_per_doc": _integer(1, _MAX_TOKENS),
            "query": _ANY_TEXT,
            "rank_fields": _TEXTS,
            "return_documents": _BOOLEAN,
            "top_n": _integer(1, _MAX_TOKENS),
        },
        Operation.IMAGES: {**_PICTURES, "moderation": _TEXT, "style": _TEXT},
        Operation.IMAGE_EDITS: {**_PICTURES, "input_fidelity": _TEXT},
        Operation.IMAGE_VARIATIONS: {
            name: _PICTURES[name] for name in ("n", "response_format", "size", "user")
        },
        Operation.SPEECH: {
            "input": _ANY_TEXT,
            "instructions": _ANY_TEXT,
            "response_format": _TEXT,
            "speed": _number(0.25, 4),
            "stream_format": _TEXT,
            "voice": _CHOICE,
        },
        Operation.TRANSCRIPTIONS: {
            "chunking_strategy": _CHOICE,
            "include": _TEXTS,
            "keywords": _TEXTS,
            "known_speaker_names": _TEXTS,
            "known_speaker_references": _LIST,
            "language": _TEXT,
            "languages": _TEXTS,
            "prompt": _ANY_TEXT,
            "response_format": _TEXT,
            "stream": _BOOLEAN,
            "temperature": _number(0, 1),
            "timestamp_granularities": _TEXTS,
        },
        Operation.TRANSLATIONS: {
            "prompt": _ANY_TEXT,
            "response_format": _TEXT,
            "temperature": _number(0, 1),
        },
        Operation.FILES: {"expires_after": _OBJECT, "purpose": _TEXT},
        Operation.BATCHES: {
            "completion_window": _TEXT,
            "endpoint": _TEXT,
            "input_file_id": _TEXT,
            "metadata": _OBJECT,
            "output_expires_after": _OBJECT,
        },
    }
)

# What a request is made of, or names of its client's own: never a model's default.
REQUESTED = frozenset(
    {"messages", "prompt", "input", "stream", "stream_options", "container", "mcp_servers",
     "background", "conversation", "previous_response_id"}
)  # fmt: skip


def check(operation: Operation, given: Mapping[str, Any]) -> frozenset[str]:
    """The names in ``given`` that the operation's table lacks: a model must allow them.

    Raises `InvalidArgument` for a value of the wrong type or out of range, and for a name that no model can
    allow."""
    table = PARAMETERS[operation]
    further: set[str] = set()
    for name, value in given.items():
        parameter = table.get(name)
        if parameter is None:
            if not may_be_allowed(name):
                raise unknown(operation, name)
            further.add(name)
        elif value is not None and not parameter.accepts(value):
            raise InvalidArgument(f"must be {parameter.what}", name)
    return frozenset(further)


def unknown(operation: Operation, name: str) -> InvalidArgument:
    """The error for a name that nothing allows."""
    if NAME.fullmatch(name) is None:
        return InvalidArgument("holds a name that is none of a parameter", "body")
    if not may_be_allowed(name):
        return InvalidArgument("is not for requests to say; a model's definition says how it is called", name)
    near = get_close_matches(name, PARAMETERS[operation], 1)
    meant = f"did you mean {near[0]}? A" if near else "a"
    return InvalidArgument(
        f"is no parameter of this operation; {meant} model's definition may allow more (parameters.allow)",
        name,
    )


def may_be_allowed(name: str) -> bool:
    """Whether a model may allow a name: it looks like a parameter, and says nothing of the call itself."""
    return NAME.fullmatch(name) is not None and name not in REQUESTED and not reserved(name)
