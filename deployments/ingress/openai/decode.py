"""OpenAI requests into `CompletionRequest`. Used by `openai/api.py`.

A body holds parameters of its operation and nothing else (`voyager_llm/domain/parameters.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, cast

import orjson

from deployments.ingress.asgi import HttpRequest
from voyager_llm.domain.completion import CompletionRequest, Original, PromptCall
from voyager_llm.domain.definition import json_value
from voyager_llm.domain.messages import check_messages
from voyager_llm.domain.operation import Operation
from voyager_llm.domain.parameters import check
from voyager_llm.errors import InvalidArgument

_PROMPT = "prompt:"

# Of lists whose every entry is translated for some providers: one request must not hold up the others.
_MAX_TOOLS = 512
_MAX_INPUTS = 2048
_MAX_TOKEN_IDS = 300_000
# Values of a body, counted where it is so large that they could be more.
_MAX_VALUES = 200_000
# Of a body over so many bytes: what every value of it but the first in a list or an object has before it.
_LARGE_BYTES = 8 * 1024 * 1024
_MARKS = (b",", b"[", b"{")
_MAX_MARKS = 4_000_000


def decode(request: HttpRequest, operation: Operation, named: str = "") -> CompletionRequest:
    """``named``: the destination that the path names; as in Azure, the body's ``model`` means nothing then.
    Raises `InvalidArgument` naming the field."""
    most = _MAX_VALUES if operation is Operation.CHAT else 2 * _MAX_TOKEN_IDS
    body = read_object(request.body, most)
    # Where the path names the model and the body none, there is no place in it for another name.
    is_named = isinstance(body.get("model"), str)
    destination, prompt = named_in(body, named)
    further = check(operation, body)
    has_place = prompt is None and is_named
    original = Original(operation, request.body, body) if has_place else None
    check_shape(operation, body, has_prompt=prompt is not None)
    stream = body.pop("stream", False)
    options: dict[str, Any] = body.get("stream_options") or {}
    return CompletionRequest(
        operation=operation,
        destination=destination,
        body=body,
        further=further,
        prompt=prompt,
        stream=bool(stream) and operation is not Operation.EMBEDDINGS,
        include_usage=bool(options.get("include_usage")),
        original=original,
    )


def named_in(body: dict[str, Any], named: str = "") -> tuple[str, PromptCall | None]:
    """The destination of a request, ``named`` or said by its body, and the prompt that it names instead of
    one; what the body says of them is taken out. Raises `InvalidArgument` naming the field."""
    destination = destination_in(body, named)
    if not destination.startswith(_PROMPT):
        return destination, None
    prompt = prompt_call(destination, body.pop("variables", None))
    target = body.pop("target", "")
    if not isinstance(target, str):
        raise InvalidArgument("must be the name of a model or route", "target")
    return target, prompt


def destination_in(body: dict[str, Any], named: str = "") -> str:
    """What a request is asked of, ``named`` or said by its body, out of which it is taken. Raises
    `InvalidArgument`."""
    written = body.pop("model", None)
    destination = named or written
    if not isinstance(destination, str) or not destination:
        raise InvalidArgument("is required and must be a string", "model")
    return destination


def prompt_call(model: str, variables: object) -> PromptCall:
    """``prompt:NAME[@VERSION]`` with its variables."""
    name, _, version = model.removeprefix(_PROMPT).partition("@")
    if not name:
        raise InvalidArgument("must be prompt:NAME or prompt:NAME@VERSION", "model")
    if variables is None:
        variables = {}
    if not isinstance(variables, dict):
        raise InvalidArgument("must be an object", "variables")
    try:
        json_value(variables)
    except ValueError as error:
        raise InvalidArgument(str(error), "variables") from None
    return PromptCall(name, version, cast("dict[str, Any]", variables))


def read_object(body: bytes, most_values: int = _MAX_VALUES) -> dict[str, Any]:
    """A JSON object. Raises `InvalidArgument` for anything else, invalid UTF-8, too deep nesting, and one of
    more values than ``most_values``."""
    # Before the parser makes objects of all of them; texts may hold some, too.
    if len(body) > _LARGE_BYTES and sum(map(body.count, _MARKS)) > _MAX_MARKS:
        raise InvalidArgument(f"the body holds more than {most_values} values", "body")
    try:
        document: Any = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise InvalidArgument(f"the body is no valid JSON: {error.msg}", "body") from None
    if not isinstance(document, dict):
        raise InvalidArgument("the body must be a JSON object", "body")
    # A value and what parts it from the next take two bytes at least.
    if len(body) > 2 * most_values:
        _count(document, most_values)
    return cast("dict[str, Any]", document)


def _count(document: Any, most: int) -> None:
    """Raises `InvalidArgument` for a document of more than ``most`` values."""
    level = [document]
    seen = 0
    while level:
        deeper: list[Any] = []
        for value in level:
            if isinstance(value, dict):
                deeper += cast("dict[str, Any]", value).values()
            elif isinstance(value, list):
                deeper += cast("list[Any]", value)
        seen += len(deeper)
        if seen > most:
            raise InvalidArgument(f"the body holds more than {most} values", "body")
        level = deeper


def check_shape(operation: Operation, body: Mapping[str, Any], *, has_prompt: bool) -> None:
    """Refuse what no lane could make anything of. Raises `InvalidArgument` naming the field."""
    _CHECKS[operation](body, has_prompt)


def _check_chat(body: Mapping[str, Any], has_prompt: bool) -> None:
    messages = body.get("messages")
    if messages:
        check_messages(messages)
    elif not has_prompt:
        raise InvalidArgument("must be a list of at least one message", "messages")
    for name in ("tools", "functions"):
        _check_length(body.get(name) or [], _MAX_TOOLS, name)


def _check_text(body: Mapping[str, Any], has_prompt: bool) -> None:
    # Null is a prompt: the beginning of any text.
    if has_prompt or body.get("prompt", "") is None:
        return
    if not isinstance(body.get("prompt"), (str, list)):
        raise InvalidArgument("must be a string or a list", "prompt")
    _check_inputs(body["prompt"], "prompt")


def _check_embeddings(body: Mapping[str, Any], has_prompt: bool) -> None:
    if not isinstance(body.get("input"), (str, list)) or not body["input"]:
        raise InvalidArgument("must be a string or a list, not empty", "input")
    _check_inputs(body["input"], "input")


def _check_inputs(given: Any, field: str) -> None:
    """A text, token ids, or a list of either."""
    if isinstance(given, list):
        items = cast("list[Any]", given)
        most = _MAX_TOKEN_IDS if items and isinstance(items[0], int) else _MAX_INPUTS
        _check_length(items, most, field)


def _check_length(given: list[Any], most: int, field: str) -> None:
    if len(given) > most:
        raise InvalidArgument(f"must not have more than {most} entries", field)


_CHECKS: dict[Operation, Callable[[Mapping[str, Any], bool], None]] = {
    Operation.CHAT: _check_chat,
    Operation.TEXT: _check_text,
    Operation.EMBEDDINGS: _check_embeddings,
}
