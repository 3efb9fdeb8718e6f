"""The chunks of a chat's stream, for codecs that answer in the words of another API than OpenAI's.

An exchange gives blocks of whole server-sent events, each with one chunk. Used by `anthropic/` and by whoever
else tells a chat's stream in other words.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, cast

from deployments.lanes.lenient import loads
from voyager_llm.errors import UpstreamInvalid

_DATA = b"data:"


def chunks(block: bytes) -> Iterator[dict[str, Any]]:
    """The chunks of a block. Raises `UpstreamInvalid` for what is none."""
    for event in block.split(b"\n\n"):
        if event:
            yield chunk_of(event.removeprefix(_DATA))


def chunk_of(payload: bytes) -> dict[str, Any]:
    """A chunk, or a whole answer. Raises `UpstreamInvalid` for what is no JSON object."""
    try:
        document: object = loads(payload)
    except ValueError:
        document = None
    if not isinstance(document, dict):
        raise UpstreamInvalid("the provider sent an answer that cannot be read")
    return cast("dict[str, Any]", document)


def first_choice(document: Mapping[str, Any]) -> Mapping[str, Any]:
    """The first choice of an answer or a chunk; empty where it has none, as the last chunk, with usage."""
    choices: Any = document.get("choices")
    found = cast("list[Any]", choices) if isinstance(choices, list) else []
    for choice in found:
        if isinstance(choice, dict) and not cast("dict[str, Any]", choice).get("index"):
            return cast("Mapping[str, Any]", choice)
    return {}


def part(value: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """The object under a name; empty where there is none."""
    found = value.get(name)
    return cast("Mapping[str, Any]", found) if isinstance(found, dict) else {}


def objects(value: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    """The objects of the list under a name; none where there is no list."""
    found: Any = value.get(name)
    items = cast("list[Any]", found) if isinstance(found, list) else []
    return [cast("Mapping[str, Any]", item) for item in items if isinstance(item, dict)]


def text(value: Mapping[str, Any], name: str) -> str:
    """The text under a name; empty where it is none."""
    found = value.get(name)
    return found if isinstance(found, str) else ""
