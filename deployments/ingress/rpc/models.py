"""What the RPCs on models have of their own: measured status, and a short answer to a creation."""

from __future__ import annotations

from google.protobuf.json_format import ParseDict
from google.protobuf.message import Message

from deployments.health.status_board import StatusBoard
from deployments.ingress.rpc.codec import timestamp
from deployments.ingress.rpc.definitions import MODELS, DefinitionRpcs
from voyager_llm.domain.record import Record
from voyager_llm.ports import Definitions
from voyager_llm.v1 import models_pb2 as pb


class ModelRpcs(DefinitionRpcs):
    """RPCs on models. Made by `rpc/service.py`."""

    def __init__(self, definitions: Definitions, statuses: StatusBoard) -> None:
        super().__init__(MODELS, definitions)
        self._statuses = statuses

    def created(self, record: Record) -> Message:
        fields = {
            "model_id": record.id,
            "name": record.name,
            "status": self._statuses.phase(record.name),
            "created_at": timestamp(record.created_at),
        }
        return ParseDict(fields, pb.CreateModelResponse())

    def shown(self, record: Record) -> Message:
        model = self.message(record)
        assert isinstance(model, pb.Model)
        model.status.CopyFrom(self._statuses.status(record.name))
        return model
