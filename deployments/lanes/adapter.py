"""The adapter lane: LiteLLM's adapters translate, our pooled client sends.

LiteLLM's `acompletion` costs ten times its translation (`docs/decisions/0002-lanes.md`), so only the
translation is used. Used by `caller.py`.
"""

from __future__ import annotations

import math
from collections.abc import AsyncGenerator
from typing import Any, cast
from urllib.parse import urlsplit

import httpx
import orjson
from litellm.types.utils import ModelResponse

from deployments.lanes.answers import read_answer, usage_of
from deployments.lanes.dialects import Dialect, NoLog, Outgoing, dialect
from deployments.lanes.faults import error_in_success, fault, policy_refused
from deployments.lanes.media import restrict_messages
from deployments.lanes.roundtrip import RoundTrip
from deployments.lanes.schemas import restrict_schemas
from deployments.lanes.sse import EventSplitter, frame
from deployments.lanes.tools import restrict_tools
from deployments.lanes.upstream import CLIENT_ERRORS, Upstream, client_fault
from deployments.lanes.wire import interrupted
from voyager_llm.domain.completion import Answer, Call, StreamEnd, Usage
from voyager_llm.domain.endpoint import Endpoint
from voyager_llm.domain.providers import reaches
from voyager_llm.errors import (
    UpstreamInvalid,
    UpstreamMisconfigured,
    UpstreamRejected,
    VoyagerError,
)


class AdapterLane:
    """Calls providers with a protocol of their own: Anthropic, Gemini, Ollama and others."""

    def __init__(self, upstream: Upstream) -> None:
        self._upstream = upstream

    def can_stream(self, endpoint: Endpoint) -> bool:
        return dialect(endpoint.provider, endpoint.model_name).streams

    async def call(self, call: Call, key: str) -> Answer:
        spoken = dialect(call.endpoint.provider, call.endpoint.model_name)
        request = _outgoing(spoken, call, key)
        try:
            async with self._upstream.post(
                request.url, _headers(request), _encoded(request), timeout_s=call.timeout_s
            ) as reply:
                body = await self._upstream.read(reply)
                if reply.status != 200:
                    raise fault(reply.status, body, reply.headers)
        except CLIENT_ERRORS as error:
            raise client_fault(error, call.timeout_s) from None
        _refuse_failures(spoken, body)
        answer = _translated(spoken, request, call, body)
        return Answer(answer, read_answer(answer, call.operation))

    async def stream(self, call: Call, key: str) -> AsyncGenerator[bytes | StreamEnd]:
        spoken = dialect(call.endpoint.provider, call.endpoint.model_name)
        request = _outgoing(spoken, call, key)
        chunks = _Chunks(spoken, request.parameters, call)
        began = False
        try:
            async with self._upstream.post(
                request.url,
                _headers(request),
                _encoded(request),
                timeout_s=call.total_timeout_s,
                idle_s=call.idle_timeout_s,
            ) as reply:
                if reply.status != 200:
                    raise fault(reply.status, await self._upstream.read(reply), reply.headers)
                async for event in _events(reply, spoken.json_lines):
                    if block := chunks.take(event):
                        began = True
                        yield block
                if not chunks.finished:
                    raise UpstreamInvalid("the provider closed the stream early")
                if last := chunks.usage_frame():
                    yield last
        except (VoyagerError, *CLIENT_ERRORS) as error:
            ended = error if isinstance(error, VoyagerError) else client_fault(error, call.idle_timeout_s)
            if not began:
                raise ended from None
            yield StreamEnd(chunks.usage, interrupted(ended))
            return
        yield StreamEnd(chunks.usage)

    async def probe(self, endpoint: Endpoint, timeout_s: float) -> None:
        """Any answer below 500 from the endpoint shows that it is alive."""
        status = await self._upstream.reachable(endpoint.base_url, {}, timeout_s)
        if status >= 500:
            raise fault(status, b"", {})


def _outgoing(spoken: Dialect, call: Call, key: str) -> Outgoing:
    body = cast("dict[str, Any]", orjson.loads(call.body))
    restrict_messages(body)
    restrict_schemas(body)
    restrict_tools(body)
    endpoint = call.endpoint
    try:
        request = spoken.outgoing(endpoint.model_name, endpoint.base_url, key, body, call.stream)
    except VoyagerError:
        raise
    except Exception as error:
        # LiteLLM's adapters raise whatever they meet in a body they cannot translate.
        raise UpstreamRejected(
            f"the request cannot be translated for {endpoint.provider}: {type(error).__name__}"
        ) from error
    if not reaches(urlsplit(request.url).hostname or "", endpoint.hosts):
        raise UpstreamMisconfigured("the provider's adapter turned to a host that is not the endpoint's")
    return request


def _encoded(request: Outgoing) -> bytes:
    try:
        return orjson.dumps(request.body)
    except (TypeError, ValueError) as error:
        # An adapter reads JSON that stands in a text, such as a tool call's arguments.
        raise UpstreamRejected("the request is nested too deeply for this provider", "messages") from error


# LiteLLM wants the request that an answer belongs to, and reads nothing of it.
_REQUEST = httpx.Request("POST", "http://provider.invalid")


def _headers(request: Outgoing) -> dict[str, str]:
    return {**request.headers, "Content-Type": "application/json"}


def _refuse_failures(spoken: Dialect, body: bytes) -> None:
    """Raise the error that an answer with status 200 holds, if it holds one."""
    try:
        document: object = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise UpstreamInvalid("the provider's answer is no JSON") from None
    if not isinstance(document, dict):
        raise UpstreamInvalid("the provider's answer is no JSON object")
    answer = cast("dict[str, Any]", document)
    if answer.get("error"):
        raise error_in_success(answer)
    if spoken.blocks(answer):
        raise policy_refused()


def _translated(spoken: Dialect, request: Outgoing, call: Call, body: bytes) -> bytes:
    try:
        result = spoken.transform_response(
            model=call.endpoint.model_name,
            raw_response=httpx.Response(200, content=body, request=_REQUEST),
            model_response=ModelResponse(),
            logging_obj=NoLog(request.parameters),
            request_data=request.body,
            messages=[],
            optional_params=request.parameters,
            litellm_params={},
            encoding=None,
            json_mode=bool(request.parameters.get("json_mode")),
        )
        return orjson.dumps(_standard(result))
    except Exception as error:
        raise UpstreamInvalid("the provider's answer cannot be read") from error


async def _events(reply: RoundTrip, json_lines: bool) -> AsyncGenerator[dict[str, Any]]:
    splitter = EventSplitter()
    rest = b""
    while piece := await reply.piece():
        if json_lines:
            *payloads, rest = (rest + piece).split(b"\n")
        else:
            payloads = splitter.feed(piece)
        for payload in payloads:
            if not payload or payload == b"[DONE]":
                continue
            try:
                yield orjson.loads(payload)
            except orjson.JSONDecodeError:
                raise UpstreamInvalid("the provider sent a chunk that is no JSON") from None


class _Chunks:
    """Turns a provider's events into frames of OpenAI chunks, and keeps count of usage."""

    def __init__(self, spoken: Dialect, parameters: dict[str, Any], call: Call) -> None:
        self._spoken = spoken
        self._parser = spoken.events(parameters)
        self._model = call.endpoint.model_name
        self._include_usage = call.include_usage
        self._id = ""
        self.finished = False
        self.usage: Usage | None = None

    def take(self, event: dict[str, Any]) -> bytes:
        if event.get("type") == "error" or "error" in event:
            raise error_in_success(event)
        if self._spoken.blocks(event) and not self._id:
            raise policy_refused()
        try:
            chunk = self._parser.chunk_parser(event)
        except Exception as error:
            raise UpstreamInvalid("the provider sent a chunk that cannot be read") from error
        if chunk is None:
            return b""
        document = _standard(chunk)
        if usage := usage_of(document):
            self.usage = usage
        document.pop("usage", None)
        choices = document.get("choices") or []
        if not self._spoken.ends(event):
            for choice in choices:
                choice["finish_reason"] = None
        if not choices or not _says_something(choices[0]):
            return b""
        if choices[0].get("finish_reason"):
            self.finished = True
        self._id = self._id or document.get("id") or "chatcmpl"
        document["id"] = self._id
        document["model"] = document.get("model") or self._model
        document["created"] = math.floor(document.get("created") or 0)
        return frame(orjson.dumps(document))

    def usage_frame(self) -> bytes:
        """The closing chunk with usage that OpenAI sends when it was asked for."""
        if not self._include_usage or self.usage is None:
            return b""
        usage = self.usage
        document = {
            "id": self._id, "object": "chat.completion.chunk", "created": 0, "model": self._model,
            "choices": [],
            "usage": {
                "prompt_tokens": usage.input_tokens,
                "completion_tokens": usage.output_tokens,
                "total_tokens": usage.total_tokens,
                "prompt_tokens_details": {"cached_tokens": usage.cached_input_tokens},
                "completion_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
            },
        }  # fmt: skip
        return frame(orjson.dumps(document))


def _standard(result: Any) -> dict[str, Any]:
    """A result of LiteLLM's as plain data, without the fields that it adds for itself."""
    fields: dict[str, Any] = result.model_dump(exclude_none=True)
    return {name: value for name, value in fields.items() if not name.startswith("vertex_ai_")}


def _says_something(choice: dict[str, Any]) -> bool:
    delta = choice.get("delta") or {}
    return bool(
        choice.get("finish_reason")
        or delta.get("content")
        or delta.get("tool_calls")
        or delta.get("reasoning_content")
        or delta.get("role")
    )
