"""The gRPC side of the service: metadata in, status out. Base class of the ingress deployment.

Serve calls the method of the deployment's class that has the RPC's name, so one is attached for each RPC of
the service (`attach`, at the end). Errors are set on the context instead of raised: Serve would log a stack
trace for each.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import Any

from google.protobuf import message_factory
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message import Message
from grpc_health.v1 import health_pb2
from ray.serve.grpc_util import RayServegRPCContext

from deployments.ingress.context import context_of
from deployments.ingress.identity import Authenticator, texts
from deployments.ingress.rpc.definitions import Handler
from deployments.ingress.rpc.service import RPCS
from deployments.ingress.status import grpc_code, trailers
from voyager_llm.domain.request import RequestContext
from voyager_llm.errors import public

Context = RayServegRPCContext

_SERVICES = frozenset({"", "voyager.llm.v1.ModelManager"})
_WATCH_SECONDS = 5.0


class GrpcMethods:
    """Every method that gRPC clients can call. Subclasses set ``handlers`` and ``authenticator``."""

    handlers: Mapping[str, Handler]
    authenticator: Authenticator

    def ready(self) -> bool:
        """Whether requests can be answered."""
        raise NotImplementedError

    async def context(self, call: Context) -> RequestContext:
        """Who calls, and until when. Raises `Unauthenticated`, `InvalidArgument`."""
        arrived = time.monotonic()
        metadata = texts(call.invocation_metadata())
        principal = await self.authenticator.identify(
            metadata.get("authorization", ""), metadata.get("x-voyager-user", "")
        )
        return context_of(lambda name: metadata.get(name, ""), principal, arrived)

    async def Check(
        self, request: health_pb2.HealthCheckRequest, grpc_context: Context
    ) -> health_pb2.HealthCheckResponse:
        """grpc.health.v1"""
        return health_pb2.HealthCheckResponse(status=self._serving(request.service))

    async def Watch(
        self, request: health_pb2.HealthCheckRequest, grpc_context: Context
    ) -> AsyncGenerator[health_pb2.HealthCheckResponse]:
        """grpc.health.v1: the status now, and whenever it changes."""
        told = None
        while True:
            status = self._serving(request.service)
            if status != told:
                told = status
                yield health_pb2.HealthCheckResponse(status=status)
            await asyncio.sleep(_WATCH_SECONDS)

    def _serving(self, service: str) -> health_pb2.HealthCheckResponse.ServingStatus:
        if service not in _SERVICES:
            return health_pb2.HealthCheckResponse.SERVICE_UNKNOWN
        serving = health_pb2.HealthCheckResponse.SERVING
        return serving if self.ready() else health_pb2.HealthCheckResponse.NOT_SERVING


def attach(rpc: MethodDescriptor) -> None:
    """Give `GrpcMethods` the method of an RPC. Serve wants an async generator of one that streams."""
    empty = message_factory.GetMessageClass(rpc.output_type)

    async def whole(self: GrpcMethods, request: Message, grpc_context: Context) -> Message:
        try:
            answer: Any = self.handlers[rpc.name](request, await self.context(grpc_context))
            return await answer
        except Exception as error:
            _fail(grpc_context, error)
            return empty()

    async def streamed(self: GrpcMethods, request: Message, grpc_context: Context) -> AsyncGenerator[Message]:
        try:
            answer: Any = self.handlers[rpc.name](request, await self.context(grpc_context))
            async with aclosing(answer) as messages:
                async for message in messages:
                    yield message
        except Exception as error:
            _fail(grpc_context, error)

    method = streamed if rpc.server_streaming else whole
    method.__name__ = rpc.name
    setattr(GrpcMethods, rpc.name, method)


for _rpc in RPCS:
    attach(_rpc)


def _fail(context: Context, error: Exception) -> None:
    fault = public(error)
    details, metadata = trailers(fault)
    context.set_code(grpc_code(fault))
    context.set_details(details)
    context.set_trailing_metadata(metadata)
