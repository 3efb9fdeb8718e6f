"""What is no text, through LiteLLM's own functions: which providers it has it of, and what goes in and out.

Used by `full.py`, whose guards hold for these calls as for all.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import litellm
import orjson

from deployments.lanes.forward import BYTES, KINDS, read
from voyager_llm.domain.completion import JSON, Answer, Call
from voyager_llm.domain.form import read_form, values_of
from voyager_llm.domain.operation import FURTHER, Operation
from voyager_llm.domain.parameters import PARAMETERS
from voyager_llm.errors import UpstreamInvalid, UpstreamUnsupported

# Of others LiteLLM makes OpenAI's API, at whatever address it guesses.
_PROVIDERS: Mapping[Operation, frozenset[str]] = {
    Operation.RERANK: frozenset({"azure_ai", "bedrock", "vertex_ai", "voyage", "watsonx"}),
    Operation.IMAGES: frozenset({"azure", "bedrock", "gemini", "vertex_ai"}),
    Operation.SPEECH: frozenset({"azure", "vertex_ai"}),
    Operation.TRANSCRIPTIONS: frozenset({"azure"}),
}
_FUNCTIONS: Mapping[Operation, Any] = {
    Operation.RERANK: litellm.arerank,
    Operation.IMAGES: litellm.aimage_generation,
    Operation.SPEECH: litellm.aspeech,
    Operation.TRANSCRIPTIONS: litellm.atranscription,
}
_SOUND = "audio/mpeg"


def function(call: Call) -> Any:
    """LiteLLM's function of a call's operation. Raises `UpstreamUnsupported`."""
    provider = call.endpoint.provider
    if provider not in _PROVIDERS.get(call.operation, ()):
        raise UpstreamUnsupported(f"provider {provider} is not asked for {call.operation} here")
    return _FUNCTIONS[call.operation]


def body_of(call: Call) -> tuple[dict[str, Any], dict[str, Any]]:
    """The parameters of a call's body, JSON or a form, and its files as LiteLLM takes them."""
    content_type = dict(call.headers).get("content-type", JSON)
    if call.operation not in FURTHER or content_type == JSON:
        return cast("dict[str, Any]", orjson.loads(call.body)), {}
    parts = read_form(call.body, content_type)
    is_text = {name: parameter.is_text for name, parameter in PARAMETERS[call.operation].items()}
    body = values_of((part for part in parts if part.filename is None), is_text)
    files = {part.name: (part.filename, part.value, part.content_type) for part in parts if part.filename}
    return body, files


def answer(call: Call, result: Any) -> Answer:
    """LiteLLM's result as the operation's answer. Raises `UpstreamInvalid`."""
    if call.operation is Operation.SPEECH:
        # Its answer is a response of its client's, which says of which type it is.
        held = result.response
        kind = str(held.headers.get("content-type", _SOUND)).partition(";")[0].strip().lower()
        if not kind.startswith(KINDS[call.operation].types):
            raise UpstreamInvalid("the provider's answer is of another type than what was asked for")
        return Answer(cast("bytes", held.content), None, _SOUND if kind == BYTES else kind)
    if isinstance(result, str):
        return Answer(result.encode(), None, "text/plain")
    document: dict[str, Any] = result.model_dump(exclude_none=True)
    try:
        body = orjson.dumps(document)
    except (TypeError, ValueError) as error:
        raise UpstreamInvalid("the provider's answer cannot be read") from error
    return read(call.operation, JSON, body)
