"""RPCs on evaluations. Part of `rpc/service.py`."""

from __future__ import annotations

from deployments.ingress.rpc.codec import (
    document_of,
    mask_of,
    message_of,
    named,
    page_size,
    page_start,
    page_token,
)
from voyager_llm.domain.definition import Kind
from voyager_llm.domain.request import RequestContext
from voyager_llm.errors import InvalidArgument
from voyager_llm.ports import Definitions, Scorer
from voyager_llm.v1 import evaluations_pb2 as pb

_MAX_PAIRS = 10_000


class EvaluationRpcs:
    """CRUD of evaluations, and scoring without one; each method is the RPC of its name."""

    _definitions: Definitions
    _scorer: Scorer

    async def CreateEvaluation(
        self, request: pb.CreateEvaluationRequest, ctx: RequestContext
    ) -> pb.CreateEvaluationResponse:
        record = await self._definitions.create(
            Kind.EVALUATION, document_of(request.evaluation), ctx.principal.subject
        )
        return pb.CreateEvaluationResponse(evaluation=message_of(record, pb.Evaluation))

    async def GetEvaluation(
        self, request: pb.GetEvaluationRequest, ctx: RequestContext
    ) -> pb.GetEvaluationResponse:
        name = named(request.name, Kind.EVALUATION)
        record = await self._definitions.get(Kind.EVALUATION, name, request.revision)
        return pb.GetEvaluationResponse(evaluation=message_of(record, pb.Evaluation))

    async def UpdateEvaluation(
        self, request: pb.UpdateEvaluationRequest, ctx: RequestContext
    ) -> pb.UpdateEvaluationResponse:
        record = await self._definitions.update(
            Kind.EVALUATION,
            named(request.name, Kind.EVALUATION),
            document_of(request.evaluation),
            ctx.principal.subject,
            mask_of(request.update_mask),
            request.etag,
        )
        return pb.UpdateEvaluationResponse(evaluation=message_of(record, pb.Evaluation))

    async def DeleteEvaluation(
        self, request: pb.DeleteEvaluationRequest, ctx: RequestContext
    ) -> pb.DeleteEvaluationResponse:
        await self._definitions.delete(Kind.EVALUATION, named(request.name, Kind.EVALUATION), request.etag)
        return pb.DeleteEvaluationResponse(name=request.name)

    async def ListEvaluations(
        self, request: pb.ListEvaluationsRequest, ctx: RequestContext
    ) -> pb.ListEvaluationsResponse:
        size = page_size(request.page_size)
        records = await self._definitions.page(Kind.EVALUATION, page_start(request.page_token), size)
        return pb.ListEvaluationsResponse(
            evaluations=[message_of(record, pb.Evaluation) for record in records],
            next_page_token=page_token(records, size),
        )

    async def ScoreOutputs(
        self, request: pb.ScoreOutputsRequest, ctx: RequestContext
    ) -> pb.ScoreOutputsResponse:
        if not request.pairs or not request.metrics:
            field = "metrics" if request.pairs else "pairs"
            raise InvalidArgument("must not be empty", field)
        if len(request.pairs) > _MAX_PAIRS:
            raise InvalidArgument(f"must be at most {_MAX_PAIRS}", "pairs")
        measurements = [metric.measurement or metric.name for metric in request.metrics]
        pairs = [(pair.output, pair.reference) for pair in request.pairs]
        rows = await self._scorer.score(pairs, measurements)
        weights = [metric.weight or 1.0 for metric in request.metrics]
        return pb.ScoreOutputsResponse(
            scores=[
                pb.OutputScore(
                    metrics={m.name: value for m, value in zip(request.metrics, row, strict=True)},
                    score=sum(w * v for w, v in zip(weights, row, strict=True)) / sum(weights),
                )
                for row in rows
            ]
        )
