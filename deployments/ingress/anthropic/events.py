"""A chat's stream as the events of Anthropic's. Used by `anthropic/api.py`.

Blocks come one after the other: each is opened, told and closed before the next one begins, which is all that
clients expect, whatever order a provider sends its pieces in.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from typing import Any

from deployments.ingress.anthropic.message import call_id, head, spoken, stop, thoughts
from deployments.ingress.chat_events import chunks, first_choice, objects, part, text
from deployments.lanes.lenient import dumps, loads
from voyager_llm.domain.usage import NOTHING_USED, Usage
from voyager_llm.domain.usage_reports import as_anthropic
from voyager_llm.errors import UpstreamInvalid

Block = dict[str, Any]


class MessageEvents:
    """Follows one stream. `take` every block of it, then `end`."""

    __slots__ = (
        "_by_index", "_calls", "_choice", "_has_begun", "_has_called", "_index", "_is_refused", "_kind",
        "_model",
    )  # fmt: skip

    def __init__(self, model: str) -> None:
        """``model``: what answers, where the provider does not say."""
        self._model = model
        self._has_begun = False
        # Of the next block, and the type of the open one; empty: none is.
        self._index = 0
        self._kind = ""
        # Calls that are not told to their end, and each by the provider's index of its pieces.
        self._calls: deque[_Call] = deque()
        self._by_index: dict[int, _Call] = {}
        # What `stop` is told.
        self._choice: Mapping[str, Any] = {}
        self._has_called = False
        self._is_refused = False

    def take(self, block: bytes) -> bytes:
        """The events of a block. Raises `UpstreamInvalid` for one that cannot be read."""
        return b"".join(event for chunk in chunks(block) for event in self._chunk(chunk))

    def end(self, usage: Usage) -> bytes:
        """The last events."""
        return b"".join(self._end(usage))

    def _chunk(self, chunk: Mapping[str, Any]) -> Iterator[bytes]:
        yield from self._begin(text(chunk, "model") or self._model)
        choice = first_choice(chunk)
        said = part(choice, "delta")
        for thought in thoughts(said):
            yield from self._think(thought)
        if content := spoken(said):
            yield from self._go_on("text", {"type": "text", "text": ""})
            yield self._delta({"type": "text_delta", "text": content})
        for piece in objects(said, "tool_calls"):
            yield from self._call(piece)
        if text(said, "refusal"):
            self._is_refused = True
        if text(choice, "finish_reason"):
            self._choice = choice

    def _begin(self, model: str) -> Iterator[bytes]:
        if self._has_begun:
            return
        self._has_begun = True
        start = {
            **head(model), "content": [], "stop_reason": None, "stop_sequence": None,
            # What is known at the end alone.
            "usage": as_anthropic(NOTHING_USED),
        }  # fmt: skip
        yield event("message_start", message=start)
        yield event("ping")

    def _end(self, usage: Usage) -> Iterator[bytes]:
        yield from self._begin(self._model)
        yield from self._finish_calls()
        yield from self._close()
        ending = stop(self._choice, has_called=self._has_called, is_refused=self._is_refused)
        yield event("message_delta", delta=ending, usage=as_anthropic(usage))
        yield event("message_stop")

    def _think(self, thought: Block) -> Iterator[bytes]:
        if thought["type"] == "redacted_thinking":
            yield from self._finish_calls()
            yield from self._open(thought)
            yield from self._close()
            return
        yield from self._go_on("thinking", {"type": "thinking", "thinking": "", "signature": ""})
        if thought["thinking"]:
            yield self._delta({"type": "thinking_delta", "thinking": thought["thinking"]})
        if thought["signature"]:
            yield self._delta({"type": "signature_delta", "signature": thought["signature"]})
            yield from self._close()  # nothing of a thought comes after it

    def _call(self, piece: Mapping[str, Any]) -> Iterator[bytes]:
        """A piece of a call. A new id begins a new one, also under the index of another."""
        index = piece.get("index")
        number = index if isinstance(index, int) else 0
        function, identity = part(piece, "function"), text(piece, "id")
        call = self._by_index.get(number)
        if call is None or (identity and identity != call.id):
            call = self._by_index[number] = _Call(call_id(identity), text(function, "name"))
            self._calls.append(call)
            self._has_called = True
        call.write(function.get("arguments"))
        yield from self._tell_calls()

    def _tell_calls(self, *, is_last: bool = False) -> Iterator[bytes]:
        """Tell the first call as far as it is known, and the next one once nothing more of it can come."""
        while self._calls:
            call = self._calls[0]
            if not call.is_open:
                call.is_open = True
                yield from self._open({"type": "tool_use", "id": call.id, "name": call.name, "input": {}})
            if news := call.news():
                yield self._delta({"type": "input_json_delta", "partial_json": news})
            if not is_last and (len(self._calls) == 1 or not call.is_complete):
                return
            self._calls.popleft().is_over = True
            yield from self._close()

    def _finish_calls(self) -> Iterator[bytes]:
        return self._tell_calls(is_last=True)

    def _go_on(self, kind: str, block: Block) -> Iterator[bytes]:
        """Open a block of this type unless one is open."""
        if self._kind != kind:
            yield from self._finish_calls()
            yield from self._open(block)

    def _open(self, block: Block) -> Iterator[bytes]:
        yield from self._close()
        self._kind = block["type"]
        yield event("content_block_start", index=self._index, content_block=block)

    def _delta(self, delta: Block) -> bytes:
        return event("content_block_delta", index=self._index, delta=delta)

    def _close(self) -> Iterator[bytes]:
        if self._kind:
            yield event("content_block_stop", index=self._index)
            self._kind = ""
            self._index += 1


class _Call:
    """The call of a tool, written piece by piece."""

    __slots__ = ("_told", "_written", "id", "is_open", "is_over", "name")

    def __init__(self, identity: str, name: str) -> None:
        self.id = identity
        self.name = name
        self.is_open = False
        self.is_over = False
        self._written = ""
        # Characters of it that are told.
        self._told = 0

    def write(self, arguments: Any) -> None:
        """Arguments come in pieces of text; some give the object itself. Raises `UpstreamInvalid`."""
        piece = dumps(arguments).decode() if isinstance(arguments, dict) else arguments or ""
        if not isinstance(piece, str):
            raise UpstreamInvalid(f"the arguments of a call of {self.name[:60]!r} cannot be read")
        if self.is_over and piece.strip():
            raise UpstreamInvalid(f"a piece of a call of {self.name[:60]!r} came after its end")
        self._written += piece

    def news(self) -> str:
        """What is not told yet, which now is."""
        found, self._told = self._written[self._told :], len(self._written)
        return found

    @property
    def is_complete(self) -> bool:
        """Whether the arguments are whole. None at all may still come."""
        if not self._written.rstrip().endswith("}"):
            return False
        try:
            loads(self._written.encode("utf-8", "surrogatepass"))
        except ValueError:
            return False
        return True


def event(kind: str, **fields: Any) -> bytes:
    """An event under the name that Anthropic gives it: its own type."""
    return b"event: " + kind.encode() + b"\ndata: " + dumps({"type": kind, **fields}) + b"\n\n"
