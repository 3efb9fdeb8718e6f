import datetime

from google.protobuf import field_mask_pb2 as _field_mask_pb2
from google.protobuf import struct_pb2 as _struct_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ModelParameters(_message.Message):
    __slots__ = ("max_tokens", "temperature", "top_p", "frequency_penalty", "presence_penalty", "seed", "stop", "extra", "allow")
    MAX_TOKENS_FIELD_NUMBER: _ClassVar[int]
    TEMPERATURE_FIELD_NUMBER: _ClassVar[int]
    TOP_P_FIELD_NUMBER: _ClassVar[int]
    FREQUENCY_PENALTY_FIELD_NUMBER: _ClassVar[int]
    PRESENCE_PENALTY_FIELD_NUMBER: _ClassVar[int]
    SEED_FIELD_NUMBER: _ClassVar[int]
    STOP_FIELD_NUMBER: _ClassVar[int]
    EXTRA_FIELD_NUMBER: _ClassVar[int]
    ALLOW_FIELD_NUMBER: _ClassVar[int]
    max_tokens: int
    temperature: float
    top_p: float
    frequency_penalty: float
    presence_penalty: float
    seed: int
    stop: _containers.RepeatedScalarFieldContainer[str]
    extra: _struct_pb2.Struct
    allow: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, max_tokens: _Optional[int] = ..., temperature: _Optional[float] = ..., top_p: _Optional[float] = ..., frequency_penalty: _Optional[float] = ..., presence_penalty: _Optional[float] = ..., seed: _Optional[int] = ..., stop: _Optional[_Iterable[str]] = ..., extra: _Optional[_Union[_struct_pb2.Struct, _Mapping]] = ..., allow: _Optional[_Iterable[str]] = ...) -> None: ...

class CostConfiguration(_message.Message):
    __slots__ = ("input_token_cost", "output_token_cost", "currency", "cached_input_token_cost", "cache_write_input_token_cost", "cache_write_1h_input_token_cost", "reasoning_token_cost", "audio_input_token_cost", "audio_output_token_cost", "image_input_token_cost", "image_output_token_cost", "changes")
    INPUT_TOKEN_COST_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_TOKEN_COST_FIELD_NUMBER: _ClassVar[int]
    CURRENCY_FIELD_NUMBER: _ClassVar[int]
    CACHED_INPUT_TOKEN_COST_FIELD_NUMBER: _ClassVar[int]
    CACHE_WRITE_INPUT_TOKEN_COST_FIELD_NUMBER: _ClassVar[int]
    CACHE_WRITE_1H_INPUT_TOKEN_COST_FIELD_NUMBER: _ClassVar[int]
    REASONING_TOKEN_COST_FIELD_NUMBER: _ClassVar[int]
    AUDIO_INPUT_TOKEN_COST_FIELD_NUMBER: _ClassVar[int]
    AUDIO_OUTPUT_TOKEN_COST_FIELD_NUMBER: _ClassVar[int]
    IMAGE_INPUT_TOKEN_COST_FIELD_NUMBER: _ClassVar[int]
    IMAGE_OUTPUT_TOKEN_COST_FIELD_NUMBER: _ClassVar[int]
    CHANGES_FIELD_NUMBER: _ClassVar[int]
    input_token_cost: float
    output_token_cost: float
    currency: str
    cached_input_token_cost: float
    cache_write_input_token_cost: float
    cache_write_1h_input_token_cost: float
    reasoning_token_cost: float
    audio_input_token_cost: float
    audio_output_token_cost: float
    image_input_token_cost: float
    image_output_token_cost: float
    changes: _containers.RepeatedCompositeFieldContainer[CostChange]
    def __init__(self, input_token_cost: _Optional[float] = ..., output_token_cost: _Optional[float] = ..., currency: _Optional[str] = ..., cached_input_token_cost: _Optional[float] = ..., cache_write_input_token_cost: _Optional[float] = ..., cache_write_1h_input_token_cost: _Optional[float] = ..., reasoning_token_cost: _Optional[float] = ..., audio_input_token_cost: _Optional[float] = ..., audio_output_token_cost: _Optional[float] = ..., image_input_token_cost: _Optional[float] = ..., image_output_token_cost: _Optional[float] = ..., changes: _Optional[_Iterable[_Union[CostChange, _Mapping]]] = ...) -> None: ...

class CostChange(_message.Message):
    __slots__ = ("valid_from", "input_token_cost", "output_token_cost", "cached_input_token_cost", "cache_write_input_token_cost", "cache_write_1h_input_token_cost", "reasoning_token_cost", "audio_input_token_cost", "audio_output_token_cost", "image_input_token_cost", "image_output_token_cost")
    VALID_FROM_FIELD_NUMBER: _ClassVar[int]
    INPUT_TOKEN_COST_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_TOKEN_COST_FIELD_NUMBER: _ClassVar[int]
    CACHED_INPUT_TOKEN_COST_FIELD_NUMBER: _ClassVar[int]
    CACHE_WRITE_INPUT_TOKEN_COST_FIELD_NUMBER: _ClassVar[int]
    CACHE_WRITE_1H_INPUT_TOKEN_COST_FIELD_NUMBER: _ClassVar[int]
    REASONING_TOKEN_COST_FIELD_NUMBER: _ClassVar[int]
    AUDIO_INPUT_TOKEN_COST_FIELD_NUMBER: _ClassVar[int]
    AUDIO_OUTPUT_TOKEN_COST_FIELD_NUMBER: _ClassVar[int]
    IMAGE_INPUT_TOKEN_COST_FIELD_NUMBER: _ClassVar[int]
    IMAGE_OUTPUT_TOKEN_COST_FIELD_NUMBER: _ClassVar[int]
    valid_from: _timestamp_pb2.Timestamp
    input_token_cost: float
    output_token_cost: float
    cached_input_token_cost: float
    cache_write_input_token_cost: float
    cache_write_1h_input_token_cost: float
    reasoning_token_cost: float
    audio_input_token_cost: float
    audio_output_token_cost: float
    image_input_token_cost: float
    image_output_token_cost: float
    def __init__(self, valid_from: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., input_token_cost: _Optional[float] = ..., output_token_cost: _Optional[float] = ..., cached_input_token_cost: _Optional[float] = ..., cache_write_input_token_cost: _Optional[float] = ..., cache_write_1h_input_token_cost: _Optional[float] = ..., reasoning_token_cost: _Optional[float] = ..., audio_input_token_cost: _Optional[float] = ..., audio_output_token_cost: _Optional[float] = ..., image_input_token_cost: _Optional[float] = ..., image_output_token_cost: _Optional[float] = ...) -> None: ...

class RateLimits(_message.Message):
    __slots__ = ("requests_per_minute", "tokens_per_minute")
    REQUESTS_PER_MINUTE_FIELD_NUMBER: _ClassVar[int]
    TOKENS_PER_MINUTE_FIELD_NUMBER: _ClassVar[int]
    requests_per_minute: int
    tokens_per_minute: int
    def __init__(self, requests_per_minute: _Optional[int] = ..., tokens_per_minute: _Optional[int] = ...) -> None: ...

class Endpoints(_message.Message):
    __slots__ = ("primary", "backup")
    PRIMARY_FIELD_NUMBER: _ClassVar[int]
    BACKUP_FIELD_NUMBER: _ClassVar[int]
    primary: str
    backup: str
    def __init__(self, primary: _Optional[str] = ..., backup: _Optional[str] = ...) -> None: ...

class SecretReference(_message.Message):
    __slots__ = ("name", "key")
    NAME_FIELD_NUMBER: _ClassVar[int]
    KEY_FIELD_NUMBER: _ClassVar[int]
    name: str
    key: str
    def __init__(self, name: _Optional[str] = ..., key: _Optional[str] = ...) -> None: ...

class Authentication(_message.Message):
    __slots__ = ("type", "secret_ref", "rotation_days")
    TYPE_FIELD_NUMBER: _ClassVar[int]
    SECRET_REF_FIELD_NUMBER: _ClassVar[int]
    ROTATION_DAYS_FIELD_NUMBER: _ClassVar[int]
    type: str
    secret_ref: SecretReference
    rotation_days: int
    def __init__(self, type: _Optional[str] = ..., secret_ref: _Optional[_Union[SecretReference, _Mapping]] = ..., rotation_days: _Optional[int] = ...) -> None: ...

class ModelStatus(_message.Message):
    __slots__ = ("phase", "last_health_check", "availability", "average_latency_ms", "message")
    PHASE_FIELD_NUMBER: _ClassVar[int]
    LAST_HEALTH_CHECK_FIELD_NUMBER: _ClassVar[int]
    AVAILABILITY_FIELD_NUMBER: _ClassVar[int]
    AVERAGE_LATENCY_MS_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    phase: str
    last_health_check: _timestamp_pb2.Timestamp
    availability: float
    average_latency_ms: float
    message: str
    def __init__(self, phase: _Optional[str] = ..., last_health_check: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., availability: _Optional[float] = ..., average_latency_ms: _Optional[float] = ..., message: _Optional[str] = ...) -> None: ...

class Model(_message.Message):
    __slots__ = ("model_id", "name", "provider", "model_name", "version", "capabilities", "parameters", "cost", "rate_limits", "endpoints", "authentication", "context_length", "status", "revision", "etag", "author", "created_at", "updated_at", "aliases")
    MODEL_ID_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    PROVIDER_FIELD_NUMBER: _ClassVar[int]
    MODEL_NAME_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    CAPABILITIES_FIELD_NUMBER: _ClassVar[int]
    PARAMETERS_FIELD_NUMBER: _ClassVar[int]
    COST_FIELD_NUMBER: _ClassVar[int]
    RATE_LIMITS_FIELD_NUMBER: _ClassVar[int]
    ENDPOINTS_FIELD_NUMBER: _ClassVar[int]
    AUTHENTICATION_FIELD_NUMBER: _ClassVar[int]
    CONTEXT_LENGTH_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    AUTHOR_FIELD_NUMBER: _ClassVar[int]
    CREATED_AT_FIELD_NUMBER: _ClassVar[int]
    UPDATED_AT_FIELD_NUMBER: _ClassVar[int]
    ALIASES_FIELD_NUMBER: _ClassVar[int]
    model_id: str
    name: str
    provider: str
    model_name: str
    version: str
    capabilities: _containers.RepeatedScalarFieldContainer[str]
    parameters: ModelParameters
    cost: CostConfiguration
    rate_limits: RateLimits
    endpoints: Endpoints
    authentication: Authentication
    context_length: int
    status: ModelStatus
    revision: int
    etag: str
    author: str
    created_at: _timestamp_pb2.Timestamp
    updated_at: _timestamp_pb2.Timestamp
    aliases: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, model_id: _Optional[str] = ..., name: _Optional[str] = ..., provider: _Optional[str] = ..., model_name: _Optional[str] = ..., version: _Optional[str] = ..., capabilities: _Optional[_Iterable[str]] = ..., parameters: _Optional[_Union[ModelParameters, _Mapping]] = ..., cost: _Optional[_Union[CostConfiguration, _Mapping]] = ..., rate_limits: _Optional[_Union[RateLimits, _Mapping]] = ..., endpoints: _Optional[_Union[Endpoints, _Mapping]] = ..., authentication: _Optional[_Union[Authentication, _Mapping]] = ..., context_length: _Optional[int] = ..., status: _Optional[_Union[ModelStatus, _Mapping]] = ..., revision: _Optional[int] = ..., etag: _Optional[str] = ..., author: _Optional[str] = ..., created_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., updated_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., aliases: _Optional[_Iterable[str]] = ...) -> None: ...

class CreateModelRequest(_message.Message):
    __slots__ = ("name", "provider", "model_name", "parameters", "cost", "capabilities", "version", "rate_limits", "endpoints", "authentication", "context_length", "aliases")
    NAME_FIELD_NUMBER: _ClassVar[int]
    PROVIDER_FIELD_NUMBER: _ClassVar[int]
    MODEL_NAME_FIELD_NUMBER: _ClassVar[int]
    PARAMETERS_FIELD_NUMBER: _ClassVar[int]
    COST_FIELD_NUMBER: _ClassVar[int]
    CAPABILITIES_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    RATE_LIMITS_FIELD_NUMBER: _ClassVar[int]
    ENDPOINTS_FIELD_NUMBER: _ClassVar[int]
    AUTHENTICATION_FIELD_NUMBER: _ClassVar[int]
    CONTEXT_LENGTH_FIELD_NUMBER: _ClassVar[int]
    ALIASES_FIELD_NUMBER: _ClassVar[int]
    name: str
    provider: str
    model_name: str
    parameters: ModelParameters
    cost: CostConfiguration
    capabilities: _containers.RepeatedScalarFieldContainer[str]
    version: str
    rate_limits: RateLimits
    endpoints: Endpoints
    authentication: Authentication
    context_length: int
    aliases: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, name: _Optional[str] = ..., provider: _Optional[str] = ..., model_name: _Optional[str] = ..., parameters: _Optional[_Union[ModelParameters, _Mapping]] = ..., cost: _Optional[_Union[CostConfiguration, _Mapping]] = ..., capabilities: _Optional[_Iterable[str]] = ..., version: _Optional[str] = ..., rate_limits: _Optional[_Union[RateLimits, _Mapping]] = ..., endpoints: _Optional[_Union[Endpoints, _Mapping]] = ..., authentication: _Optional[_Union[Authentication, _Mapping]] = ..., context_length: _Optional[int] = ..., aliases: _Optional[_Iterable[str]] = ...) -> None: ...

class CreateModelResponse(_message.Message):
    __slots__ = ("model_id", "name", "status", "created_at")
    MODEL_ID_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    CREATED_AT_FIELD_NUMBER: _ClassVar[int]
    model_id: str
    name: str
    status: str
    created_at: _timestamp_pb2.Timestamp
    def __init__(self, model_id: _Optional[str] = ..., name: _Optional[str] = ..., status: _Optional[str] = ..., created_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class GetModelRequest(_message.Message):
    __slots__ = ("name", "revision")
    NAME_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    name: str
    revision: int
    def __init__(self, name: _Optional[str] = ..., revision: _Optional[int] = ...) -> None: ...

class GetModelResponse(_message.Message):
    __slots__ = ("model",)
    MODEL_FIELD_NUMBER: _ClassVar[int]
    model: Model
    def __init__(self, model: _Optional[_Union[Model, _Mapping]] = ...) -> None: ...

class UpdateModelRequest(_message.Message):
    __slots__ = ("name", "model", "update_mask", "etag")
    NAME_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    UPDATE_MASK_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    name: str
    model: Model
    update_mask: _field_mask_pb2.FieldMask
    etag: str
    def __init__(self, name: _Optional[str] = ..., model: _Optional[_Union[Model, _Mapping]] = ..., update_mask: _Optional[_Union[_field_mask_pb2.FieldMask, _Mapping]] = ..., etag: _Optional[str] = ...) -> None: ...

class UpdateModelResponse(_message.Message):
    __slots__ = ("model",)
    MODEL_FIELD_NUMBER: _ClassVar[int]
    model: Model
    def __init__(self, model: _Optional[_Union[Model, _Mapping]] = ...) -> None: ...

class DeleteModelRequest(_message.Message):
    __slots__ = ("name", "etag")
    NAME_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    name: str
    etag: str
    def __init__(self, name: _Optional[str] = ..., etag: _Optional[str] = ...) -> None: ...

class DeleteModelResponse(_message.Message):
    __slots__ = ("name",)
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class ListModelsRequest(_message.Message):
    __slots__ = ("page_size", "page_token")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListModelsResponse(_message.Message):
    __slots__ = ("models", "next_page_token")
    MODELS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    models: _containers.RepeatedCompositeFieldContainer[Model]
    next_page_token: str
    def __init__(self, models: _Optional[_Iterable[_Union[Model, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class ListModelVersionsRequest(_message.Message):
    __slots__ = ("name", "page_size", "page_token")
    NAME_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    name: str
    page_size: int
    page_token: str
    def __init__(self, name: _Optional[str] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListModelVersionsResponse(_message.Message):
    __slots__ = ("versions", "next_page_token")
    VERSIONS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    versions: _containers.RepeatedCompositeFieldContainer[Model]
    next_page_token: str
    def __init__(self, versions: _Optional[_Iterable[_Union[Model, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class RollbackModelRequest(_message.Message):
    __slots__ = ("name", "revision", "etag")
    NAME_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    name: str
    revision: int
    etag: str
    def __init__(self, name: _Optional[str] = ..., revision: _Optional[int] = ..., etag: _Optional[str] = ...) -> None: ...

class RollbackModelResponse(_message.Message):
    __slots__ = ("model",)
    MODEL_FIELD_NUMBER: _ClassVar[int]
    model: Model
    def __init__(self, model: _Optional[_Union[Model, _Mapping]] = ...) -> None: ...
