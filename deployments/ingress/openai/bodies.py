"""Requests for what is no text into `CompletionRequest`: bodies of JSON, and forms with files.

As everywhere, a body holds parameters of its operation and nothing else (`voyager_llm/domain/parameters.py`);
a form besides them the files that the operation has. Used by `further.py` and `files.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

from deployments.ingress.asgi import HttpRequest
from deployments.ingress.openai.decode import destination_in, read_object
from voyager_llm.domain.completion import CompletionRequest, Original
from voyager_llm.domain.form import Part, read_form, values_of, write_form
from voyager_llm.domain.operation import Operation
from voyager_llm.domain.parameters import PARAMETERS, check
from voyager_llm.errors import InvalidArgument

_MOST_INPUTS = 2048
_MOST_DOCUMENTS = 10_000
_MOST_FILES = 16

# The files of an operation's form: how many there may be of each, and whether there must be one.
FILES: Mapping[Operation, Mapping[str, tuple[int, bool]]] = {
    Operation.TRANSCRIPTIONS: {"file": (1, True)},
    Operation.TRANSLATIONS: {"file": (1, True)},
    Operation.IMAGE_EDITS: {"image": (_MOST_FILES, True), "mask": (1, False)},
    Operation.IMAGE_VARIATIONS: {"image": (1, True)},
    Operation.FILES: {"file": (1, True)},
}


def decode(request: HttpRequest, operation: Operation, named: str = "") -> CompletionRequest:
    """``named``: the destination that the path names, if it does. Raises `InvalidArgument`."""
    return (_form if operation in FILES else _json)(request, operation, named)


def _json(request: HttpRequest, operation: Operation, named: str) -> CompletionRequest:
    body = read_object(request.body)
    has_place = isinstance(body.get("model"), str)
    destination = destination_in(body, named)
    further = check(operation, body)
    _CHECKS[operation](body)
    original = Original(operation, request.body, body) if has_place else None
    stream = operation is Operation.SPEECH or bool(body.get("stream"))
    return CompletionRequest(operation, destination, body, further, stream=stream, original=original)


def _form(request: HttpRequest, operation: Operation, named: str) -> CompletionRequest:
    body, parts = form_of(request, operation)
    has_place = "model" in body
    destination = destination_in(body, named)
    further = check(operation, body)
    form = write_form(parts if has_place else (Part("model", b""), *parts))
    headers = (("content-type", form.content_type),)
    original = Original(operation, form.body, body, headers, model_at=form.model_at)
    return CompletionRequest(
        operation, destination, body, further, stream=bool(body.get("stream")), original=original
    )


def form_of(request: HttpRequest, operation: Operation) -> tuple[dict[str, Any], Sequence[Part]]:
    """What a form's fields say, and all its parts. Raises `InvalidArgument`."""
    parts = read_form(request.body, request.header(b"content-type"))
    fields = [part for part in parts if part.filename is None]
    _check_files([part for part in parts if part.filename is not None], FILES[operation])
    is_text = {name: parameter.is_text for name, parameter in PARAMETERS[operation].items()}
    return values_of(fields, {**is_text, "model": True, "target_model_names": True}), parts


def _check_files(files: Sequence[Part], known: Mapping[str, tuple[int, bool]]) -> None:
    counted = dict.fromkeys(known, 0)
    for part in files:
        name = part.name.removesuffix("[]")
        if name not in counted:
            raise InvalidArgument("is no file of this operation", "file" if len(name) > 64 else name)
        counted[name] += 1
        if not part.value:
            raise InvalidArgument("is empty", name)
    for name, (most, is_required) in known.items():
        if counted[name] > most:
            raise InvalidArgument(f"must not be more than {most} files", name)
        if is_required and not counted[name]:
            raise InvalidArgument("is required and must be a file", name)


def _given(name: str, most: int) -> Callable[[Mapping[str, Any]], None]:
    """Whether a field holds something, of a list not too much."""

    def check_given(body: Mapping[str, Any]) -> None:
        value = body.get(name)
        if not value:
            raise InvalidArgument("is required and must not be empty", name)
        if isinstance(value, list) and len(cast("list[Any]", value)) > most:
            raise InvalidArgument(f"must not have more than {most} entries", name)

    return check_given


def _check_ranking(body: Mapping[str, Any]) -> None:
    _given("query", 1)(body)
    _given("documents", _MOST_DOCUMENTS)(body)


_CHECKS: Mapping[Operation, Callable[[Mapping[str, Any]], None]] = {
    Operation.MODERATIONS: _given("input", _MOST_INPUTS),
    Operation.RERANK: _check_ranking,
    Operation.IMAGES: _given("prompt", 1),
    Operation.SPEECH: _given("input", 1),
}
