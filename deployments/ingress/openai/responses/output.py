"""What a model says, as output items that grow, and the events that tell each step. Used by `translated.py`.

Every item that is added is done before the response is, its parts before it, and what the deltas of a part
say one after the other is what its last event says.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from deployments.ingress.openai.responses.calls import FunctionCall
from deployments.ingress.openai.responses.thinking import OWN_REASONING, joined, seal

Event = dict[str, Any]


@dataclass(frozen=True, slots=True)
class _Kind:
    """Of a part: where it stands in which item, and what its events are called."""

    type: str
    item: str
    place: str
    text: str
    event: str
    part_event: str
    index: str


def _content(kind: str, item: str, text: str) -> _Kind:
    return _Kind(kind, item, "content", text, f"response.{kind}", "response.content_part", "content_index")


_TEXT = _content("output_text", "message", "text")
_REFUSAL = _Kind(
    "refusal", "message", "content", "refusal", "response.refusal", "response.content_part", "content_index"
)
_REASONING = _content("reasoning_text", "reasoning", "text")
_SUMMARY = _Kind(
    "summary_text", "reasoning", "summary", "text", "response.reasoning_summary_text",
    "response.reasoning_summary_part", "summary_index",
)  # fmt: skip


@dataclass(slots=True)
class _Part:
    """A part that is being written."""

    kind: _Kind
    index: int
    pieces: list[str] = field(default_factory=list[str])
    logprobs: list[Any] = field(default_factory=list[Any])
    annotations: list[Any] = field(default_factory=list[Any])

    @property
    def text(self) -> str:
        return "".join(self.pieces)

    def value(self) -> Event:
        value: Event = {"type": self.kind.type, self.kind.text: self.text}
        if self.kind is _TEXT:
            value |= {"annotations": [*self.annotations], "logprobs": [*self.logprobs]}
        return value


@dataclass(slots=True)
class _Written:
    """A message, or reasoning, that is being written."""

    item: Event
    place: Event
    part: _Part | None = None
    blocks: list[Any] = field(default_factory=list[Any])


class Output:
    """``custom``: names of tools whose calls are those of custom tools. ``summarised``: reasoning is told as
    a summary of it."""

    def __init__(self, custom: frozenset[str], *, summarised: bool) -> None:
        self._custom = custom
        self._reasoning = _SUMMARY if summarised else _REASONING
        self._written: _Written | None = None
        # By their index in the chat's stream.
        self._calls: dict[int, FunctionCall] = {}
        # In order; all of them are whole at the end.
        self.items: list[Event] = []

    def text(self, delta: str, logprobs: Sequence[Any] = ()) -> Iterator[Event]:
        yield from self._write(_TEXT, delta, logprobs)

    def refusal(self, delta: str) -> Iterator[Event]:
        yield from self._write(_REFUSAL, delta)

    def reasoning(self, delta: str) -> Iterator[Event]:
        yield from self._write(self._reasoning, delta)

    def thinking(self, blocks: Sequence[Any]) -> Iterator[Event]:
        """What a provider wants to have back with the reasoning: it is carried, and not shown."""
        if self._written is None or self._written.item["type"] != "reasoning":
            yield from self._begin("reasoning")
        if self._written is not None:
            self._written.blocks += blocks

    def annotation(self, annotation: Mapping[str, Any]) -> Iterator[Event]:
        """Of the text so far."""
        yield from self._write(_TEXT, "")
        written = self._written
        if written is None or written.part is None:
            return
        part = written.part
        part.annotations.append(annotation)
        yield {
            "type": "response.output_text.annotation.added", **written.place, "content_index": part.index,
            "annotation_index": len(part.annotations) - 1, "annotation": annotation,
        }  # fmt: skip

    def call(self, index: int, call_id: str, name: str, arguments: str) -> Iterator[Event]:
        """A piece of the call with an index; another id at the same index is another call."""
        call = self._calls.get(index)
        if call is not None and call_id and call.call_id and call_id != call.call_id:
            yield from self._end_call(index, "completed")
            call = None
        if call is None:
            yield from self._end_written("completed")
            call = self._calls[index] = FunctionCall(call_id)
        if name and not call.has_begun:
            yield from self._begin_call(call, name)
        yield from call.take(arguments)

    def picture(self, base64: str) -> Iterator[Event]:
        """A whole picture, as if a tool had made it."""
        yield from self._end_written("completed")
        item = {"id": f"ig_{uuid4().hex}", "type": "image_generation_call", "result": None}
        yield self._add({**item, "status": "in_progress"})
        yield self._done(len(self.items) - 1, {**item, "result": base64, "status": "completed"})

    def end(self, status: str) -> Iterator[Event]:
        """Whatever is still being written is over, and is ``status``."""
        yield from self._end_written(status)
        for index in list(self._calls):
            yield from self._end_call(index, status)

    def _write(self, kind: _Kind, delta: str, logprobs: Sequence[Any] = ()) -> Iterator[Event]:
        if self._written is None or self._written.item["type"] != kind.item:
            yield from self._begin(kind.item)
        written = self._written
        if written is None:
            return
        if written.part is None or written.part.kind is not kind:
            yield from self._end_part()
            written.part = _Part(kind, len(written.item[kind.place]))
            yield self._told(f"{kind.part_event}.added", part=written.part.value())
        if not delta:
            return
        written.part.pieces.append(delta)
        written.part.logprobs += logprobs
        further = {"logprobs": [*logprobs]} if kind is _TEXT else {}
        yield self._told(f"{kind.event}.delta", delta=delta, **further)

    def _begin(self, kind: str) -> Iterator[Event]:
        yield from self._end_written("completed")
        if kind == "message":
            item: Event = {"id": f"msg_{uuid4().hex}", "role": "assistant", "content": []}
        else:
            item = {"id": f"{OWN_REASONING}{uuid4().hex}", "summary": [], "content": []}
        item = {"type": kind, "status": "in_progress", **item}
        place = {"item_id": item["id"], "output_index": len(self.items)}
        self._written = _Written(item, place)
        yield self._add(_copy(item))

    def _end_part(self) -> Iterator[Event]:
        written = self._written
        if written is None or written.part is None:
            return
        part, kind = written.part, written.part.kind
        further = {"logprobs": [*part.logprobs]} if kind is _TEXT else {}
        yield self._told(f"{kind.event}.done", **{kind.text: part.text}, **further)
        yield self._told(f"{kind.part_event}.done", part=part.value())
        written.item[kind.place].append(part.value())
        written.part = None

    def _end_written(self, status: str) -> Iterator[Event]:
        yield from self._end_part()
        written, self._written = self._written, None
        if written is None:
            return
        if written.blocks:
            written.item["encrypted_content"] = seal(joined(written.blocks))
        written.item["status"] = status
        yield self._done(written.place["output_index"], _copy(written.item))

    def _end_call(self, index: int, status: str) -> Iterator[Event]:
        call = self._calls.pop(index)
        if not call.has_begun:
            yield from self._begin_call(call, "")
        yield from call.end()
        yield self._done(call.output_index, call.item(status))

    def _begin_call(self, call: FunctionCall, name: str) -> Iterator[Event]:
        self.items.append({})  # its place, until it is done
        yield from call.begin(name, len(self.items) - 1, is_custom=name in self._custom)

    def _told(self, event: str, **what: Any) -> Event:
        """An event of the part that is being written."""
        written = self._written
        if written is None or written.part is None:
            raise RuntimeError("no part is being written")
        return {"type": event, **written.place, written.part.kind.index: written.part.index, **what}

    def _add(self, item: Event) -> Event:
        self.items.append(item)
        return {"type": "response.output_item.added", "output_index": len(self.items) - 1, "item": item}

    def _done(self, index: int, item: Event) -> Event:
        self.items[index] = item
        return {"type": "response.output_item.done", "output_index": index, "item": item}


def _copy(item: Event) -> Event:
    """Its parts may grow in number, and do not change."""
    return {name: [*value] if isinstance(value, list) else value for name, value in item.items()}
