"""The adapter lane: LiteLLM's adapters translate, our pooled client sends.

LiteLLM's `acompletion` costs ten times its translation (`docs/decisions/0002-lanes.md`), so only the
translation is used. Used by `caller.py`.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from typing import Any, cast
from urllib.parse import urlsplit

from deployments.lanes.answers import object_in, read_answer, with_report
from deployments.lanes.chunks import Chunks, standard
from deployments.lanes.conversation import as_functions, has_functions, prepare
from deployments.lanes.diagnosis import untranslated
from deployments.lanes.dialects import dialect
from deployments.lanes.faults import error_in_success, fault, policy_refused
from deployments.lanes.lenient import dumps, loads
from deployments.lanes.media import restrict_messages
from deployments.lanes.roundtrip import RoundTrip
from deployments.lanes.schemas import restrict_schemas
from deployments.lanes.sse import EventSplitter
from deployments.lanes.tools import restrict_tools
from deployments.lanes.translation import Dialect, Outgoing
from deployments.lanes.upstream import CLIENT_ERRORS, Upstream, client_fault
from deployments.lanes.wire import broken_off
from voyager_llm.domain.completion import Answer, Call, StreamEnd
from voyager_llm.domain.endpoint import Endpoint
from voyager_llm.domain.providers import reaches
from voyager_llm.domain.usage import Usage
from voyager_llm.domain.usage_reports import as_openai, format_of
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
        request, functions = _outgoing(spoken, call, key)
        try:
            async with self._upstream.post(
                request.url, _headers(request), _encoded(request), timeout_s=call.timeout_s
            ) as reply:
                body = await self._upstream.read(reply)
                if reply.status != 200:
                    raise fault(reply.status, body, reply.headers)
        except CLIENT_ERRORS as error:
            raise client_fault(error, call.timeout_s) from None
        document = _read(spoken, body)
        # Out of what the provider sent: LiteLLM makes up what is missing, and leaves some of it out.
        usage = format_of(call.endpoint.provider).usage(document)
        if usage is None:
            body = with_report(document)
        answer = _translated(spoken, request, call, body, document, usage, functions=functions)
        read_answer(answer, call.operation)
        return Answer(answer, usage)

    async def stream(self, call: Call, key: str) -> AsyncGenerator[bytes | StreamEnd]:
        spoken = dialect(call.endpoint.provider, call.endpoint.model_name)
        request, functions = _outgoing(spoken, call, key)
        chunks = Chunks(spoken, request, call, functions=functions)
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
            yield broken_off(error, chunks.usage, call.idle_timeout_s, began=began)
            return
        yield StreamEnd(chunks.usage)

    async def probe(self, endpoint: Endpoint, timeout_s: float) -> None:
        """Any answer below 500 from the endpoint shows that it is alive."""
        status = await self._upstream.reachable(endpoint.base_url, {}, timeout_s)
        if status >= 500:
            raise fault(status, b"", {})


def _outgoing(spoken: Dialect, call: Call, key: str) -> tuple[Outgoing, bool]:
    """The call in the provider's protocol, and whether the client speaks of functions instead of tools."""
    endpoint = call.endpoint

    def translated(body: dict[str, Any]) -> Outgoing:
        prepare(body)
        return spoken.outgoing(endpoint.model_name, endpoint.base_url, key, body, call.stream)

    body = _restricted(spoken, call)
    functions = has_functions(body)
    try:
        request = translated(body)
    except VoyagerError:
        raise
    except Exception as error:
        # LiteLLM's adapters raise whatever they meet in a body they cannot translate.
        raise untranslated(
            endpoint.provider,
            lambda: _restricted(spoken, call),
            lambda shorter: _succeeds(translated, shorter),
        ) from error
    if not reaches(urlsplit(request.url).hostname or "", endpoint.hosts):
        raise UpstreamMisconfigured("the provider's adapter turned to a host that is not the endpoint's")
    return request, functions


def _restricted(spoken: Dialect, call: Call) -> dict[str, Any]:
    body = cast("dict[str, Any]", loads(call.body))
    restrict_messages(body, spoken.media)
    restrict_schemas(body)
    restrict_tools(body)
    return body


def _succeeds(translated: Callable[[dict[str, Any]], Outgoing], body: dict[str, Any]) -> bool:
    try:
        translated(body)
    except Exception:  # whatever LiteLLM raises
        return False
    return True


def _encoded(request: Outgoing) -> bytes:
    try:
        return dumps(request.body)
    except (TypeError, ValueError, RecursionError) as error:
        # An adapter reads JSON that stands in a text, such as a tool call's arguments.
        raise UpstreamRejected("the request is nested too deeply for this provider", "messages") from error


def _headers(request: Outgoing) -> dict[str, str]:
    return {**request.headers, "content-type": "application/json"}


def _read(spoken: Dialect, body: bytes) -> dict[str, Any]:
    """The answer as the provider wrote it. Raises the error that an answer with status 200 holds."""
    answer = object_in(body)
    if answer.get("error"):
        raise error_in_success(answer)
    if spoken.blocks(answer):
        raise policy_refused()
    return answer


def _translated(
    spoken: Dialect,
    request: Outgoing,
    call: Call,
    body: bytes,
    written: dict[str, Any],
    usage: Usage | None,
    *,
    functions: bool,
) -> bytes:
    """``body`` as LiteLLM can read it, ``written`` as the provider wrote it."""
    try:
        document = standard(spoken.answer(call.endpoint.model_name, request, body))
        for choice in document["choices"]:
            choice["finish_reason"] = spoken.finish(written, choice["index"], choice["finish_reason"])
            if functions:
                as_functions(choice)
        document.pop("usage", None)
        if usage is not None:
            document["usage"] = as_openai(usage)
        return dumps(document)
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
            if event := _event(payload):
                yield event
    # The last one of some has no line end behind it.
    if event := _event(rest if json_lines else splitter.rest):
        yield event


def _event(payload: bytes) -> dict[str, Any] | None:
    if not payload.strip() or payload == b"[DONE]":
        return None
    try:
        return loads(payload)
    except ValueError:
        raise UpstreamInvalid("the provider sent a chunk that is no JSON") from None
