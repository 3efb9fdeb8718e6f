"""The gRPC side of the service: metadata in, status out. Base class of the ingress deployment.

Serve dispatches on method names of the deployment's class, so every RPC stands here by its name. Errors
are set on the context instead of raised: Serve would log a stack trace for each.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from typing import TypeVar

from google.protobuf.message import Message
from grpc_health.v1 import health_pb2
from ray.serve.grpc_util import RayServegRPCContext

from deployments.ingress.context import context_of
from deployments.ingress.identity import Authenticator, texts
from deployments.ingress.rpc.service import ModelManagerService
from deployments.ingress.status import grpc_code, trailers
from voyager_llm.domain.request import RequestContext
from voyager_llm.errors import public
from voyager_llm.v1 import completions_pb2, evaluations_pb2, models_pb2, prompts_pb2, routes_pb2

Context = RayServegRPCContext
Req = TypeVar("Req", bound=Message)
Res = TypeVar("Res", bound=Message)

_SERVICES = frozenset({"", "voyager.llm.v1.ModelManager"})
_WATCH_SECONDS = 5.0


class GrpcMethods:
    """Every method that gRPC clients can call. Subclasses set ``service`` and ``authenticator``."""

    service: ModelManagerService
    authenticator: Authenticator

    def ready(self) -> bool:
        """Whether requests can be answered."""
        raise NotImplementedError

    async def _unary(
        self,
        method: Callable[[Req, RequestContext], Awaitable[Res]],
        request: Req,
        context: Context,
        empty: type[Res],
    ) -> Res:
        try:
            return await method(request, await self._context(context))
        except Exception as error:
            _fail(context, error)
            return empty()

    async def _context(self, call: Context) -> RequestContext:
        arrived = time.monotonic()
        metadata = texts(call.invocation_metadata())
        principal = await self.authenticator.identify(
            metadata.get("authorization", ""), metadata.get("x-voyager-user", "")
        )
        return context_of(lambda name: metadata.get(name, ""), principal, arrived)

    async def CreateModel(
        self, request: models_pb2.CreateModelRequest, grpc_context: Context
    ) -> models_pb2.CreateModelResponse:
        return await self._unary(
            self.service.CreateModel, request, grpc_context, models_pb2.CreateModelResponse
        )

    async def GetModel(
        self, request: models_pb2.GetModelRequest, grpc_context: Context
    ) -> models_pb2.GetModelResponse:
        return await self._unary(self.service.GetModel, request, grpc_context, models_pb2.GetModelResponse)

    async def UpdateModel(
        self, request: models_pb2.UpdateModelRequest, grpc_context: Context
    ) -> models_pb2.UpdateModelResponse:
        return await self._unary(
            self.service.UpdateModel, request, grpc_context, models_pb2.UpdateModelResponse
        )

    async def DeleteModel(
        self, request: models_pb2.DeleteModelRequest, grpc_context: Context
    ) -> models_pb2.DeleteModelResponse:
        return await self._unary(
            self.service.DeleteModel, request, grpc_context, models_pb2.DeleteModelResponse
        )

    async def ListModels(
        self, request: models_pb2.ListModelsRequest, grpc_context: Context
    ) -> models_pb2.ListModelsResponse:
        return await self._unary(
            self.service.ListModels, request, grpc_context, models_pb2.ListModelsResponse
        )

    async def ListModelVersions(
        self, request: models_pb2.ListModelVersionsRequest, grpc_context: Context
    ) -> models_pb2.ListModelVersionsResponse:
        return await self._unary(
            self.service.ListModelVersions, request, grpc_context, models_pb2.ListModelVersionsResponse
        )

    async def RollbackModel(
        self, request: models_pb2.RollbackModelRequest, grpc_context: Context
    ) -> models_pb2.RollbackModelResponse:
        return await self._unary(
            self.service.RollbackModel, request, grpc_context, models_pb2.RollbackModelResponse
        )

    async def CreatePrompt(
        self, request: prompts_pb2.CreatePromptRequest, grpc_context: Context
    ) -> prompts_pb2.CreatePromptResponse:
        return await self._unary(
            self.service.CreatePrompt, request, grpc_context, prompts_pb2.CreatePromptResponse
        )

    async def GetPrompt(
        self, request: prompts_pb2.GetPromptRequest, grpc_context: Context
    ) -> prompts_pb2.GetPromptResponse:
        return await self._unary(self.service.GetPrompt, request, grpc_context, prompts_pb2.GetPromptResponse)

    async def UpdatePrompt(
        self, request: prompts_pb2.UpdatePromptRequest, grpc_context: Context
    ) -> prompts_pb2.UpdatePromptResponse:
        return await self._unary(
            self.service.UpdatePrompt, request, grpc_context, prompts_pb2.UpdatePromptResponse
        )

    async def DeletePrompt(
        self, request: prompts_pb2.DeletePromptRequest, grpc_context: Context
    ) -> prompts_pb2.DeletePromptResponse:
        return await self._unary(
            self.service.DeletePrompt, request, grpc_context, prompts_pb2.DeletePromptResponse
        )

    async def ListPrompts(
        self, request: prompts_pb2.ListPromptsRequest, grpc_context: Context
    ) -> prompts_pb2.ListPromptsResponse:
        return await self._unary(
            self.service.ListPrompts, request, grpc_context, prompts_pb2.ListPromptsResponse
        )

    async def ListPromptVersions(
        self, request: prompts_pb2.ListPromptVersionsRequest, grpc_context: Context
    ) -> prompts_pb2.ListPromptVersionsResponse:
        return await self._unary(
            self.service.ListPromptVersions, request, grpc_context, prompts_pb2.ListPromptVersionsResponse
        )

    async def RollbackPrompt(
        self, request: prompts_pb2.RollbackPromptRequest, grpc_context: Context
    ) -> prompts_pb2.RollbackPromptResponse:
        return await self._unary(
            self.service.RollbackPrompt, request, grpc_context, prompts_pb2.RollbackPromptResponse
        )

    async def RenderPrompt(
        self, request: prompts_pb2.RenderPromptRequest, grpc_context: Context
    ) -> prompts_pb2.RenderPromptResponse:
        return await self._unary(
            self.service.RenderPrompt, request, grpc_context, prompts_pb2.RenderPromptResponse
        )

    async def CreateRoute(
        self, request: routes_pb2.CreateRouteRequest, grpc_context: Context
    ) -> routes_pb2.CreateRouteResponse:
        return await self._unary(
            self.service.CreateRoute, request, grpc_context, routes_pb2.CreateRouteResponse
        )

    async def GetRoute(
        self, request: routes_pb2.GetRouteRequest, grpc_context: Context
    ) -> routes_pb2.GetRouteResponse:
        return await self._unary(self.service.GetRoute, request, grpc_context, routes_pb2.GetRouteResponse)

    async def UpdateRoute(
        self, request: routes_pb2.UpdateRouteRequest, grpc_context: Context
    ) -> routes_pb2.UpdateRouteResponse:
        return await self._unary(
            self.service.UpdateRoute, request, grpc_context, routes_pb2.UpdateRouteResponse
        )

    async def DeleteRoute(
        self, request: routes_pb2.DeleteRouteRequest, grpc_context: Context
    ) -> routes_pb2.DeleteRouteResponse:
        return await self._unary(
            self.service.DeleteRoute, request, grpc_context, routes_pb2.DeleteRouteResponse
        )

    async def ListRoutes(
        self, request: routes_pb2.ListRoutesRequest, grpc_context: Context
    ) -> routes_pb2.ListRoutesResponse:
        return await self._unary(
            self.service.ListRoutes, request, grpc_context, routes_pb2.ListRoutesResponse
        )

    async def CreateEvaluation(
        self, request: evaluations_pb2.CreateEvaluationRequest, grpc_context: Context
    ) -> evaluations_pb2.CreateEvaluationResponse:
        return await self._unary(
            self.service.CreateEvaluation, request, grpc_context, evaluations_pb2.CreateEvaluationResponse
        )

    async def GetEvaluation(
        self, request: evaluations_pb2.GetEvaluationRequest, grpc_context: Context
    ) -> evaluations_pb2.GetEvaluationResponse:
        return await self._unary(
            self.service.GetEvaluation, request, grpc_context, evaluations_pb2.GetEvaluationResponse
        )

    async def UpdateEvaluation(
        self, request: evaluations_pb2.UpdateEvaluationRequest, grpc_context: Context
    ) -> evaluations_pb2.UpdateEvaluationResponse:
        return await self._unary(
            self.service.UpdateEvaluation, request, grpc_context, evaluations_pb2.UpdateEvaluationResponse
        )

    async def DeleteEvaluation(
        self, request: evaluations_pb2.DeleteEvaluationRequest, grpc_context: Context
    ) -> evaluations_pb2.DeleteEvaluationResponse:
        return await self._unary(
            self.service.DeleteEvaluation, request, grpc_context, evaluations_pb2.DeleteEvaluationResponse
        )

    async def ListEvaluations(
        self, request: evaluations_pb2.ListEvaluationsRequest, grpc_context: Context
    ) -> evaluations_pb2.ListEvaluationsResponse:
        return await self._unary(
            self.service.ListEvaluations, request, grpc_context, evaluations_pb2.ListEvaluationsResponse
        )

    async def ScoreOutputs(
        self, request: evaluations_pb2.ScoreOutputsRequest, grpc_context: Context
    ) -> evaluations_pb2.ScoreOutputsResponse:
        return await self._unary(
            self.service.ScoreOutputs, request, grpc_context, evaluations_pb2.ScoreOutputsResponse
        )

    async def GenerateCompletion(
        self, request: completions_pb2.GenerateCompletionRequest, grpc_context: Context
    ) -> completions_pb2.GenerateCompletionResponse:
        return await self._unary(
            self.service.GenerateCompletion, request, grpc_context, completions_pb2.GenerateCompletionResponse
        )

    async def StreamCompletion(
        self, request: completions_pb2.GenerateCompletionRequest, grpc_context: Context
    ) -> AsyncGenerator[completions_pb2.StreamCompletionResponse]:
        try:
            ctx = await self._context(grpc_context)
            async with aclosing(self.service.StreamCompletion(request, ctx)) as messages:
                async for message in messages:
                    yield message
        except Exception as error:
            _fail(grpc_context, error)

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


def _fail(context: Context, error: Exception) -> None:
    fault = public(error)
    details, metadata = trailers(fault)
    context.set_code(grpc_code(fault))
    context.set_details(details)
    context.set_trailing_metadata(metadata)
