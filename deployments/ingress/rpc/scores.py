"""The RPC that scores outputs without a stored evaluation. Made by `rpc/service.py`."""

from __future__ import annotations

from collections.abc import Mapping

from deployments.ingress.rpc.definitions import Handler, in_time
from voyager_llm.domain.request import RequestContext
from voyager_llm.errors import InvalidArgument
from voyager_llm.ports import Scorer
from voyager_llm.v1 import evaluations_pb2 as pb

_MAX_PAIRS = 10_000


class ScoreRpcs:
    """Scores pairs of texts."""

    def __init__(self, scorer: Scorer) -> None:
        self._scorer = scorer

    def handlers(self) -> Mapping[str, Handler]:
        """By the RPC's name."""
        return {"ScoreOutputs": self.score}

    async def score(self, request: pb.ScoreOutputsRequest, ctx: RequestContext) -> pb.ScoreOutputsResponse:
        if not request.pairs or not request.metrics:
            field = "metrics" if request.pairs else "pairs"
            raise InvalidArgument("must not be empty", field)
        if len(request.pairs) > _MAX_PAIRS:
            raise InvalidArgument(f"must be at most {_MAX_PAIRS}", "pairs")
        measurements = [metric.measurement or metric.name for metric in request.metrics]
        pairs = [(pair.output, pair.reference) for pair in request.pairs]
        async with in_time(ctx):
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
