"""Reading OpenAI-shaped answers: is it one, and what did it use. Used by every lane."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import orjson

from deployments.lanes.faults import error_in_success
from voyager_llm.domain.completion import Usage
from voyager_llm.domain.operation import Operation
from voyager_llm.errors import UpstreamInvalid

_RESULT = {Operation.CHAT: "choices", Operation.TEXT: "choices", Operation.EMBEDDINGS: "data"}


def usage_of(document: Mapping[str, Any]) -> Usage | None:
    """Tokens that an answer or chunk reports; None when it reports none."""
    raw = document.get("usage")
    if not isinstance(raw, Mapping):
        return None
    usage = cast("Mapping[str, Any]", raw)
    return Usage(
        input_tokens=_count(usage, "prompt_tokens"),
        output_tokens=_count(usage, "completion_tokens"),
        cached_input_tokens=_count(_part(usage, "prompt_tokens_details"), "cached_tokens"),
        reasoning_tokens=_count(_part(usage, "completion_tokens_details"), "reasoning_tokens"),
    )


def read_answer(body: bytes, operation: Operation) -> Usage | None:
    """Check an answer and return its usage.

    Raises `UpstreamInvalid`, or the error that an answer with status 200 holds instead of a result."""
    try:
        document: Any = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise UpstreamInvalid("the provider's answer is no JSON") from None
    if not isinstance(document, Mapping):
        raise UpstreamInvalid("the provider's answer is no JSON object")
    answer = cast("Mapping[str, Any]", document)
    result = answer.get(_RESULT[operation])
    if not isinstance(result, list) or (not result and operation is not Operation.EMBEDDINGS):
        raise error_in_success(answer)
    return usage_of(answer)


def _part(usage: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    found = usage.get(key)
    return cast("Mapping[str, Any]", found) if isinstance(found, Mapping) else {}


def _count(usage: Mapping[str, Any], key: str) -> int:
    value = usage.get(key)
    return value if isinstance(value, int) and value > 0 else 0
