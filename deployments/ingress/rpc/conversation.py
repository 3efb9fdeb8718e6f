"""A conversation, its tools and the form of its answer: the messages of our RPCs as OpenAI's chat has them,
and an answer's back. Used by `completions.py`.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from google.protobuf import struct_pb2

from deployments.ingress.chat_events import objects, part, text
from voyager_llm.errors import InvalidArgument
from voyager_llm.v1 import completions_pb2 as pb

_CHOICES = frozenset({"auto", "none", "required"})
# Above, a number of JSON is no exact integer.
_EXACT = 2**53
_HIGH_HALF = range(0xD800, 0xDC00)


def body_of(request: pb.GenerateCompletionRequest) -> dict[str, Any]:
    """What a request says beside its parameters, as the body of a chat. Raises `InvalidArgument`."""
    messages = [_message(message, f"messages.{i}") for i, message in enumerate(request.messages)]
    if request.prompt:
        messages.append({"role": "user", "content": request.prompt})
    body: dict[str, Any] = {"messages": messages}
    if request.tools:
        body["tools"] = [_tool(tool, f"tools.{i}") for i, tool in enumerate(request.tools)]
    if chosen := request.tool_choice:
        named = {"type": "function", "function": {"name": chosen}}
        body["tool_choice"] = chosen if chosen in _CHOICES else named
    if request.HasField("parallel_tool_calls"):
        body["parallel_tool_calls"] = request.parallel_tool_calls
    if request.HasField("response_format"):
        body["response_format"] = _format(request.response_format)
    return body


def _message(message: pb.ChatMessage, field: str) -> dict[str, Any]:
    role = message.role or "user"
    body: dict[str, Any] = {"role": role, "content": message.content}
    if message.parts:
        if message.content:
            raise InvalidArgument("give content or parts", f"{field}.parts")
        body["content"] = [_part(one, f"{field}.parts.{i}") for i, one in enumerate(message.parts)]
    if message.tool_calls:
        body["tool_calls"] = [_call(call) for call in message.tool_calls]
        body["content"] = body["content"] or None
    if role == "tool" and not message.tool_call_id:
        raise InvalidArgument("is required of a tool's message", f"{field}.tool_call_id")
    for name in ("tool_call_id", "name"):
        if value := getattr(message, name):
            body[name] = value
    return body


def _part(given: pb.ContentPart, field: str) -> dict[str, Any]:
    kind = given.WhichOneof("kind")
    if kind == "text":
        return {"type": "text", "text": given.text}
    if kind == "image":
        return {"type": "image_url", "image_url": _image(given.image, f"{field}.image")}
    if kind == "audio":
        sound = {"data": b64encode(given.audio.data).decode(), "format": given.audio.format}
        return {"type": "input_audio", "input_audio": sound}
    if kind == "file":
        return {"type": "file", "file": _file(given.file, f"{field}.file")}
    raise InvalidArgument("give text, image, audio or file", field)


def _image(image: pb.ImagePart, field: str) -> dict[str, str]:
    address = image.url or _data(image.data, image.media_type, field)
    return {"url": address, "detail": image.detail} if image.detail else {"url": address}


def _file(file: pb.FilePart, field: str) -> dict[str, str]:
    if file.file_id:
        return {"file_id": file.file_id}
    named = {"filename": file.filename} if file.filename else {}
    return {**named, "file_data": _data(file.data, file.media_type, field)}


def _data(data: bytes, media_type: str, field: str) -> str:
    """An address that holds what it stands for (RFC 2397)."""
    if not data:
        raise InvalidArgument("names nothing: give data, or where it is", field)
    if not media_type:
        raise InvalidArgument("is required with data, such as image/png", f"{field}.media_type")
    return f"data:{media_type};base64,{b64encode(data).decode()}"


def _call(call: pb.ToolCall) -> dict[str, Any]:
    return {
        "id": call.id, "type": "function",
        "function": {"name": call.name, "arguments": call.arguments},
    }  # fmt: skip


def _tool(tool: pb.Tool, field: str) -> dict[str, Any]:
    if not tool.name:
        raise InvalidArgument("is required", f"{field}.name")
    function: dict[str, Any] = {"name": tool.name}
    if tool.description:
        function["description"] = tool.description
    if tool.HasField("parameters"):
        function["parameters"] = _plain(tool.parameters)
    if tool.strict:
        function["strict"] = True
    return {"type": "function", "function": function}


def _format(given: pb.ResponseFormat) -> dict[str, Any]:
    kind = given.type or ("json_schema" if given.HasField("schema") else "text")
    if kind != "json_schema":
        return {"type": kind}
    schema: dict[str, Any] = {"name": given.name or "answer", "schema": _plain(given.schema)}
    if given.description:
        schema["description"] = given.description
    if given.strict:
        schema["strict"] = True
    return {"type": kind, "json_schema": schema}


def _plain(given: struct_pb2.Struct) -> dict[str, Any]:
    """As it was in JSON: protobuf knows numbers without saying which are integers, and a schema's are."""
    return {name: _value(value) for name, value in given.fields.items()}


def _value(value: struct_pb2.Value) -> Any:
    kind = value.WhichOneof("kind")
    if kind == "struct_value":
        return _plain(value.struct_value)
    if kind == "list_value":
        return [_value(item) for item in value.list_value.values]
    if kind == "number_value":
        number = value.number_value
        return int(number) if number.is_integer() and abs(number) < _EXACT else number
    return None if kind in (None, "null_value") else getattr(value, kind)


def calls_of(message: Mapping[str, Any]) -> Iterable[pb.ToolCall]:
    """What a whole message calls."""
    for call in objects(message, "tool_calls"):
        function = part(call, "function")
        yield pb.ToolCall(
            id=shown(text(call, "id")),
            name=shown(text(function, "name")),
            arguments=shown(text(function, "arguments")),
        )


class Deltas:
    """The deltas of a stream as our messages: what a chunk ends with half a character of, the next begins
    with, since protobuf holds no halves."""

    def __init__(self) -> None:
        self._halves: dict[str, str] = {}

    def take(self, delta: Mapping[str, Any]) -> pb.StreamCompletionResponse | None:
        """None where it says nothing."""
        response = pb.StreamCompletionResponse(
            delta=self._whole("content", text(delta, "content")),
            reasoning=self._whole("reasoning", text(delta, "reasoning_content")) or None,
            refusal=self._whole("refusal", text(delta, "refusal")) or None,
            tool_calls=self._calls(objects(delta, "tool_calls")),
        )
        return response if response.ByteSize() else None

    def _calls(self, calls: Sequence[Mapping[str, Any]]) -> Iterable[pb.ToolCallDelta]:
        for call in calls:
            function, index = part(call, "function"), call.get("index")
            place = index if isinstance(index, int) and 0 <= index < 2**31 else 0
            yield pb.ToolCallDelta(
                index=place,
                id=shown(text(call, "id")),
                name=shown(text(function, "name")),
                arguments=self._whole(f"arguments {place}", text(function, "arguments")),
            )

    def _whole(self, of: str, piece: str) -> str:
        if not piece:
            return ""
        piece = self._halves.pop(of, "") + piece
        if ord(piece[-1]) in _HIGH_HALF:
            self._halves[of] = piece[-1]
            piece = piece[:-1]
        return shown(piece)


def shown(piece: str) -> str:
    """A text that protobuf holds: halves of a character are joined, and one without its other stands as �."""
    try:
        piece.encode()
        return piece
    except UnicodeEncodeError:
        return piece.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
