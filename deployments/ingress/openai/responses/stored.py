"""Responses that are kept, as the API shows them. Used by `api.py`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any, cast
from urllib.parse import parse_qs

import orjson

from deployments.ingress.openai.responses.items import Item, kind_of
from deployments.lanes.lenient import loads
from voyager_llm.domain.stored_responses import StoredResponse
from voyager_llm.errors import InvalidArgument

_PAGE, _LARGEST_PAGE = 20, 100
_PREFIXES = {"message": "msg", "function_call": "fc", "function_call_output": "fco", "reasoning": "rs"}
_ORDERS = frozenset({"asc", "desc"})


def conversation(response: StoredResponse) -> list[Item]:
    """All that was said in it, the response last."""
    return _items([*response.input, response.output])


def _items(lists: Sequence[bytes]) -> list[Item]:
    return [*chain.from_iterable(cast("list[Item]", loads(items)) for items in lists)]


def check_retrieval(query: str) -> None:
    """Raises `InvalidArgument` for a response that is to be told in another form."""
    for name, values in parse_qs(query, keep_blank_values=True).items():
        if name == "stream" and values[-1] == "false":
            continue
        raise InvalidArgument("is not for responses that are kept: they are shown whole", name[:64])


def page(response: StoredResponse, query: str) -> bytes:
    """A page of the items that a response answers. Raises `InvalidArgument`."""
    asked = {name: values[-1] for name, values in parse_qs(query, keep_blank_values=True).items()}
    order, after, limit = asked.get("order", "desc"), asked.get("after", ""), _limit(asked.get("limit"))
    if order not in _ORDERS:
        raise InvalidArgument("must be asc or desc", "order")
    items = [_shown(item, response.id, i) for i, item in enumerate(_items(response.input))]
    if order == "desc":
        items.reverse()
    if after:
        places = [i for i, item in enumerate(items) if item["id"] == after]
        if not places:
            raise InvalidArgument("must be the id of an item of this response", "after")
        items = items[places[0] + 1 :]
    shown = items[:limit]
    return orjson.dumps(
        {
            "object": "list",
            "data": shown,
            "first_id": shown[0]["id"] if shown else None,
            "last_id": shown[-1]["id"] if shown else None,
            "has_more": len(items) > len(shown),
        }
    )


def _limit(given: str | None) -> int:
    if given is None:
        return _PAGE
    if not (given.isascii() and given.isdigit()) or not 1 <= int(given[:9]) <= _LARGEST_PAGE:
        raise InvalidArgument(f"must be from 1 to {_LARGEST_PAGE}", "limit")
    return int(given)


def _shown(item: Item, response: str, place: int) -> dict[str, Any]:
    """An item with all that OpenAI's have; an id that its client did not give is made of its place."""
    kind = kind_of(item)
    prefix = _PREFIXES.get(kind, "item")
    shown = {"id": f"{prefix}_{response.removeprefix('resp_')}{place:04x}", "type": kind, **item}
    if kind == "message":
        shown = {"status": "completed", **shown, "content": _parts(item)}
    elif kind == "reasoning":
        shown = {"summary": [], **shown}
    return shown


def _parts(message: Mapping[str, Any]) -> Any:
    content = message.get("content")
    if not isinstance(content, str):
        return content
    if message.get("role") == "assistant":
        return [{"type": "output_text", "text": content, "annotations": []}]
    return [{"type": "input_text", "text": content}]
