"""The lines of a batch's input: each a request, checked as if it had come alone. Used by `files.py`."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, cast

import orjson

from deployments.ingress.openai.decode import read_object
from voyager_llm.domain.operation import Operation
from voyager_llm.domain.parameters import check, unknown
from voyager_llm.domain.splice import spliced
from voyager_llm.errors import InvalidArgument
from voyager_llm.snapshot import CompiledModel

# OpenAI's own limit.
_MOST_LINES = 50_000
# After so many lines others have a turn.
_LINES_A_TURN = 100
# What a batch may be of.
URLS: Mapping[str, Operation] = {
    f"/v1{operation}": operation
    for operation in (
        Operation.CHAT, Operation.TEXT, Operation.EMBEDDINGS, Operation.RESPONSES, Operation.MODERATIONS,
    )
}  # fmt: skip
_MEMBERS = frozenset({"custom_id", "method", "url", "body"})


async def rewritten(content: bytes, model: CompiledModel) -> bytes:
    """The lines with the provider's name of the model instead of ours, and else as they came.

    Raises `InvalidArgument` that names the line."""
    lines = content.splitlines()
    if len(lines) > _MOST_LINES:
        raise InvalidArgument(f"must not have more than {_MOST_LINES} lines", "file")
    written: list[bytes] = []
    for number, line in enumerate(lines, 1):
        if number % _LINES_A_TURN == 0:
            await asyncio.sleep(0)
        if line.strip():
            try:
                written.append(_line(line, model))
            except InvalidArgument as error:
                raise InvalidArgument(f"line {number}: {error}", "file") from None
    if not written:
        raise InvalidArgument("holds no request", "file")
    return b"\n".join(written) + b"\n"


def _line(line: bytes, model: CompiledModel) -> bytes:
    request = read_object(line)
    if request.keys() != _MEMBERS:
        raise InvalidArgument(f"must be an object of {', '.join(sorted(_MEMBERS))}")
    url, body = request["url"], request["body"]
    names = (model.name, *model.definition.aliases)
    operation = URLS.get(url) if isinstance(url, str) else None
    if operation is None or request["method"] != "POST":
        raise InvalidArgument(f"must be a POST to one of {', '.join(URLS)}", "url")
    if not isinstance(body, dict) or cast("dict[str, Any]", body).get("model") not in names:
        raise InvalidArgument(f"must name the model that the file is for, {model.name}", "body.model")
    given = {name: value for name, value in cast("dict[str, Any]", body).items() if name != "model"}
    further = check(operation, given)
    if not model.takes(further):
        raise unknown(operation, min(further - model.allowed))
    name = model.endpoints[0].model_name
    changed = spliced(line, name, {})
    return changed if changed is not None else orjson.dumps({**request, "body": {**given, "model": name}})
