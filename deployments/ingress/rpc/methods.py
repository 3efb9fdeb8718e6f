"""The gRPC side of the service: metadata in, status out. Base class of the ingress deployment.

Serve calls the method of the deployment's class that has the RPC's name, so one is attached for each RPC of
the service (`attach`, at the end).
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import Any

from google.protobuf import message_factory
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message import Message
from grpc_health.v1 import health_pb2
from ray.serve.grpc_util import RayServegRPCContext

from deployments.health.leaving import Leaving
from deployments.ingress.identity import Authenticator
from deployments.ingress.rpc.calls import GrpcCall
from deployments.ingress.rpc.definitions import Handler
from deployments.ingress.rpc.service import RPCS

Context = RayServegRPCContext

_SERVICES = frozenset({"", "voyager.llm.v1.ModelManager"})
_WATCH_SECONDS = 5.0


class GrpcMethods:
    """Every method that gRPC clients can call. Subclasses set what is declared here."""

    handlers: Mapping[str, Handler]
    authenticator: Authenticator
    leaving: Leaving

    def ready(self) -> bool:
        """Whether requests can be answered."""
        raise NotImplementedError

    async def Check(
        self, request: health_pb2.HealthCheckRequest, grpc_context: Context
    ) -> health_pb2.HealthCheckResponse:
        """grpc.health.v1"""
        return health_pb2.HealthCheckResponse(status=self._serving(request.service))

    async def Watch(
        self, request: health_pb2.HealthCheckRequest, grpc_context: Context
    ) -> AsyncGenerator[health_pb2.HealthCheckResponse]:
        """grpc.health.v1: the status now, and whenever it changes, until this replica is to go."""
        told = None
        while not self.leaving.holds():
            status = self._serving(request.service)
            if status != told:
                told = status
                yield health_pb2.HealthCheckResponse(status=status)
            await self.leaving.wait(_WATCH_SECONDS)
        yield health_pb2.HealthCheckResponse(status=health_pb2.HealthCheckResponse.NOT_SERVING)

    def _serving(self, service: str) -> health_pb2.HealthCheckResponse.ServingStatus:
        if service not in _SERVICES:
            return health_pb2.HealthCheckResponse.SERVICE_UNKNOWN
        serving = health_pb2.HealthCheckResponse.SERVING
        return serving if self.ready() else health_pb2.HealthCheckResponse.NOT_SERVING


def attach(rpc: MethodDescriptor) -> None:
    """Give `GrpcMethods` the method of an RPC. Serve wants an async generator of one that streams."""
    empty = message_factory.GetMessageClass(rpc.output_type)

    async def whole(self: GrpcMethods, request: Message, grpc_context: Context) -> Message:
        call = GrpcCall(grpc_context)
        try:
            answer: Any = self.handlers[rpc.name](request, await call.context(self.authenticator, request))
            message: Message = await answer
        except Exception as error:
            call.failed(error)
            return empty()
        call.succeeded()
        return message

    async def streamed(self: GrpcMethods, request: Message, grpc_context: Context) -> AsyncGenerator[Message]:
        call = GrpcCall(grpc_context)
        try:
            answer: Any = self.handlers[rpc.name](request, await call.context(self.authenticator, request))
            async with aclosing(answer) as messages:
                async for message in messages:
                    yield message
        except Exception as error:
            call.failed(error)
        else:
            call.succeeded()

    method = streamed if rpc.server_streaming else whole
    method.__name__ = rpc.name
    setattr(GrpcMethods, rpc.name, method)


for _rpc in RPCS:
    attach(_rpc)
