"""RPCs of completions. Part of `rpc/service.py`."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from os import urandom
from typing import Any

import orjson

from deployments.ingress.identity import Identity
from deployments.ingress.openai.decode import check_shape, prompt_call
from deployments.lanes.sse import EventSplitter
from deployments.pipeline import Pipeline
from voyager_llm.domain.completion import Completion, CompletionRequest, PromptCall
from voyager_llm.domain.operation import Operation
from voyager_llm.domain.parameters import PARAMETERS, REQUESTED, check
from voyager_llm.errors import InvalidArgument, UpstreamInvalid
from voyager_llm.v1 import completions_pb2 as pb
from voyager_llm.v1 import evaluations_pb2

# What the message has fields of its own for, or has one answer for.
_OURS = REQUESTED | {"model", "n"}
_MAX_TRACE_ID = 128


class CompletionRpcs:
    """Completions, whole and streamed; each method is the RPC of its name."""

    _pipeline: Pipeline

    async def GenerateCompletion(
        self, request: pb.GenerateCompletionRequest, who: Identity
    ) -> pb.GenerateCompletionResponse:
        decoded = decode(request, stream=False)
        completion = await self._pipeline.complete(decoded)
        text, finish = _answer(completion.body)
        response = pb.GenerateCompletionResponse(
            completion=text, metadata=_metadata(completion, finish), usage=_usage(completion)
        )
        if request.trace_id:
            response.trace_id = request.trace_id
        return response

    async def StreamCompletion(
        self, request: pb.GenerateCompletionRequest, who: Identity
    ) -> AsyncGenerator[pb.StreamCompletionResponse]:
        """Raises before the first message while another endpoint may still be tried, and whatever
        ends the stream early after it."""
        return self._messages(await self._pipeline.stream(decode(request, stream=True)))

    async def _messages(self, items: AsyncGenerator[Any]) -> AsyncGenerator[pb.StreamCompletionResponse]:
        finish = ""
        splitter = EventSplitter()
        async with aclosing(items) as stream:
            async for item in stream:
                if isinstance(item, bytes):
                    for payload in splitter.feed(item):
                        delta, reason = _delta(payload)
                        finish = reason or finish
                        if delta:
                            yield pb.StreamCompletionResponse(delta=delta)
                elif isinstance(item, Completion):
                    yield pb.StreamCompletionResponse(metadata=_metadata(item, finish), usage=_usage(item))
                else:
                    raise item


def decode(request: pb.GenerateCompletionRequest, *, stream: bool) -> CompletionRequest:
    """The request as the pipeline takes it. Raises `InvalidArgument` naming the field."""
    if not request.model_name:
        raise InvalidArgument("is required", "model_name")
    destination = request.model_name
    prompt = None
    if destination.startswith("prompt:"):
        named = prompt_call(destination, dict(request.variables))
        prompt, destination = PromptCall(named.name, named.version, named.variables, texts=True), ""
    elif request.HasField("prompt_ref"):
        reference = request.prompt_ref
        variables: Mapping[str, str] = dict(request.variables)
        prompt = PromptCall(reference.name, reference.version, variables, texts=True)
    messages: list[dict[str, Any]] = [
        {"role": m.role or "user", "content": m.content} for m in request.messages
    ]
    if request.prompt:
        messages.append({"role": "user", "content": request.prompt})
    if not messages and prompt is None:
        raise InvalidArgument("give prompt, messages or prompt_ref", "prompt")
    parameters = _parameters(request.parameters)
    if len(request.trace_id) > _MAX_TRACE_ID or not request.trace_id.isprintable():
        raise InvalidArgument(f"must be at most {_MAX_TRACE_ID} printable characters", "trace_id")
    body = {**parameters, "messages": messages}
    check_shape(Operation.CHAT, body, has_prompt=prompt is not None)
    return CompletionRequest(
        operation=Operation.CHAT,
        destination=destination,
        body=body,
        further=_further(parameters),
        prompt=prompt,
        stream=stream,
        session=request.metadata.get("session_id", ""),
        trace_id=request.trace_id or urandom(16).hex(),
    )


def _parameters(given: Mapping[str, str]) -> dict[str, Any]:
    """Parameters of a string map with their types: "0.7" is a number, a text stays one."""
    for name in _OURS & given.keys():
        raise InvalidArgument("cannot be set here", f"parameters.{name}")
    return {name: _read(name, value) for name, value in given.items()}


def _further(parameters: Mapping[str, Any]) -> frozenset[str]:
    try:
        return check(Operation.CHAT, parameters)
    except InvalidArgument as error:
        raise InvalidArgument(error.message, f"parameters.{error.field}") from None


def _read(name: str, value: str) -> Any:
    parameter = PARAMETERS[Operation.CHAT].get(name)
    if parameter is not None and parameter.is_text and not (name == "stop" and value.startswith("[")):
        return value
    try:
        return orjson.loads(value)
    except orjson.JSONDecodeError:
        return value


def _answer(body: bytes) -> tuple[str, str]:
    """(text, finish reason) of an answer in OpenAI's shape."""
    try:
        choice = orjson.loads(body)["choices"][0]
        message = choice.get("message") or {}
        return message.get("content") or "", choice.get("finish_reason") or ""
    except (orjson.JSONDecodeError, KeyError, IndexError, TypeError, AttributeError):
        raise UpstreamInvalid("the provider's answer holds no message") from None


def _delta(payload: bytes) -> tuple[str, str]:
    choices = orjson.loads(payload).get("choices") or ()
    if not choices:
        return "", ""
    delta = choices[0].get("delta") or {}
    return delta.get("content") or "", choices[0].get("finish_reason") or ""


def _metadata(completion: Completion, finish: str) -> pb.CompletionMetadata:
    metadata = pb.CompletionMetadata(
        model_used=completion.model_used,
        completion_time_ms=round(completion.duration_s * 1000),
        trace_id=completion.trace_id,
        finish_reason=finish,
        model=completion.model,
        attempts=completion.attempts,
    )
    if completion.prompt_name:
        metadata.prompt.CopyFrom(
            evaluations_pb2.PromptReference(name=completion.prompt_name, version=completion.prompt_version)
        )
    return metadata


def _usage(completion: Completion) -> pb.UsageStatistics:
    usage = completion.usage
    statistics = pb.UsageStatistics(
        input_tokens=usage.input_tokens,
        output_tokens=usage.output_tokens,
        total_cost=float(completion.cost),
    )
    if usage.cached_input_tokens:
        statistics.cached_input_tokens = usage.cached_input_tokens
    if usage.reasoning_tokens:
        statistics.reasoning_tokens = usage.reasoning_tokens
    return statistics
