"""RPCs of completions. Made by `rpc/service.py`."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from typing import Any

import orjson

from deployments.ingress.chat_events import chunk_of, chunks, first_choice, part, text
from deployments.ingress.openai.decode import check_shape, prompt_call
from deployments.ingress.rpc.conversation import Deltas, body_of, calls_of, shown
from deployments.ingress.rpc.definitions import Handler, calling
from deployments.request.pipeline import Pipeline
from voyager_llm.domain.completion import Account, CompletionRequest, PromptCall
from voyager_llm.domain.operation import Operation
from voyager_llm.domain.parameters import PARAMETERS, REQUESTED, check
from voyager_llm.domain.request import RequestContext
from voyager_llm.errors import InvalidArgument, UpstreamInvalid
from voyager_llm.v1 import completions_pb2 as pb
from voyager_llm.v1 import evaluations_pb2

# What the message has fields of its own for, or has one answer for.
_OURS = REQUESTED | {"model", "n"}


class CompletionRpcs:
    """Completions, whole and streamed."""

    def __init__(self, pipeline: Pipeline) -> None:
        self._pipeline = pipeline

    def handlers(self) -> Mapping[str, Handler]:
        """By the RPC's name."""
        return {"GenerateCompletion": self.generate, "StreamCompletion": self.stream}

    async def generate(
        self, request: pb.GenerateCompletionRequest, ctx: RequestContext
    ) -> pb.GenerateCompletionResponse:
        decoded = decode(request, stream=False)
        with calling(_fields(request)):
            completion = await self._pipeline.complete(ctx, decoded)
        choice = _answer(completion.body)
        message = part(choice, "message")
        response = pb.GenerateCompletionResponse(
            completion=shown(text(message, "content")),
            tool_calls=calls_of(message),
            reasoning=shown(text(message, "reasoning_content")) or None,
            refusal=shown(text(message, "refusal")) or None,
            metadata=_metadata(ctx, completion.account, text(choice, "finish_reason")),
            usage=_usage(completion.account),
        )
        if request.trace_id:
            response.trace_id = request.trace_id
        return response

    async def stream(
        self, request: pb.GenerateCompletionRequest, ctx: RequestContext
    ) -> AsyncGenerator[pb.StreamCompletionResponse]:
        """Raises before the first message while another endpoint may still be tried, and whatever
        ends the stream early after it."""
        finish = ""
        deltas = Deltas()
        decoded = decode(request, stream=True)
        with calling(_fields(request)):
            exchange = await self._pipeline.open(ctx, decoded)
        async with exchange:
            async for block in exchange:
                for chunk in chunks(block):
                    choice = first_choice(chunk)
                    finish = text(choice, "finish_reason") or finish
                    if (message := deltas.take(part(choice, "delta"))) is not None:
                        yield message
        account = exchange.account
        yield pb.StreamCompletionResponse(metadata=_metadata(ctx, account, finish), usage=_usage(account))


def _fields(request: pb.GenerateCompletionRequest) -> Mapping[str, str]:
    """What the message calls the places that the pipeline knows by OpenAI's words."""
    reference = "prompt_ref.{}" if request.HasField("prompt_ref") else "model_name"
    return {
        "model": "model_name",
        "prompt": reference.format("name"),
        "version": reference.format("version"),
    }


def decode(request: pb.GenerateCompletionRequest, *, stream: bool) -> CompletionRequest:
    """The request as the pipeline takes it. Raises `InvalidArgument` naming the field."""
    if not request.model_name:
        raise InvalidArgument("is required", "model_name")
    destination = request.model_name
    prompt = None
    if destination.startswith("prompt:"):
        named = _prompt_call(destination, dict(request.variables))
        prompt, destination = PromptCall(named.name, named.version, named.variables, texts=True), ""
    elif request.HasField("prompt_ref"):
        reference = request.prompt_ref
        variables: Mapping[str, str] = dict(request.variables)
        prompt = PromptCall(reference.name, reference.version, variables, texts=True)
    said = body_of(request)
    if not said["messages"] and prompt is None:
        raise InvalidArgument("give prompt, messages or prompt_ref", "prompt")
    parameters = _parameters(request.parameters)
    further = _check(parameters)
    for name in said.keys() & parameters.keys():
        raise InvalidArgument(f"is said twice: give {name} alone", f"parameters.{name}")
    body = {**parameters, **said}
    check(Operation.CHAT, said)
    check_shape(Operation.CHAT, body, has_prompt=prompt is not None)
    return CompletionRequest(
        operation=Operation.CHAT,
        destination=destination,
        body=body,
        further=further,
        prompt=prompt,
        stream=stream,
    )


def _prompt_call(model: str, variables: Mapping[str, str]) -> PromptCall:
    try:
        return prompt_call(model, variables)
    except InvalidArgument as error:
        field = "model_name" if error.field == "model" else error.field
        raise InvalidArgument(error.message, field) from None


def _parameters(given: Mapping[str, str]) -> dict[str, Any]:
    """Parameters of a string map with their types: "0.7" is a number, a text stays one."""
    for name in _OURS & given.keys():
        raise InvalidArgument("cannot be set here", f"parameters.{name}")
    return {name: _read(name, value) for name, value in given.items()}


def _check(parameters: Mapping[str, Any]) -> frozenset[str]:
    """The names that a model must allow. Raises `InvalidArgument` naming the parameter."""
    try:
        further = check(Operation.CHAT, parameters)
        check_shape(Operation.CHAT, parameters, has_prompt=True)
    except InvalidArgument as error:
        raise InvalidArgument(error.message, f"parameters.{error.field}") from None
    return further


def _read(name: str, value: str) -> Any:
    parameter = PARAMETERS[Operation.CHAT].get(name)
    if parameter is not None and parameter.is_text and not (name == "stop" and value.startswith("[")):
        return value
    try:
        return orjson.loads(value)
    except orjson.JSONDecodeError:
        return value


def _answer(body: bytes) -> Mapping[str, Any]:
    """The choice of a whole answer in OpenAI's shape."""
    choice = first_choice(chunk_of(body))
    if not part(choice, "message"):
        raise UpstreamInvalid("the provider's answer holds no message")
    return choice


def _metadata(ctx: RequestContext, account: Account, finish: str) -> pb.CompletionMetadata:
    metadata = pb.CompletionMetadata(
        model_used=account.model_used,
        completion_time_ms=round(account.duration_s * 1000),
        trace_id=ctx.trace.id,
        finish_reason=finish,
        model=account.model,
        attempts=len(account.attempts),
    )
    if account.prompt_name:
        metadata.prompt.CopyFrom(
            evaluations_pb2.PromptReference(name=account.prompt_name, version=account.prompt_version)
        )
    return metadata


def _usage(account: Account) -> pb.UsageStatistics:
    usage = account.usage
    statistics = pb.UsageStatistics(
        input_tokens=usage.input_tokens,
        output_tokens=usage.output_tokens,
        total_cost=float(account.cost),
    )
    if usage.cached_input_tokens:
        statistics.cached_input_tokens = usage.cached_input_tokens
    if usage.reasoning_tokens:
        statistics.reasoning_tokens = usage.reasoning_tokens
    return statistics
