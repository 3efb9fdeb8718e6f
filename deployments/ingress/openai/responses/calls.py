"""A model's call of a function, or of a custom tool, as it grows. Used by `output.py`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast
from uuid import uuid4

from deployments.ingress.openai.responses.items import CUSTOM_INPUT
from deployments.lanes.lenient import loads

Event = dict[str, Any]

_ARGUMENTS = "response.function_call_arguments"
_INPUT = "response.custom_tool_call_input"


class FunctionCall:
    """One call. What comes before its name waits for it."""

    def __init__(self, call_id: str) -> None:
        self.call_id = call_id
        self.output_index = 0
        self._id = ""
        self._name = ""
        self._is_custom = False
        self._pieces: list[str] = []

    @property
    def has_begun(self) -> bool:
        return bool(self._id)

    def begin(self, name: str, output_index: int, *, is_custom: bool) -> Iterator[Event]:
        self._name = name
        self._is_custom = is_custom
        self._id = f"{'ctc' if is_custom else 'fc'}_{uuid4().hex}"
        self.call_id = self.call_id or f"call_{uuid4().hex}"
        self.output_index = output_index
        item = self._item("in_progress", "")
        yield {"type": "response.output_item.added", "output_index": output_index, "item": item}
        if self._pieces and not is_custom:
            yield self._told(f"{_ARGUMENTS}.delta", delta="".join(self._pieces))

    def take(self, arguments: str) -> Iterator[Event]:
        """A piece of its arguments. A custom tool's text is in them, and told when it is whole."""
        if not arguments:
            return
        self._pieces.append(arguments)
        if self.has_begun and not self._is_custom:
            yield self._told(f"{_ARGUMENTS}.delta", delta=arguments)

    def end(self) -> Iterator[Event]:
        """All that ends it but the event of the whole item."""
        if self._is_custom:
            text = self._text
            if text:
                yield self._told(f"{_INPUT}.delta", delta=text)
            yield self._told(f"{_INPUT}.done", input=text)
            return
        if not self._pieces:
            # Some models write nothing where a function takes nothing, and clients parse it.
            yield from self.take("{}")
        yield self._told(f"{_ARGUMENTS}.done", name=self._name, arguments=self._text)

    def item(self, status: str) -> Event:
        return self._item(status, self._text)

    @property
    def _text(self) -> str:
        written = "".join(self._pieces)
        return _input_of(written) if self._is_custom else written

    def _told(self, kind: str, **what: Any) -> Event:
        return {"type": kind, "item_id": self._id, "output_index": self.output_index, **what}

    def _item(self, status: str, text: str) -> Event:
        named = {"id": self._id, "call_id": self.call_id, "name": self._name}
        if self._is_custom:
            return {"type": "custom_tool_call", **named, "input": text}
        return {"type": "function_call", "status": status, **named, "arguments": text}


def _input_of(arguments: str) -> str:
    """The one text that a custom tool's function takes; all of it, where the model wrote something else."""
    try:
        document: Any = loads(arguments.encode("utf-8", "surrogatepass"))
    except ValueError:
        return arguments
    given = cast("Event", document).get(CUSTOM_INPUT) if isinstance(document, dict) else None
    return given if isinstance(given, str) else arguments
