"""One gRPC call: what Serve hides of it, its context, and how it ends.

Serve hands methods a context without the call's deadline, and answers a message that it cannot read with
Python's words. `serving/listening.py` therefore puts `heeding` around Serve's handlers; `rpc/methods.py`
makes a `GrpcCall` of each call.
"""

from __future__ import annotations

import logging
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import grpc
from google.protobuf.message import DecodeError, Message
from ray.serve.grpc_util import RayServegRPCContext

from deployments.ingress.context import context_of, told_by, trace_of
from deployments.ingress.identity import Authenticator, texts
from deployments.ingress.status import grpc_code, trace_metadata, trailers
from voyager_llm.domain.request import RequestContext
from voyager_llm.errors import InvalidArgument, VoyagerError, public

log = logging.getLogger(__name__)

ServicerContext = grpc.aio.ServicerContext[Any, Any]


@dataclass(frozen=True, slots=True)
class _Arrival:
    """When a call came, in monotonic seconds, and how long its client waits; None: it did not say."""

    at: float
    remaining_s: float | None


_arrival: ContextVar[_Arrival] = ContextVar("arrival")


class GrpcCall:
    """One call of a method. End it by `succeeded` or `failed`."""

    def __init__(self, context: RayServegRPCContext) -> None:
        self._context = context
        self._metadata = texts(context.invocation_metadata())
        self._trace = trace_of(self._header)

    async def context(self, authenticator: Authenticator, request: Message) -> RequestContext:
        """Who calls, until when and as part of what. Raises `Unauthenticated`, `InvalidArgument`."""
        principal = await authenticator.identify(self._header)
        arrival = _arrival.get(None) or _Arrival(time.monotonic(), None)
        ctx = context_of(self._header, principal, self._trace, arrival.at, arrival.remaining_s)
        ctx = told_by(ctx, request)
        self._trace = ctx.trace
        return ctx

    def succeeded(self) -> None:
        self._context.set_trailing_metadata([trace_metadata(self._trace.id)])

    def failed(self, error: Exception) -> None:
        """Says so on the context instead of raising: Serve would log a stack trace."""
        fault = public(error)
        if fault is not error:
            log.error("a call failed (trace %s)", self._trace.id, exc_info=error)
        details, metadata = trailers(fault, self._trace.id)
        self._context.set_code(grpc_code(fault))
        self._context.set_details(details)
        self._context.set_trailing_metadata(metadata)

    def _header(self, name: str) -> str:
        return self._metadata.get(name, "")


def heeding(handler: Any) -> Any:
    """Serve's handler of a method (a `grpc.RpcMethodHandler`), which keeps the call's deadline for
    `GrpcCall` and refuses a message that does not parse."""
    return handler._replace(
        request_deserializer=_forgiving(handler.request_deserializer),
        unary_unary=_whole(handler.unary_unary),
        unary_stream=_streamed(handler.unary_stream),
    )


async def refuse(context: ServicerContext, error: VoyagerError) -> None:
    """End a call that no method has seen. Raises what gRPC ends it by."""
    found = texts(context.invocation_metadata() or ())
    details, metadata = trailers(error, trace_of(lambda name: found.get(name, "")).id)
    await context.abort(grpc_code(error), details, tuple(metadata))


class _Unreadable:
    """Stands for a message that does not parse."""


def _forgiving(deserialize: Callable[[bytes], Any]) -> Callable[[bytes], Any]:
    def read(message: bytes) -> Any:
        try:
            return deserialize(message)
        except DecodeError:
            return _Unreadable()

    return read


async def _begin(request: Any, context: ServicerContext) -> None:
    if isinstance(request, _Unreadable):
        await refuse(context, InvalidArgument("the message is no valid protobuf of the method's request"))
    _arrival.set(_Arrival(time.monotonic(), context.time_remaining()))


def _whole(
    serve: Callable[[Any, ServicerContext], Awaitable[bytes]],
) -> Callable[[Any, ServicerContext], Awaitable[bytes]]:
    async def answer(request: Any, context: ServicerContext) -> bytes:
        await _begin(request, context)
        return await serve(request, context)

    return answer


def _streamed(
    serve: Callable[[Any, ServicerContext], AsyncGenerator[bytes]],
) -> Callable[[Any, ServicerContext], AsyncGenerator[bytes]]:
    async def answer(request: Any, context: ServicerContext) -> AsyncGenerator[bytes]:
        await _begin(request, context)
        async for message in serve(request, context):
            yield message

    return answer
