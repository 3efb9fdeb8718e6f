"""Blocks of a message's content in Anthropic's words as parts of a chat's message. Used by `turns.py`.

Pictures and documents come within the request or by an address that the provider fetches; nothing is fetched
here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from deployments.ingress.anthropic.obstacles import Obstacles, inner, objects, optional, text

Block = Mapping[str, Any]
Part = dict[str, Any]


def parts(content: Any, field: str, obstacles: Obstacles) -> Iterator[Part]:
    """The parts of a string or of a list of blocks, without those that say nothing. What a chat has no part
    for is noted. Raises `InvalidArgument` for what is no content."""
    if isinstance(content, str):
        if content:
            yield {"type": "text", "text": content}
        return
    for i, block in enumerate(objects(content, field)):
        yield from block_parts(block, f"{field}.{i}", obstacles)


def block_parts(block: Block, field: str, obstacles: Obstacles) -> Iterator[Part]:
    """As `parts`, of one block."""
    kind = text(block, "type", field)
    reader = _READERS.get(kind)
    if reader is None:
        obstacles.note(f"{field}.type", f"this model has no blocks of type {kind[:60]!r}")
        return
    if optional(block, "citations", field).get("enabled"):
        obstacles.note(f"{field}.citations", "this model does not cite; leave it out")
    made = list(reader(block, field, obstacles))
    if made:
        made[-1] |= cache_mark(block, field)
    yield from made


def cache_mark(value: Block, field: str) -> dict[str, Any]:
    """Where a provider's cache is to end, as a chat says it; empty: not here. Raises `InvalidArgument`."""
    mark = optional(value, "cache_control", field)
    return {"cache_control": mark} if mark else {}


def _text(block: Block, field: str, _: Obstacles) -> Iterator[Part]:
    if said := text(block, "text", field):
        yield {"type": "text", "text": said}


def _image(block: Block, field: str, obstacles: Obstacles) -> Iterator[Part]:
    source = inner(block, "source", field)
    if url := _address(source, f"{field}.source", obstacles):
        yield {"type": "image_url", "image_url": {"url": url}}


def _document(block: Block, field: str, obstacles: Obstacles) -> Iterator[Part]:
    source, at = inner(block, "source", field), f"{field}.source"
    title, context = (_word(block.get(name)) for name in ("title", "context"))
    kind = source.get("type")
    if kind == "text":
        yield _paragraphs(title, context, text(source, "data", at))
        return
    if title or context:
        yield _paragraphs(title, context)
    if kind == "content":
        yield from parts(source.get("content"), f"{at}.content", obstacles)
    elif kind == "url":
        yield {"type": "file", "file": {"file_id": text(source, "url", at)}}
    elif url := _address(source, at, obstacles):
        yield {"type": "file", "file": {"filename": title or "document.pdf", "file_data": url}}


def _search_result(block: Block, field: str, obstacles: Obstacles) -> Iterator[Part]:
    found = parts(block.get("content"), f"{field}.content", obstacles)
    said = [part["text"] for part in found if part["type"] == "text"]
    yield _paragraphs(text(block, "title", field), text(block, "source", field), *said)


def _address(source: Mapping[str, Any], field: str, obstacles: Obstacles) -> str:
    """A source as a URL that holds it or stands for it; empty: it cannot be one."""
    kind = text(source, "type", field)
    if kind == "url":
        return text(source, "url", field)
    if kind == "base64":
        return f"data:{text(source, 'media_type', field)};base64,{text(source, 'data', field)}"
    obstacles.note(f"{field}.type", f"this model has no sources of type {kind[:60]!r}; give base64 or url")
    return ""


def _word(given: Any) -> str:
    return given if isinstance(given, str) else ""


def _paragraphs(*texts: str) -> Part:
    return {"type": "text", "text": "\n\n".join(given for given in texts if given)}


_READERS: Mapping[str, Callable[[Block, str, Obstacles], Iterator[Part]]] = {
    "text": _text,
    "image": _image,
    "document": _document,
    "search_result": _search_result,
}
