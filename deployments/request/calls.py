"""The call that an endpoint is sent: the client's own body where the endpoint speaks its protocol, else the
request's body, encoded. Used by `pipeline.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from deployments.request.attempt import MakeCall
from deployments.request.fitting import fitted
from deployments.request.routing import Option
from voyager_llm.domain.completion import Call, CompletionRequest, Original, Resource
from voyager_llm.domain.form import form_named
from voyager_llm.domain.operation import FURTHER, Operation
from voyager_llm.domain.parameters import PARAMETERS
from voyager_llm.domain.splice import spliced
from voyager_llm.errors import InvalidArgument
from voyager_llm.settings import Settings

# A pause in a stream longer than this means that the provider hangs.
_IDLE_SECONDS = 60.0


def maker(request: CompletionRequest, settings: Settings) -> MakeCall:
    """Makes the call of an option; its body is written for each, since endpoints differ in defaults."""

    def make(option: Option, allowance_s: float) -> Call:
        original = _spoken(request, option)
        return Call(
            operation=option.operation,
            endpoint=option.endpoint,
            body=_body(request, original, option),
            stream=request.stream,
            include_usage=request.include_usage,
            timeout_s=allowance_s,
            idle_timeout_s=_IDLE_SECONDS,
            total_timeout_s=settings.stream_timeout_s,
            headers=original.headers if original is not None else (),
            resource=(original and original.resource) or Resource(),
        )

    return make


def _spoken(request: CompletionRequest, option: Option) -> Original | None:
    """What the client wrote, where the endpoint is asked in its words."""
    original = request.original
    return original if original is not None and original.operation is option.operation else None


def _body(request: CompletionRequest, original: Original | None, option: Option) -> bytes:
    """The body for one endpoint: its defaults under the request's own values, its name of the model."""
    if original is not None and original.resource is not None:
        return original.body
    own = _own(request, option) if original is None else original.document
    further = {**_defaults(own, option), **_of_streams(request, own, option.operation)}
    if original is not None and original.model_at is not None:
        return form_named(original.body, original.model_at, option.endpoint.model_name, further)
    if original is not None and own.keys().isdisjoint(further):
        written = spliced(original.body, option.endpoint.model_name, further)
        if written is not None:
            return written
    # What is no text is streamed where its own body says so, or always.
    streamed = {"stream": True} if request.stream and option.operation not in FURTHER else {}
    try:
        return orjson.dumps({**own, **further, **streamed, "model": option.endpoint.model_name})
    except (orjson.JSONEncodeError, TypeError) as error:
        raise InvalidArgument("the body is nested too deeply", "body") from error


def _own(request: CompletionRequest, option: Option) -> Mapping[str, Any]:
    if not request.is_translated:
        return request.body
    original = request.original
    says_effort = original is not None and original.operation is Operation.RESPONSES
    return fitted(request.body, option, says_effort=says_effort)


def _defaults(own: Mapping[str, Any], option: Option) -> dict[str, Any]:
    """What the endpoint's model says, as far as the request ``own`` does not and its operation knows it."""
    names, operation = _OTHER_NAMES.get(option.operation, {}), option.operation
    known = None if operation in _WRITING else PARAMETERS[operation]
    said = set(own)
    if "max_completion_tokens" in said:
        said.add("max_tokens")
    defaults = ((names.get(name, name), value) for name, value in option.endpoint.defaults.items())
    return {name: value for name, value in defaults if name not in said and (known is None or name in known)}


def _of_streams(request: CompletionRequest, own: Mapping[str, Any], operation: Operation) -> dict[str, Any]:
    """What makes a stream tell its usage, where ``own`` does not ask for it."""
    options: dict[str, Any] = own.get("stream_options") or {}
    if not request.stream or operation not in _WRITING or options.get("include_usage"):
        return {}
    # Usage bills the stream; whether the client sees it is another matter.
    return {"stream_options": {**options, "include_usage": True}}


# Whatever a model's defaults hold is for these; of others, what their tables know.
_WRITING = frozenset({Operation.CHAT, Operation.TEXT})
# What other APIs call the parameters that definitions name as OpenAI's chats do.
_OTHER_NAMES: Mapping[Operation, Mapping[str, str]] = {
    Operation.MESSAGES: {"stop": "stop_sequences"},
    Operation.RESPONSES: {"max_tokens": "max_output_tokens"},
}
