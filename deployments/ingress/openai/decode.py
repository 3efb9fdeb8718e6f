"""OpenAI requests into `CompletionRequest`. Used by `openai/api.py`.

Only what this service acts on is checked; everything else passes through to the provider, so that a new
parameter of OpenAI's works the day it appears.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from os import urandom
from typing import Any, cast

import orjson

from deployments.ingress.asgi import HttpRequest
from voyager_llm.domain.completion import CompletionRequest, Operation, PromptCall
from voyager_llm.errors import InvalidArgument

_PROMPT = "prompt:"
_MAX_TOKENS = 10_000_000
_MAX_TIMEOUT_MS = 3_600_000


def decode(request: HttpRequest, operation: Operation) -> CompletionRequest:
    """Raises `InvalidArgument` naming the field."""
    body = read_object(request.body)
    check_parameters(body)
    target = body.pop("model", None)
    if not isinstance(target, str) or not target:
        raise InvalidArgument("is required and must be a string", "model")
    prompt = None
    if target.startswith(_PROMPT):
        prompt = prompt_call(target, body.pop("variables", None))
        target = body.pop("target", "")
        if not isinstance(target, str):
            raise InvalidArgument("must be the name of a model or route", "target")
    _CHECKS[operation](body, prompt is not None)
    stream = body.get("stream", False)
    options = body.get("stream_options") or {}
    if not isinstance(options, dict):
        raise InvalidArgument("must be an object", "stream_options")
    return CompletionRequest(
        operation=operation,
        target=target,
        body=body,
        prompt=prompt,
        stream=bool(stream) and operation is not Operation.EMBEDDINGS,
        include_usage=bool(cast("dict[str, Any]", options).get("include_usage")),
        session=request.header(b"x-session-id") or _text(body.get("user")),
        trace_id=trace_id(request),
        timeout_s=timeout_s(request),
    )


def prompt_call(model: str, variables: object) -> PromptCall:
    """``prompt:NAME[@VERSION]`` with its variables."""
    name, _, version = model.removeprefix(_PROMPT).partition("@")
    if not name:
        raise InvalidArgument("must be prompt:NAME or prompt:NAME@VERSION", "model")
    if variables is None:
        variables = {}
    if not isinstance(variables, dict):
        raise InvalidArgument("must be an object", "variables")
    return PromptCall(name, version, cast("dict[str, Any]", variables))


def timeout_s(request: HttpRequest) -> float:
    """The client's own deadline (``x-voyager-timeout-ms``) in seconds; 0 without one."""
    given = request.header(b"x-voyager-timeout-ms")
    if not given:
        return 0.0
    if not given.isdigit() or not 1 <= int(given) <= _MAX_TIMEOUT_MS:
        raise InvalidArgument(f"must be from 1 to {_MAX_TIMEOUT_MS}", "x-voyager-timeout-ms")
    return int(given) / 1000


def trace_id(request: HttpRequest) -> str:
    """The caller's trace: ``x-trace-id``, else W3C's ``traceparent``, else a new one."""
    given = request.header(b"x-trace-id")
    if given and len(given) <= 128 and given.isprintable():
        return given
    parts = request.header(b"traceparent").split("-")
    return parts[1] if len(parts) >= 4 and len(parts[1]) == 32 else urandom(16).hex()


def read_object(body: bytes) -> dict[str, Any]:
    """A JSON object. Raises `InvalidArgument` for anything else, invalid UTF-8 and too deep nesting."""
    try:
        document: Any = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise InvalidArgument(f"the body is no valid JSON: {error.msg}", "body") from None
    if not isinstance(document, dict):
        raise InvalidArgument("the body must be a JSON object", "body")
    return cast("dict[str, Any]", document)


def check_parameters(body: Mapping[str, Any]) -> None:
    """Refuse parameters of the wrong type or out of range before any provider sees them."""
    for name in _PARAMETERS.keys() & body.keys():
        value = body[name]
        if value is not None and not _PARAMETERS[name][0](value):
            raise InvalidArgument(f"must be {_PARAMETERS[name][1]}", name)


def _number(low: float, high: float) -> tuple[Callable[[Any], bool], str]:
    def check(value: Any) -> bool:
        return isinstance(value, (int, float)) and not isinstance(value, bool) and low <= value <= high

    return check, f"a number from {low:g} to {high:g}"


def _integer(low: int, high: int) -> tuple[Callable[[Any], bool], str]:
    def check(value: Any) -> bool:
        return isinstance(value, int) and not isinstance(value, bool) and low <= value <= high

    return check, f"an integer from {low} to {high}"


def _is_stop(value: Any) -> bool:
    return isinstance(value, str) or (
        isinstance(value, list) and all(isinstance(item, str) for item in cast("list[Any]", value))
    )


_BOOLEAN: tuple[Callable[[Any], bool], str] = (lambda v: isinstance(v, bool), "true or false")
_LIST: tuple[Callable[[Any], bool], str] = (lambda v: isinstance(v, list), "a list")

_PARAMETERS: dict[str, tuple[Callable[[Any], bool], str]] = {
    "temperature": _number(0, 2),
    "top_p": _number(0, 1),
    "presence_penalty": _number(-2, 2),
    "frequency_penalty": _number(-2, 2),
    "max_tokens": _integer(1, _MAX_TOKENS),
    "max_completion_tokens": _integer(1, _MAX_TOKENS),
    "n": _integer(1, 128),
    "seed": _integer(-(2**63), 2**63 - 1),
    "top_logprobs": _integer(0, 20),
    "stream": _BOOLEAN,
    "parallel_tool_calls": _BOOLEAN,
    "stop": (_is_stop, "a string or a list of strings"),
    "tools": _LIST,
    "response_format": (lambda v: isinstance(v, dict), "an object"),
}


def _check_chat(body: Mapping[str, Any], has_prompt: bool) -> None:
    messages = body.get("messages")
    if messages is None and has_prompt:
        return
    if not isinstance(messages, list) or not (messages or has_prompt):
        raise InvalidArgument("must be a list of at least one message", "messages")
    for i, message in enumerate(cast("list[Any]", messages)):
        if not isinstance(message, dict) or not isinstance(cast("dict[str, Any]", message).get("role"), str):
            raise InvalidArgument("must be an object with a role", f"messages.{i}")


def _check_text(body: Mapping[str, Any], has_prompt: bool) -> None:
    if not has_prompt and not isinstance(body.get("prompt"), (str, list)):
        raise InvalidArgument("must be a string or a list", "prompt")


def _check_embeddings(body: Mapping[str, Any], has_prompt: bool) -> None:
    if not isinstance(body.get("input"), (str, list)) or not body["input"]:
        raise InvalidArgument("must be a string or a list, not empty", "input")


_CHECKS: dict[Operation, Callable[[Mapping[str, Any], bool], None]] = {
    Operation.CHAT: _check_chat,
    Operation.TEXT: _check_text,
    Operation.EMBEDDINGS: _check_embeddings,
}


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
