"""RPCs on models. Part of `rpc/service.py`."""

from __future__ import annotations

from google.protobuf.json_format import ParseDict

from deployments.ingress.rpc.codec import (
    document_of,
    mask_of,
    message_of,
    named,
    page_before,
    page_size,
    page_start,
    page_token,
    timestamp,
)
from deployments.status_board import StatusBoard
from voyager_llm.domain.definition import Kind
from voyager_llm.domain.request import RequestContext
from voyager_llm.ports import Definitions
from voyager_llm.store.contract import Record
from voyager_llm.v1 import models_pb2 as pb


class ModelRpcs:
    """CRUD, versions and rollback of models; each method is the RPC of its name."""

    _definitions: Definitions
    _statuses: StatusBoard

    async def CreateModel(
        self, request: pb.CreateModelRequest, ctx: RequestContext
    ) -> pb.CreateModelResponse:
        record = await self._definitions.create(Kind.MODEL, document_of(request), ctx.principal.subject)
        fields = {
            "model_id": record.id,
            "name": record.name,
            "status": self._statuses.phase(record.name),
            "created_at": timestamp(record.created_at),
        }
        return ParseDict(fields, pb.CreateModelResponse())

    async def GetModel(self, request: pb.GetModelRequest, ctx: RequestContext) -> pb.GetModelResponse:
        name = named(request.name, Kind.MODEL)
        record = await self._definitions.get(Kind.MODEL, name, request.revision)
        return pb.GetModelResponse(model=self._model(record))

    async def UpdateModel(
        self, request: pb.UpdateModelRequest, ctx: RequestContext
    ) -> pb.UpdateModelResponse:
        record = await self._definitions.update(
            Kind.MODEL,
            named(request.name, Kind.MODEL),
            document_of(request.model),
            ctx.principal.subject,
            mask_of(request.update_mask),
            request.etag,
        )
        return pb.UpdateModelResponse(model=self._model(record))

    async def DeleteModel(
        self, request: pb.DeleteModelRequest, ctx: RequestContext
    ) -> pb.DeleteModelResponse:
        await self._definitions.delete(Kind.MODEL, named(request.name, Kind.MODEL), request.etag)
        return pb.DeleteModelResponse(name=request.name)

    async def ListModels(self, request: pb.ListModelsRequest, ctx: RequestContext) -> pb.ListModelsResponse:
        size = page_size(request.page_size)
        records = await self._definitions.page(Kind.MODEL, page_start(request.page_token), size)
        return pb.ListModelsResponse(
            models=[self._model(record) for record in records],
            next_page_token=page_token(records, size),
        )

    async def ListModelVersions(
        self, request: pb.ListModelVersionsRequest, ctx: RequestContext
    ) -> pb.ListModelVersionsResponse:
        size = page_size(request.page_size)
        before = page_before(request.page_token)
        name = named(request.name, Kind.MODEL)
        records = await self._definitions.history(Kind.MODEL, name, before, size)
        return pb.ListModelVersionsResponse(
            versions=[message_of(record, pb.Model) for record in records],
            next_page_token=page_token(records, size, by_revision=True),
        )

    async def RollbackModel(
        self, request: pb.RollbackModelRequest, ctx: RequestContext
    ) -> pb.RollbackModelResponse:
        name = named(request.name, Kind.MODEL)
        record = await self._definitions.rollback(
            Kind.MODEL, name, request.revision, "", ctx.principal.subject, request.etag
        )
        return pb.RollbackModelResponse(model=self._model(record))

    def _model(self, record: Record) -> pb.Model:
        model = message_of(record, pb.Model)
        model.status.CopyFrom(self._statuses.status(record.name))
        return model
