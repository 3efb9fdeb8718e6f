"""One request, top to bottom: pin snapshot → render → route → reserve → call → settle.

The ingress codecs (`ingress/`) turn every protocol into a `CompletionRequest` and call this; topology
decides where the renderer and the caller run. Reserving and calling stand in `attempts.py`.
"""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import replace
from typing import Any

import orjson

from deployments.attempts import IDLE_SECONDS, Attempts, Demand, MakeCall, Opened
from deployments.meter import Meter
from deployments.router import Option, Router
from voyager_llm.domain.completion import (
    CHARS_PER_TOKEN,
    Call,
    Completion,
    CompletionRequest,
    StreamEnd,
    Usage,
)
from voyager_llm.domain.operation import Operation
from voyager_llm.domain.parameters import PARAMETERS
from voyager_llm.domain.prompt import PromptDefinition
from voyager_llm.errors import Cancelled, InvalidArgument, Overloaded, VoyagerError, public
from voyager_llm.ports import Renderer
from voyager_llm.settings import Settings
from voyager_llm.snapshot import CompiledModel, RuntimeConfig, SnapshotCell
from voyager_llm.templating.render import Rendered

# What a stream yields last: its account, or the error that ended it.
StreamItem = bytes | Completion | VoyagerError


class Pipeline:
    """Completes requests. One a router replica."""

    def __init__(
        self,
        snapshots: SnapshotCell,
        renderer: Renderer,
        router: Router,
        attempts: Attempts,
        meter: Meter,
        settings: Settings,
    ) -> None:
        self._snapshots = snapshots
        self._renderer = renderer
        self._router = router
        self._attempts = attempts
        self._meter = meter
        self._settings = settings
        self._ongoing = 0
        meter.ongoing.set_function(lambda: self._ongoing)

    async def complete(self, request: CompletionRequest) -> Completion:
        """Answer a request. Raises any `VoyagerError`."""
        started = time.monotonic()
        self._admit()
        try:
            config = self._snapshots.current
            request, prompt = await self._rendered(config, request)
            plan = self._router.plan(config, request, prompt)
            answered = await self._attempts.call(plan, self._maker(request), _demand(request))
            usage = answered.answer.usage or _estimated(request, len(answered.answer.body))
            completion = _account(
                request, prompt, answered.option, usage, answered.attempts, started, answered.answer.body
            )
            self._meter.completed(completion)
            return completion
        except VoyagerError as error:
            self._meter.failed(self._known(request.destination), error.code)
            raise
        finally:
            self._ongoing -= 1

    async def stream(self, request: CompletionRequest) -> AsyncGenerator[StreamItem]:
        """Open a stream: raises while another endpoint may still be tried, then returns the items.

        Each item is a block of whole server-sent events; the last one is the account of the stream or
        the error that ended it. Closing the generator cancels the provider's call."""
        started = time.monotonic()
        self._admit()
        try:
            config = self._snapshots.current
            request, prompt = await self._rendered(config, request)
            plan = self._router.plan(config, request, prompt)
            opened = await self._attempts.stream(plan, self._maker(request), _demand(request))
        except BaseException as error:
            self._ongoing -= 1
            if isinstance(error, VoyagerError):
                self._meter.failed(self._known(request.destination), error.code)
            raise
        self._meter.first_token(opened.option.model.name, opened.first_block_s)
        return self._items(request, prompt, opened, started)

    async def render(
        self, name: str, version: str, variables: dict[str, Any], *, texts: bool
    ) -> tuple[PromptDefinition, Rendered]:
        """A stored prompt with its variables filled in. Raises `NotFound`, `InvalidArgument`."""
        prompt = self._snapshots.current.prompt(name, version)
        return prompt, await self._renderer.render(prompt, variables, texts)

    def _admit(self) -> None:
        if self._ongoing >= self._settings.max_ongoing_requests:
            raise Overloaded("this service is at its limit of concurrent requests", "", 1.0)
        self._ongoing += 1

    async def _rendered(
        self, config: RuntimeConfig, request: CompletionRequest
    ) -> tuple[CompletionRequest, PromptDefinition | None]:
        """The request with its prompt's messages in place. Without a prompt it stays as it is."""
        if request.prompt is None:
            return request, None
        call = request.prompt
        prompt = config.prompt(call.name, call.version)
        rendered = await self._renderer.render(prompt, call.variables, call.texts)
        body = dict(request.body)
        if request.operation is Operation.TEXT:
            body["prompt"] = rendered.as_text()
        elif request.operation is Operation.CHAT:
            messages = [{"role": m.role, "content": m.content} for m in rendered.messages]
            # A conversation that the client goes on with follows the prompt.
            body["messages"] = messages + list(body.get("messages") or ())
        else:
            raise InvalidArgument("a prompt cannot be embedded", "model")
        return replace(request, body=body), prompt

    def _maker(self, request: CompletionRequest) -> MakeCall:
        def make(option: Option, share: float) -> Call:
            return Call(
                operation=request.operation,
                endpoint=option.endpoint,
                body=_body(request, option),
                stream=request.stream,
                include_usage=request.include_usage,
                timeout_s=share,
                idle_timeout_s=IDLE_SECONDS,
                total_timeout_s=self._settings.stream_timeout_s,
            )

        return make

    def _known(self, name: str) -> str:
        """A name as metric label: clients must not be able to make up new series."""
        config = self._snapshots.current
        return name if name in config.models or name in config.routes else "unknown"

    async def _items(
        self,
        request: CompletionRequest,
        prompt: PromptDefinition | None,
        opened: Opened,
        started: float,
    ) -> AsyncGenerator[StreamItem]:
        events = opened.first.count(b"\n\n")
        # Until the provider says how it ended, it ended because the client went away.
        end = StreamEnd(None, Cancelled("the client closed the connection"))
        try:
            async with aclosing(opened.rest) as rest:
                yield opened.first
                async for block in rest:
                    if isinstance(block, StreamEnd):
                        end = block
                        break
                    events += block.count(b"\n\n")
                    yield block
        except Exception as error:
            end = StreamEnd(None, public(error))
        finally:
            # One event carries about one token: what a stream without usage has cost.
            usage = end.usage or replace(_estimated(request, 0), output_tokens=events)
            self._attempts.close(opened, replace(end, usage=usage))
            completion = _account(request, prompt, opened.option, usage, opened.attempts, started, b"")
            self._meter.completed(completion, end.error.code if end.error else "ok")
            self._ongoing -= 1
        yield end.error or completion


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


def _demand(request: CompletionRequest) -> Demand:
    body = request.body
    asked = body.get("max_completion_tokens") or body.get("max_tokens") or 0
    return Demand(_prompt_tokens(request), asked if isinstance(asked, int) else 0)


def _prompt_tokens(request: CompletionRequest) -> int:
    """About how many tokens the prompt has: enough to keep a limit, never what bills."""
    given = request.body.get("messages") or request.body.get("prompt") or request.body.get("input") or ""
    if isinstance(given, str):
        return len(given) // CHARS_PER_TOKEN + 1
    chars = 0
    for item in given:
        content = item.get("content") if isinstance(item, dict) else item
        chars += len(content) if isinstance(content, (str, list)) else 8
    return chars // CHARS_PER_TOKEN + 1


def _estimated(request: CompletionRequest, answer_bytes: int) -> Usage:
    return Usage(_prompt_tokens(request), answer_bytes // CHARS_PER_TOKEN, estimated=True)


def _account(
    request: CompletionRequest,
    prompt: PromptDefinition | None,
    option: Option,
    usage: Usage,
    attempts: int,
    started: float,
    body: bytes,
) -> Completion:
    model: CompiledModel = option.model
    return Completion(
        body=body,
        model=model.name,
        model_used=option.endpoint.model_name,
        usage=usage,
        cost=usage.cost(model.price),
        attempts=attempts,
        duration_s=time.monotonic() - started,
        trace_id=request.trace_id,
        prompt_name=prompt.name if prompt else "",
        prompt_version=prompt.version if prompt else "",
    )
