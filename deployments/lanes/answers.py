"""Reading OpenAI-shaped answers: is it one, and what did it use. Used by every lane."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from deployments.lanes.faults import error_in_success
from deployments.lanes.lenient import dumps, loads
from voyager_llm.domain.operation import Operation
from voyager_llm.domain.usage import Usage
from voyager_llm.domain.usage_reports import OPENAI
from voyager_llm.errors import UpstreamInvalid

_RESULT = {Operation.CHAT: "choices", Operation.TEXT: "choices", Operation.EMBEDDINGS: "data"}


def usage_of(document: Mapping[str, Any]) -> Usage | None:
    """What an answer or chunk of OpenAI's shape reports; None when it reports nothing."""
    return OPENAI.usage(document)


def object_in(body: bytes) -> dict[str, Any]:
    """The JSON object that an answer is. Raises `UpstreamInvalid`."""
    try:
        document: object = loads(body)
    except ValueError:
        raise UpstreamInvalid("the provider's answer is no JSON") from None
    if not isinstance(document, dict):
        raise UpstreamInvalid("the provider's answer is no JSON object")
    return cast("dict[str, Any]", document)


def read_answer(body: bytes, operation: Operation) -> Usage | None:
    """Check an answer and return its usage.

    Raises `UpstreamInvalid`, or the error that an answer with status 200 holds instead of a result."""
    answer = object_in(body)
    result = answer.get(_RESULT[operation])
    if not isinstance(result, list) or (not result and operation is not Operation.EMBEDDINGS):
        raise error_in_success(answer)
    return usage_of(answer)


# What LiteLLM's readers want to find, in whatever format.
_NOTHING_USED = {
    "usage": {"input_tokens": 0, "output_tokens": 0, "inputTokens": 0, "outputTokens": 0, "totalTokens": 0},
    "usageMetadata": {},
}


def with_report(document: Mapping[str, Any]) -> bytes:
    """An answer with an empty report of usage instead of its own: LiteLLM throws away an answer whose report
    is missing or no report. Read by `usage_of`, an empty one is none."""
    return dumps({**document, **_NOTHING_USED})
