"""The service `ModelManager` without a wire: what gRPC and REST both call.

`rpc/methods.py` (gRPC) and `rest/transcoder.py` look a handler up by the name of its RPC.
"""

from __future__ import annotations

from collections.abc import Mapping

from deployments.health.status_board import StatusBoard
from deployments.ingress.rpc.bulk import BulkRpcs
from deployments.ingress.rpc.completions import CompletionRpcs
from deployments.ingress.rpc.definitions import EVALUATIONS, ROUTES, DefinitionRpcs, Handler
from deployments.ingress.rpc.models import ModelRpcs
from deployments.ingress.rpc.prompts import PromptRpcs
from deployments.ingress.rpc.scores import ScoreRpcs
from deployments.request.pipeline import Pipeline
from voyager_llm.ports import Definitions, Scorer
from voyager_llm.v1 import model_manager_pb2

# Every RPC, as the .proto files declare it.
RPCS = model_manager_pb2.DESCRIPTOR.services_by_name["ModelManager"].methods


def handlers_of(
    definitions: Definitions, pipeline: Pipeline, scorer: Scorer, statuses: StatusBoard
) -> Mapping[str, Handler]:
    """A handler for each RPC of the service, by its name."""
    handlers = {
        **ModelRpcs(definitions, statuses).handlers(),
        **PromptRpcs(definitions, pipeline).handlers(),
        **DefinitionRpcs(ROUTES, definitions).handlers(),
        **DefinitionRpcs(EVALUATIONS, definitions).handlers(),
        **BulkRpcs(definitions).handlers(),
        **ScoreRpcs(scorer).handlers(),
        **CompletionRpcs(pipeline).handlers(),
    }
    return {rpc.name: handlers[rpc.name] for rpc in RPCS}
