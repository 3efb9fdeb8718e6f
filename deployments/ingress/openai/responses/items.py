"""Items of the Responses API: what a request's input is made of, and as messages of a chat.

What a chat has no words for is refused by name, and goes only to models that speak the API themselves. Used
by `request.py` and `chat.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, cast

import orjson

from deployments.ingress.openai.responses.thinking import is_own, unseal
from voyager_llm.errors import InvalidArgument

Item = Mapping[str, Any]

_MAX_ITEMS = 4096
_MAX_PARTS = 1024
# The name under which a function takes what a custom tool is called with.
CUSTOM_INPUT = "input"


class Items(Sequence[Item]):
    """A conversation's items: those so far, then those of the request, whose places errors name."""

    def __init__(self, history: Sequence[Item], added: Sequence[Item], *, in_text: bool) -> None:
        self._all = [*history, *added]
        self._before = len(history)
        self._in_text = in_text

    def __getitem__(self, index: Any) -> Any:
        return self._all[index]

    def __len__(self) -> int:
        return len(self._all)

    def field(self, index: int) -> str:
        """The client's name for the item at a place."""
        if index < self._before:
            return "previous_response_id"
        return "input" if self._in_text else f"input.{index - self._before}"


def items_of(given: Any) -> list[Item]:
    """What a request gives as input. Raises `InvalidArgument`."""
    if not given:
        return []
    if isinstance(given, str):
        return [{"type": "message", "role": "user", "content": given}]
    if len(given) > _MAX_ITEMS:
        raise InvalidArgument(f"must not have more than {_MAX_ITEMS} entries", "input")
    for i, item in enumerate(given):
        if not isinstance(item, dict):
            raise InvalidArgument("must be an object", f"input.{i}")
        kind = kind_of(cast("Item", item))
        if kind == "item_reference":
            raise InvalidArgument(
                "items are kept as part of their response; give previous_response_id, or the item itself",
                f"input.{i}",
            )
    return given


def kind_of(item: Item) -> str:
    """A message may leave its type out, and so may a reference."""
    kind = item.get("type")
    if kind is None:
        kind = "message" if "role" in item else "item_reference"
    return kind if isinstance(kind, str) else ""


def for_providers(items: Sequence[Item]) -> list[Item]:
    """Those that a provider can read which keeps nothing: not reasoning that only its writer keeps, nor any
    that came from a chat."""
    return [item for item in items if kind_of(item) != "reasoning" or _is_carried(item)]


def _is_carried(item: Item) -> bool:
    return bool(item.get("encrypted_content")) and not is_own(item)


def messages_of(items: Items) -> list[dict[str, Any]]:
    """The messages that say the same. Raises `InvalidArgument` naming the field of what a chat cannot say."""
    messages = _Messages()
    for i, item in enumerate(items):
        kind, field = kind_of(item), items.field(i)
        take = _TAKEN.get(kind)
        if take is None:
            raise only_native(f"items of type {kind[:64]}", field)
        if item.get("namespace"):
            raise only_native("namespaces", f"{field}.namespace")
        take(messages, item, field)
    return messages.all


class _Messages:
    """Grows by one item after the other. What a model said in one turn is one message."""

    def __init__(self) -> None:
        self.all: list[dict[str, Any]] = []

    def message(self, item: Item, field: str) -> None:
        role = _text(item.get("role"), f"{field}.role")
        content = _content(item.get("content"), f"{field}.content")
        if role == "assistant":
            self._answer(content)
        elif role in ("user", "system", "developer"):
            self.all.append({"role": role, "content": content})
        else:
            raise InvalidArgument("must be user, assistant, system or developer", f"{field}.role")

    def _answer(self, content: str | list[dict[str, Any]]) -> None:
        """Calls and their outputs must follow each other, so what was said after a call stands before it."""
        turn = self._turn()
        if turn["content"] is None:
            turn["content"] = content
        elif turn.get("tool_calls"):
            turn["content"] = [*_parts(turn["content"]), *_parts(content)]
        else:
            self.all.append({"role": "assistant", "content": content})

    def reasoning(self, item: Item, field: str) -> None:
        told = item.get("content") or item.get("summary") or []
        if not isinstance(told, list):
            raise InvalidArgument("must be a list of parts", f"{field}.content")
        parts = [cast("Item", part) for part in cast("list[Any]", told) if isinstance(part, dict)]
        text = "\n\n".join(_text(part.get("text"), f"{field}.content") for part in parts)
        blocks = unseal(item)
        if not text and not blocks:
            return  # nobody but its writer can read it
        turn = self._turn()
        if turn["content"] is not None or turn.get("tool_calls"):
            turn = self._begin()
        if text:
            before = turn.get("reasoning_content")
            turn["reasoning_content"] = f"{before}\n\n{text}" if before else text
        if blocks:
            turn["thinking_blocks"] = [*turn.get("thinking_blocks", ()), *blocks]

    def function_call(self, item: Item, field: str) -> None:
        self._call(item, item.get("arguments"), f"{field}.arguments", field)

    def custom_tool_call(self, item: Item, field: str) -> None:
        given = _text(item.get("input"), f"{field}.input")
        self._call(item, orjson.dumps({CUSTOM_INPUT: given}).decode(), field, field)

    def _call(self, item: Item, arguments: Any, of: str, field: str) -> None:
        function = {"name": _text(item.get("name"), f"{field}.name"), "arguments": _text(arguments, of)}
        call_id = _text(item.get("call_id"), f"{field}.call_id")
        calls = self._turn().setdefault("tool_calls", [])
        calls.append({"id": call_id, "type": "function", "function": function})

    def output(self, item: Item, field: str) -> None:
        content = _content(item.get("output"), f"{field}.output")
        call_id = _text(item.get("call_id"), f"{field}.call_id")
        self.all.append({"role": "tool", "tool_call_id": call_id, "content": content})

    def _turn(self) -> dict[str, Any]:
        """The message of the model's turn that goes on."""
        if self.all and self.all[-1]["role"] == "assistant":
            return self.all[-1]
        return self._begin()

    def _begin(self) -> dict[str, Any]:
        self.all.append({"role": "assistant", "content": None})
        return self.all[-1]


_TAKEN: Mapping[str, Callable[[_Messages, Item, str], None]] = {
    "message": _Messages.message,
    "reasoning": _Messages.reasoning,
    "function_call": _Messages.function_call,
    "function_call_output": _Messages.output,
    "custom_tool_call": _Messages.custom_tool_call,
    "custom_tool_call_output": _Messages.output,
}


def _content(content: Any, field: str) -> str | list[dict[str, Any]]:
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        raise InvalidArgument("must be a string or a list of parts", field)
    parts = cast("list[Any]", content)
    if len(parts) > _MAX_PARTS:
        raise InvalidArgument(f"must not have more than {_MAX_PARTS} entries", field)
    taken = [_part(part, f"{field}.{i}") for i, part in enumerate(parts)]
    if len(taken) == 1 and taken[0]["type"] == "text":
        return taken[0]["text"]
    return taken


def _parts(content: str | list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    if isinstance(content, str):
        yield {"type": "text", "text": content}
    else:
        yield from content


def _part(part: Any, field: str) -> dict[str, Any]:
    if not isinstance(part, dict):
        raise InvalidArgument("must be an object with a type", field)
    given = cast("Item", part)
    kind = given.get("type")
    if kind in ("input_text", "output_text"):
        return {"type": "text", "text": _text(given.get("text"), f"{field}.text")}
    if kind == "refusal":
        return {"type": "refusal", "refusal": _text(given.get("refusal"), f"{field}.refusal")}
    if kind == "input_image":
        return _picture(given, field)
    if kind == "input_file":
        return _file(given, field)
    if kind == "input_audio" and isinstance(given.get("input_audio"), dict):
        return {"type": "input_audio", "input_audio": given["input_audio"]}
    raise only_native(f"parts of type {str(kind)[:64]}", f"{field}.type")


def _picture(given: Item, field: str) -> dict[str, Any]:
    if given.get("file_id"):
        raise only_native("files that a provider keeps", f"{field}.file_id")
    picture: dict[str, Any] = {"url": _text(given.get("image_url"), f"{field}.image_url")}
    if given.get("detail"):
        picture["detail"] = given["detail"]
    return {"type": "image_url", "image_url": picture}


def _file(given: Item, field: str) -> dict[str, Any]:
    for name in ("file_id", "file_url"):
        if given.get(name):
            raise only_native("files that a provider keeps or fetches", f"{field}.{name}")
    file: dict[str, Any] = {"file_data": _text(given.get("file_data"), f"{field}.file_data")}
    if given.get("filename"):
        file["filename"] = given["filename"]
    return {"type": "file", "file": file}


def _text(value: Any, field: str) -> str:
    if not isinstance(value, str):
        raise InvalidArgument("must be a string", field)
    return value


def only_native(what: str, field: str) -> InvalidArgument:
    """The error for what no chat can say."""
    return InvalidArgument(f"{what} are understood only by models that speak the Responses API", field)
