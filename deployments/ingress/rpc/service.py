"""The service `ModelManager` without a wire: what gRPC and REST both call.

A method takes the request message and the caller's identity, returns the response message and raises
`VoyagerError`. Used by `rpc/methods.py` (gRPC) and `rest/transcoder.py`.
"""

from __future__ import annotations

from deployments.ingress.rpc.completions import CompletionRpcs
from deployments.ingress.rpc.evaluations import EvaluationRpcs
from deployments.ingress.rpc.models import ModelRpcs
from deployments.ingress.rpc.prompts import PromptRpcs
from deployments.ingress.rpc.routes import RouteRpcs
from deployments.request.pipeline import Pipeline
from deployments.status_board import StatusBoard
from voyager_llm.ports import Definitions, Scorer


class ModelManagerService(ModelRpcs, PromptRpcs, RouteRpcs, EvaluationRpcs, CompletionRpcs):
    """Every RPC of the service."""

    def __init__(
        self, definitions: Definitions, pipeline: Pipeline, scorer: Scorer, statuses: StatusBoard
    ) -> None:
        self._definitions = definitions
        self._pipeline = pipeline
        self._scorer = scorer
        self._statuses = statuses
