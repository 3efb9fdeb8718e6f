"""The call that an endpoint is sent: the request's body in its words. Used by `pipeline.py`."""

from __future__ import annotations

from typing import Any

import orjson

from deployments.request.attempt import MakeCall
from deployments.request.routing import Option
from voyager_llm.domain.completion import Call, CompletionRequest
from voyager_llm.domain.operation import Operation
from voyager_llm.domain.parameters import PARAMETERS
from voyager_llm.errors import InvalidArgument
from voyager_llm.settings import Settings

# A pause in a stream longer than this means that the provider hangs.
_IDLE_SECONDS = 60.0


def maker(request: CompletionRequest, settings: Settings) -> MakeCall:
    """Makes the call of an option; its body is encoded for each, since endpoints differ in defaults."""

    def make(option: Option, allowance_s: float) -> Call:
        return Call(
            operation=request.operation,
            endpoint=option.endpoint,
            body=_body(request, option),
            stream=request.stream,
            include_usage=request.include_usage,
            timeout_s=allowance_s,
            idle_timeout_s=_IDLE_SECONDS,
            total_timeout_s=settings.stream_timeout_s,
        )

    return make


def _body(request: CompletionRequest, option: Option) -> bytes:
    """The body for one endpoint: its defaults under the request's own values, its name of the model."""
    body: dict[str, Any] = {**option.endpoint.defaults, **request.body}
    body["model"] = option.endpoint.model_name
    if "max_completion_tokens" in request.body and "max_tokens" not in request.body:
        body.pop("max_tokens", None)
    if request.operation is Operation.EMBEDDINGS:
        for name in (
            option.endpoint.defaults.keys() - request.body.keys() - PARAMETERS[Operation.EMBEDDINGS].keys()
        ):
            body.pop(name, None)  # sampling means nothing to embeddings
    if request.stream:
        body["stream"] = True
        # Usage bills the stream; whether the client sees it is another matter.
        body["stream_options"] = {**(request.body.get("stream_options") or {}), "include_usage": True}
    try:
        return orjson.dumps(body)
    except (orjson.JSONEncodeError, TypeError) as error:
        raise InvalidArgument("the body is nested too deeply", "body") from error
