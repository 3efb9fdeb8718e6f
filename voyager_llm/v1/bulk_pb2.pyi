from voyager_llm.v1 import evaluations_pb2 as _evaluations_pb2
from voyager_llm.v1 import models_pb2 as _models_pb2
from voyager_llm.v1 import prompts_pb2 as _prompts_pb2
from voyager_llm.v1 import routes_pb2 as _routes_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ApplyDefinitionsRequest(_message.Message):
    __slots__ = ("models", "prompts", "routes", "evaluations", "validate_only")
    MODELS_FIELD_NUMBER: _ClassVar[int]
    PROMPTS_FIELD_NUMBER: _ClassVar[int]
    ROUTES_FIELD_NUMBER: _ClassVar[int]
    EVALUATIONS_FIELD_NUMBER: _ClassVar[int]
    VALIDATE_ONLY_FIELD_NUMBER: _ClassVar[int]
    models: _containers.RepeatedCompositeFieldContainer[_models_pb2.Model]
    prompts: _containers.RepeatedCompositeFieldContainer[_prompts_pb2.Prompt]
    routes: _containers.RepeatedCompositeFieldContainer[_routes_pb2.Route]
    evaluations: _containers.RepeatedCompositeFieldContainer[_evaluations_pb2.Evaluation]
    validate_only: bool
    def __init__(self, models: _Optional[_Iterable[_Union[_models_pb2.Model, _Mapping]]] = ..., prompts: _Optional[_Iterable[_Union[_prompts_pb2.Prompt, _Mapping]]] = ..., routes: _Optional[_Iterable[_Union[_routes_pb2.Route, _Mapping]]] = ..., evaluations: _Optional[_Iterable[_Union[_evaluations_pb2.Evaluation, _Mapping]]] = ..., validate_only: _Optional[bool] = ...) -> None: ...

class AppliedDefinition(_message.Message):
    __slots__ = ("kind", "name", "outcome", "revision", "etag")
    KIND_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    kind: str
    name: str
    outcome: str
    revision: int
    etag: str
    def __init__(self, kind: _Optional[str] = ..., name: _Optional[str] = ..., outcome: _Optional[str] = ..., revision: _Optional[int] = ..., etag: _Optional[str] = ...) -> None: ...

class ApplyDefinitionsResponse(_message.Message):
    __slots__ = ("definitions", "created", "updated", "unchanged", "validate_only")
    DEFINITIONS_FIELD_NUMBER: _ClassVar[int]
    CREATED_FIELD_NUMBER: _ClassVar[int]
    UPDATED_FIELD_NUMBER: _ClassVar[int]
    UNCHANGED_FIELD_NUMBER: _ClassVar[int]
    VALIDATE_ONLY_FIELD_NUMBER: _ClassVar[int]
    definitions: _containers.RepeatedCompositeFieldContainer[AppliedDefinition]
    created: int
    updated: int
    unchanged: int
    validate_only: bool
    def __init__(self, definitions: _Optional[_Iterable[_Union[AppliedDefinition, _Mapping]]] = ..., created: _Optional[int] = ..., updated: _Optional[int] = ..., unchanged: _Optional[int] = ..., validate_only: _Optional[bool] = ...) -> None: ...
