"""The full lane: `litellm.acompletion`, for providers with flows of their own (Bedrock's signing,
Vertex's credentials). Also carries what the adapter lane cannot. Used by `caller.py`.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator, Coroutine, Iterator
from contextvars import copy_context
from typing import Any, TypeVar

import litellm
import orjson
from litellm import exceptions as llm

from deployments.lanes import egress, further
from deployments.lanes.answers import read_answer, usage_of
from deployments.lanes.credentials import Credentials, hand_over
from deployments.lanes.diagnosis import mistake
from deployments.lanes.dialects import dialect
from deployments.lanes.faults import judged, policy_refused
from deployments.lanes.forward import headed
from deployments.lanes.media import Media, restrict_messages
from deployments.lanes.said import Said, document_said
from deployments.lanes.schemas import restrict_schemas
from deployments.lanes.seclusion import seclude
from deployments.lanes.sse import frame
from deployments.lanes.tools import restrict_tools
from deployments.lanes.upstream import Upstream
from deployments.lanes.wire import interrupted
from voyager_llm.domain.completion import Answer, Call, StreamEnd
from voyager_llm.domain.operation import FURTHER, Operation
from voyager_llm.domain.parameters import PARAMETERS, may_be_allowed
from voyager_llm.domain.providers import PROVIDERS, Lane
from voyager_llm.domain.usage import Usage
from voyager_llm.errors import (
    UpstreamInvalid,
    UpstreamMisconfigured,
    UpstreamRejected,
    UpstreamTimeout,
    UpstreamUnavailable,
    UpstreamUnsupported,
    VoyagerError,
)

T = TypeVar("T")

litellm.suppress_debug_info = True
litellm.drop_params = True
# Our attempts are counted and budgeted; a retry inside one would escape both.
litellm.num_retries = 0
egress.install()


class FullLane:
    """Calls anything LiteLLM can call, at LiteLLM's cost."""

    def __init__(self, upstream: Upstream) -> None:
        self._upstream = upstream
        self._credentials = Credentials()

    async def call(self, call: Call, key: str) -> Answer:
        function = _function(call)
        work = await self._prepared(call, key)
        try:
            result: Any = await work.run(function(**work.arguments))
        except Exception as error:
            raise self._fault(error, work, call, key) from error
        if call.operation in FURTHER:
            return further.answer(call, result)
        document: dict[str, Any] = result.model_dump(exclude_none=True)
        if call.operation is Operation.CHAT and _is_refusal(document):
            raise policy_refused()
        try:
            body = orjson.dumps(document)
        except (TypeError, ValueError) as error:
            raise UpstreamInvalid("the provider's answer cannot be read") from error
        return Answer(body, read_answer(body, call.operation))

    def stream(self, call: Call, key: str) -> AsyncGenerator[bytes | StreamEnd]:
        return self._whole(call, key) if call.operation in FURTHER else self._chunks(call, key)

    async def _whole(self, call: Call, key: str) -> AsyncGenerator[bytes | StreamEnd]:
        """What LiteLLM has whole."""
        answer = await self.call(call, key)
        yield headed(answer.content_type.encode(), answer.body)
        yield StreamEnd(answer.usage)

    async def _chunks(self, call: Call, key: str) -> AsyncGenerator[bytes | StreamEnd]:
        usage: Usage | None = None
        began = False
        held: list[bytes] = []
        work = await self._prepared(call, key)
        try:
            chunks: Any = await work.run(_FUNCTIONS[call.operation](**work.arguments))
            while (chunk := await work.run(_next(chunks))) is not None:
                document: dict[str, Any] = chunk.model_dump(exclude_none=True)
                if found := usage_of(document):
                    usage = found
                    if not call.include_usage:
                        document.pop("usage", None)
                        if not any(_has_delta(choice) for choice in document.get("choices", ())):
                            continue
                held.append(frame(orjson.dumps(document)))
                if not began and not _says_something(document):
                    if _is_refusal(document):
                        raise policy_refused()
                    continue
                began = True
                yield b"".join(held)
                held.clear()
            if held:
                yield b"".join(held)
            usage = _reported(usage, chunks)
        except Exception as error:
            fault = self._fault(error, work, call, key)
            if not began:
                raise fault from error
            yield StreamEnd(usage, interrupted(fault))
            return
        yield StreamEnd(usage)

    async def _prepared(self, call: Call, key: str) -> _Work:
        """LiteLLM's work for a call. Raises what `Credentials.of` raises, and `InvalidArgument`."""
        arguments = _arguments(call, key)
        held = await self._credentials.of(call.endpoint, key)
        return _Work(arguments, egress.Grant(call.endpoint.hosts, self._upstream.session), held)

    def _fault(self, error: Exception, work: _Work, call: Call, key: str) -> VoyagerError:
        fault = _translated(error, call) if work.granted.is_used else _untried(error, call)
        if isinstance(fault, UpstreamMisconfigured):
            self._credentials.forget(call.endpoint, key)
        return fault


class _Work:
    """LiteLLM at work for one call, in a context of its own: without look-ups, to the endpoint's hosts alone,
    with the endpoint's credentials."""

    def __init__(self, arguments: dict[str, Any], granted: egress.Grant, held: Any) -> None:
        self.arguments = arguments
        self.granted = granted
        self._context = copy_context()
        self._context.run(seclude)
        self._context.run(egress.give, granted)
        self._context.run(hand_over, held)

    async def run(self, step: Coroutine[Any, Any, T]) -> T:
        """Do a step. Who waits may leave at once, whatever LiteLLM makes of being cancelled."""
        task = asyncio.create_task(step, context=self._context)
        try:
            await asyncio.wait({task})
        finally:
            if not task.done():
                task.cancel()
                _LEFT.add(task)
                task.add_done_callback(_gone)
        return task.result()


# Steps that nobody waits for any more, until they notice: the event loop alone would not keep them.
_LEFT: set[asyncio.Task[Any]] = set()


def _gone(task: asyncio.Task[Any]) -> None:
    _LEFT.discard(task)
    if not task.cancelled():
        task.exception()  # nobody wants to hear of it


async def _next(chunks: Any) -> Any:
    return await anext(chunks, None)


def _media(call: Call) -> Media | None:
    """What a provider of the adapter lane takes; nothing is known of the others."""
    endpoint = call.endpoint
    is_known = endpoint.lane is Lane.ADAPTER and call.operation is Operation.CHAT
    return dialect(endpoint.provider, endpoint.model_name).media if is_known else None


def _arguments(call: Call, key: str) -> dict[str, Any]:
    """Parameters out of the body, and what says how to call out of the endpoint, which wins."""
    body, files = further.body_of(call)
    restrict_messages(body, _media(call))
    restrict_schemas(body)
    restrict_tools(body)
    endpoint = call.endpoint
    arguments: dict[str, Any] = {
        **{name: value for name, value in body.items() if _is_parameter(call.operation, name)},
        **files,
        **endpoint.settings,
        "model": f"{_name(call)}/{endpoint.model_name}",
        "timeout": call.total_timeout_s if call.stream else call.timeout_s,
        "max_retries": 0,
    }
    provider = PROVIDERS[endpoint.provider]
    if endpoint.base_url != provider.address:
        arguments["api_base"] = _base(call)
    if endpoint.secret is not None:
        arguments[provider.key_argument] = key
    elif not provider.hosts:
        # Without one, LiteLLM would take any key that it finds in the environment.
        arguments["api_key"] = "none"
    return arguments


def _name(call: Call) -> str:
    """LiteLLM's name of the provider: Ollama's has another one for all but chats."""
    is_ollama = call.endpoint.provider == "ollama_chat" and call.operation is not Operation.CHAT
    return "ollama" if is_ollama else call.endpoint.provider


def _base(call: Call) -> str:
    """The address as LiteLLM takes it: Cohere's is that of the operation."""
    base = call.endpoint.base_url
    if call.operation is Operation.EMBEDDINGS and call.endpoint.provider in ("cohere", "cohere_chat"):
        return base.removesuffix("/chat") + "/embed"
    return base


# OpenAI's `metadata` is for its own records; LiteLLM's parameter of that name steers what it logs.
_NOT_LITELLMS = frozenset({"metadata", "store"})


def _is_parameter(operation: Operation, name: str) -> bool:
    """LiteLLM's functions take request and configuration side by side: each name is looked at here, too."""
    return name not in _NOT_LITELLMS and (name in PARAMETERS[operation] or may_be_allowed(name))


def _function(call: Call) -> Any:
    """Raises `UpstreamUnsupported`."""
    return further.function(call) if call.operation in FURTHER else _FUNCTIONS[call.operation]


_FUNCTIONS: dict[Operation, Any] = {
    Operation.CHAT: litellm.acompletion,
    Operation.TEXT: litellm.atext_completion,
    Operation.EMBEDDINGS: litellm.aembedding,
}


def _says_something(document: dict[str, Any]) -> bool:
    """Whether an answer or a chunk has anything of the model's own in it."""
    for choice in document.get("choices") or ():
        said = choice.get("message") or choice.get("delta") or {}
        if choice.get("text") or any(value for name, value in said.items() if name != "role"):
            return True
    return False


def _is_refusal(document: dict[str, Any]) -> bool:
    """Whether a content policy left nothing of the answer: LiteLLM's form of a prompt that Gemini blocks."""
    reasons = {choice.get("finish_reason") for choice in document.get("choices") or ()}
    return reasons == {"content_filter"} and not _says_something(document)


def _reported(usage: Usage | None, chunks: Any) -> Usage | None:
    """A stream's usage, if its provider reported one: else LiteLLM counts words, and does not say so."""
    told = any(getattr(chunk, "usage", None) for chunk in getattr(chunks, "chunks", ()))
    return usage if told else None


def _has_delta(choice: dict[str, Any]) -> bool:
    delta = choice.get("delta") or {}
    return bool(choice.get("finish_reason") or any(delta.values()))


_GIVEN = {Operation.CHAT: "messages", Operation.TEXT: "prompt", Operation.EMBEDDINGS: "input"}


def _untried(error: Exception, call: Call) -> VoyagerError:
    """The error of a call that failed before a request left: whatever the text, it is LiteLLM's own."""
    if ours := _ours(error):
        return ours
    if isinstance(error, llm.Timeout):
        return UpstreamTimeout("the provider's client took too long")
    if any(isinstance(cause, ImportError) for cause in _causes(error)):
        # Of another software kit, which it wants for models that it does not know.
        return UpstreamUnsupported("the provider's client does not know this model")
    status = getattr(error, "status_code", None)
    if status in (401, 403, 404):
        return judged(status, Said(), {})
    provider = call.endpoint.provider
    known = mistake(provider, orjson.loads(call.body)) if call.operation is Operation.CHAT else None
    return known or UpstreamRejected(
        f"cannot be put in the form of provider {provider}", _GIVEN.get(call.operation, "body")
    )


def _translated(error: Exception, call: Call) -> VoyagerError:
    """One of LiteLLM's exceptions as ours; its text may hold URLs and keys, so it stays behind."""
    if ours := _ours(error):
        return ours
    if isinstance(error, llm.Timeout):
        return UpstreamTimeout("the provider did not answer in time")
    # What is left was told within a stream, or is LiteLLM's own.
    status = getattr(error, "status_code", None)
    if not isinstance(status, int):
        return UpstreamInvalid("the provider's answer cannot be read")
    text = _own_words(str(getattr(error, "message", "")))
    fault = judged(status, document_said({"code": getattr(error, "code", None), "message": text}), {})
    if isinstance(fault, (UpstreamRejected, UpstreamUnavailable)) and not call.stream:
        # Answers that failed end at the egress: this one was a success that LiteLLM could not read.
        return UpstreamInvalid("the provider's answer cannot be read")
    return fault


def _ours(error: BaseException) -> VoyagerError | None:
    """An error of our own that LiteLLM wrapped."""
    return next((cause for cause in _causes(error) if isinstance(cause, VoyagerError)), None)


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """The error, and what it came of."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _own_words(message: str) -> str:
    """The provider's text without what LiteLLM puts before it ("litellm.X: XException - …") and behind."""
    return _PREFIXES.sub("", message.split("\nTraceback (most recent call last)", 1)[0])


_PREFIXES = re.compile(r"^(?:(?:litellm\.)?\w+(?:Error|Exception)(?: \w+Error)?\s*[:-]\s*)+")
