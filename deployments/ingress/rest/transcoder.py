"""REST ↔ RPC by the `google.api.http` annotations of the service: what Envoy's transcoder does, in
process. Used by `ingress/http.py`.

Paths, bodies and query parameters follow the annotations; JSON is protobuf's own mapping with the
names of the .proto files. One parity test holds this and Envoy to the same answers.
"""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

import orjson
from google.api import annotations_pb2
from google.protobuf import descriptor as pb_descriptor
from google.protobuf import json_format, message_factory
from google.protobuf.message import Message

from deployments.ingress.asgi import (
    HttpRequest,
    Send,
    end_events,
    respond,
    segment,
    send_block,
    start_events,
)
from deployments.ingress.context import told_by
from deployments.ingress.failing import fail
from deployments.ingress.openai.decode import read_object
from deployments.ingress.paths import not_allowed
from deployments.ingress.rest import large
from deployments.ingress.rest.wrong import PARSE_ERRORS, wrong
from deployments.ingress.rpc.definitions import Handler
from deployments.ingress.rpc.service import RPCS
from deployments.ingress.status import rest_body, trace_headers
from deployments.lanes.sse import frame
from voyager_llm.domain.request import RequestContext
from voyager_llm.errors import InvalidArgument, NotFound, VoyagerError

_MASK = "update_mask"
# Of a body; protobuf's JSON mapping takes some microseconds for each.
_MAX_VALUES = 30_000
# RPCs that take thousands of definitions.
_LARGE = frozenset({"ApplyDefinitions"})


@dataclass(frozen=True, slots=True)
class _Binding:
    """One annotated RPC."""

    verb: str
    path: re.Pattern[str]
    # "*": the body is the message; a name: the body is that field; empty: no body.
    body: str
    message: type[Message]
    handler: Handler
    success: int
    streams: bool
    is_large: bool


class Transcoder:
    """Answers REST requests by calling the service's methods."""

    def __init__(self, handlers: Mapping[str, Handler]) -> None:
        self._bindings = [_binding(rpc, handlers[rpc.name]) for rpc in RPCS]

    async def serve(self, request: HttpRequest, ctx: RequestContext, send: Send) -> None:
        """Answer one request. Raises any `VoyagerError` before the message is read."""
        binding, captured = self._find(request)
        if binding.is_large:
            message = await large.message_of(request, binding.message)
        else:
            message = _message(binding, request, captured)
        ctx = told_by(ctx, message)
        trace_id = ctx.trace.id
        result: Any = binding.handler(message, ctx)
        try:
            first = await (anext(result) if binding.streams else result)
        except Exception as error:
            await fail(send, error, trace_id, rest_body)
            return
        if binding.streams:
            await _stream(first, result, trace_id, send)
        else:
            body = await large.json_of(first) if binding.is_large else _json(first)
            await respond(send, binding.success, body, trace_headers(trace_id))

    def methods(self, path: str) -> set[str]:
        """The methods that a path has; empty: there is no such path."""
        found = {binding.verb for binding in self._bindings if binding.path.fullmatch(path.rstrip("/"))}
        return found | {"HEAD"} if "GET" in found else found

    def _find(self, request: HttpRequest) -> tuple[_Binding, Mapping[str, str]]:
        path = request.path.rstrip("/")
        for binding in self._bindings:
            match = binding.path.fullmatch(path) if binding.verb == request.method else None
            if match is not None:
                return binding, match.groupdict()
        if methods := self.methods(path):
            raise not_allowed(request.method, methods)
        raise NotFound(f"no such path; see /docs ({request.path[:200]})")


def _binding(method: pb_descriptor.MethodDescriptor, handler: Handler) -> _Binding:
    rule = method.GetOptions().Extensions[annotations_pb2.http]  # pyright: ignore[reportArgumentType]
    verb: str = rule.WhichOneof("pattern")
    template: str = getattr(rule, verb)
    # A name may hold anything but a slash; a custom verb such as :stream is no part of it.
    pattern = re.sub(r"\\{(\w+)\\}", r"(?P<\1>[^/]+)", re.escape(template))
    return _Binding(
        verb=verb.upper(),
        path=re.compile(pattern),
        body=rule.body,
        message=message_factory.GetMessageClass(method.input_type),
        handler=handler,
        success=201 if method.name.startswith("Create") else 200,
        streams=method.server_streaming,
        is_large=method.name in _LARGE,
    )


def _message(binding: _Binding, request: HttpRequest, captured: Mapping[str, str]) -> Message:
    message: Any = binding.message()
    fields: dict[str, Any] = {}
    if binding.body:
        body = read_object(request.body, _MAX_VALUES) if request.body else {}
        if binding.body == "*":
            fields = body
        else:
            _parse(body, getattr(message, binding.body))
    query = dict(parse_qsl(request.query, keep_blank_values=True))
    for name in query if binding.body == "*" else ():
        raise InvalidArgument("is no parameter of this path: its body says everything", name)
    # A mask is its paths here; protobuf's JSON would write them in other words and lose odd ones.
    if _MASK in query and _MASK in binding.message.DESCRIPTOR.fields_by_name:
        paths = query.pop(_MASK)
        message.update_mask.paths.extend(map(_snake_case, paths.split(",") if paths else ()))
    fields.update(query)
    # The path wins over the body, as in Envoy.
    fields.update((name, segment(value)) for name, value in captured.items())
    _parse(fields, message)
    return message


def _parse(fields: dict[str, Any], message: Message) -> None:
    """Raises `InvalidArgument` naming the field that is none of the message's, or has another type."""
    try:
        json_format.ParseDict(fields, message)
    except PARSE_ERRORS as error:
        raise wrong(error, type(message)) from None


def _snake_case(path: str) -> str:
    """Of a path as protobuf's JSON would write it, which clients may, too."""
    return re.sub(r"(?<=[a-z0-9])[A-Z]", lambda match: f"_{match[0].lower()}", path)


def _json(message: Message) -> bytes:
    fields = json_format.MessageToDict(
        message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
    )
    return orjson.dumps(fields)


async def _stream(first: Message, rest: AsyncGenerator[Message], trace_id: str, send: Send) -> None:
    async with aclosing(rest) as stream:
        await start_events(send, trace_headers(trace_id))
        await send_block(send, frame(_json(first)))
        try:
            async for message in stream:
                await send_block(send, frame(_json(message)))
        except VoyagerError as error:
            await send_block(send, b"event: error\n" + frame(rest_body(error, trace_id)))
        await end_events(send)
