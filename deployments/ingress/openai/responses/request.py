"""A request of the Responses API into `CompletionRequest`: its client's words, and a chat that says the same.

`read` takes the body apart; with what went before in its conversation, `completion_request` makes of it what
the pipeline is asked. Used by `api.py`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from deployments.ingress.openai.decode import named_in, read_object
from deployments.ingress.openai.responses.chat import translated
from deployments.ingress.openai.responses.items import Item, Items, for_providers, items_of
from voyager_llm.domain.completion import CompletionRequest, Original, PromptCall
from voyager_llm.domain.operation import Operation
from voyager_llm.domain.parameters import check
from voyager_llm.domain.splice import spliced
from voyager_llm.errors import InvalidArgument

# Where tokens are counted, and no model is asked.
_ANY = "any"
_MAX_TOOLS = 512
# Neither is kept, nor done later: for each, what to do instead.
_INSTEAD = {
    "background": "answers are given while the client waits; leave it out, and stream long ones",
    "conversation": "conversations are kept by their last response; give previous_response_id",
}


@dataclass(frozen=True, slots=True)
class Asked:
    """A request as its client wrote it, checked."""

    body: bytes
    # Without ``model``, and without the variables of a stored prompt.
    document: Mapping[str, Any]
    destination: str
    prompt: PromptCall | None
    further: frozenset[str]
    # What it adds to the conversation.
    items: Sequence[Item]
    # Of the response that it goes on from; empty: of none.
    previous: str
    stream: bool
    # Whether its response is to be kept.
    store: bool


def read(body: bytes, *, counted: bool = False) -> Asked:
    """``counted``: its tokens are asked for, and no answer, so it need not name a model. Raises
    `InvalidArgument` naming the field."""
    document = read_object(body)
    _check_depth(document)
    needs_none = counted and document.get("model") is None
    destination, prompt = named_in(document, _ANY if needs_none else "")
    further = check(Operation.RESPONSES, document)
    for name, instead in _INSTEAD.items():
        if document.get(name):
            raise InvalidArgument(instead, name)
    if len(document.get("tools") or ()) > _MAX_TOOLS:
        raise InvalidArgument(f"must not have more than {_MAX_TOOLS} entries", "tools")
    given = document.get("input")
    if not given and not (prompt or document.get("prompt") or document.get("previous_response_id")):
        raise InvalidArgument("must be a string or a list of items, not empty", "input")
    return Asked(
        body=body,
        document=document,
        destination=destination,
        prompt=prompt,
        further=further,
        items=items_of(given),
        previous=document.get("previous_response_id") or "",
        stream=bool(document.get("stream")),
        store=document.get("store") is not False,
    )


def _check_depth(document: Mapping[str, Any]) -> None:
    """What can be read is not always what can be written again. Raises `InvalidArgument`."""
    try:
        orjson.dumps(document)
    except (orjson.JSONEncodeError, TypeError):
        raise InvalidArgument("the body is nested too deeply", "body") from None


def completion_request(asked: Asked, history: Sequence[Item]) -> CompletionRequest:
    """``history``: the items of the conversation so far. Raises `InvalidArgument` for what a stored prompt
    cannot be asked with."""
    items = Items(history, asked.items, in_text=isinstance(asked.document.get("input"), str))
    obstacle: InvalidArgument | None = None
    try:
        body = translated(asked.document, items, asked.further)
        if not body["messages"] and asked.prompt is None:
            raise InvalidArgument("must say something", "input")
    except InvalidArgument as error:
        if asked.prompt is not None:
            raise
        obstacle = error
        # What is estimated of it: its tokens.
        body = {"input": [*items], "max_tokens": asked.document.get("max_output_tokens")}
    return CompletionRequest(
        operation=Operation.CHAT,
        destination=asked.destination,
        body=body,
        further=asked.further,
        prompt=asked.prompt,
        stream=asked.stream,
        original=_original(asked, items) if asked.prompt is None else None,
        is_translated=True,
        obstacle=lambda: obstacle,
    )


def _original(asked: Asked, items: Items) -> Original:
    """What a provider that speaks the API is sent: the client's own bytes where they say it all.

    It keeps nothing, and gets the whole conversation: so any model can go on from any other's response
    (`docs/decisions/0025-stored-responses.md`)."""
    readable = for_providers(items)
    says_all = not asked.previous and len(readable) == len(asked.items)
    if says_all and not asked.store:
        return Original(Operation.RESPONSES, asked.body, asked.document)
    document = {name: value for name, value in asked.document.items() if name != "previous_response_id"}
    document["store"] = False
    body: bytes | None = None
    if not says_all:
        document["input"] = readable
    elif "store" not in asked.document:
        body = spliced(asked.body, asked.destination, {"store": False})
    return Original(
        Operation.RESPONSES, body or orjson.dumps({"model": asked.destination, **document}), document
    )
