import datetime

from google.protobuf import field_mask_pb2 as _field_mask_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ModelReference(_message.Message):
    __slots__ = ("name",)
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class PromptReference(_message.Message):
    __slots__ = ("name", "version")
    NAME_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    name: str
    version: str
    def __init__(self, name: _Optional[str] = ..., version: _Optional[str] = ...) -> None: ...

class EvaluationMetric(_message.Message):
    __slots__ = ("name", "weight", "measurement")
    NAME_FIELD_NUMBER: _ClassVar[int]
    WEIGHT_FIELD_NUMBER: _ClassVar[int]
    MEASUREMENT_FIELD_NUMBER: _ClassVar[int]
    name: str
    weight: float
    measurement: str
    def __init__(self, name: _Optional[str] = ..., weight: _Optional[float] = ..., measurement: _Optional[str] = ...) -> None: ...

class TestDataset(_message.Message):
    __slots__ = ("source", "size", "path")
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    SIZE_FIELD_NUMBER: _ClassVar[int]
    PATH_FIELD_NUMBER: _ClassVar[int]
    source: str
    size: int
    path: str
    def __init__(self, source: _Optional[str] = ..., size: _Optional[int] = ..., path: _Optional[str] = ...) -> None: ...

class EvaluationSchedule(_message.Message):
    __slots__ = ("frequency", "time", "cron", "time_zone")
    FREQUENCY_FIELD_NUMBER: _ClassVar[int]
    TIME_FIELD_NUMBER: _ClassVar[int]
    CRON_FIELD_NUMBER: _ClassVar[int]
    TIME_ZONE_FIELD_NUMBER: _ClassVar[int]
    frequency: str
    time: str
    cron: str
    time_zone: str
    def __init__(self, frequency: _Optional[str] = ..., time: _Optional[str] = ..., cron: _Optional[str] = ..., time_zone: _Optional[str] = ...) -> None: ...

class EvaluationThresholds(_message.Message):
    __slots__ = ("minimum_score", "warning_score", "target_score")
    MINIMUM_SCORE_FIELD_NUMBER: _ClassVar[int]
    WARNING_SCORE_FIELD_NUMBER: _ClassVar[int]
    TARGET_SCORE_FIELD_NUMBER: _ClassVar[int]
    minimum_score: float
    warning_score: float
    target_score: float
    def __init__(self, minimum_score: _Optional[float] = ..., warning_score: _Optional[float] = ..., target_score: _Optional[float] = ...) -> None: ...

class Evaluation(_message.Message):
    __slots__ = ("evaluation_id", "name", "model_ref", "prompt_ref", "evaluation_type", "metrics", "test_dataset", "schedule", "thresholds", "revision", "etag", "author", "created_at", "updated_at", "suspend", "concurrency_policy", "successful_runs_history_limit", "failed_runs_history_limit", "timeout_seconds")
    EVALUATION_ID_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    MODEL_REF_FIELD_NUMBER: _ClassVar[int]
    PROMPT_REF_FIELD_NUMBER: _ClassVar[int]
    EVALUATION_TYPE_FIELD_NUMBER: _ClassVar[int]
    METRICS_FIELD_NUMBER: _ClassVar[int]
    TEST_DATASET_FIELD_NUMBER: _ClassVar[int]
    SCHEDULE_FIELD_NUMBER: _ClassVar[int]
    THRESHOLDS_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    AUTHOR_FIELD_NUMBER: _ClassVar[int]
    CREATED_AT_FIELD_NUMBER: _ClassVar[int]
    UPDATED_AT_FIELD_NUMBER: _ClassVar[int]
    SUSPEND_FIELD_NUMBER: _ClassVar[int]
    CONCURRENCY_POLICY_FIELD_NUMBER: _ClassVar[int]
    SUCCESSFUL_RUNS_HISTORY_LIMIT_FIELD_NUMBER: _ClassVar[int]
    FAILED_RUNS_HISTORY_LIMIT_FIELD_NUMBER: _ClassVar[int]
    TIMEOUT_SECONDS_FIELD_NUMBER: _ClassVar[int]
    evaluation_id: str
    name: str
    model_ref: ModelReference
    prompt_ref: PromptReference
    evaluation_type: str
    metrics: _containers.RepeatedCompositeFieldContainer[EvaluationMetric]
    test_dataset: TestDataset
    schedule: EvaluationSchedule
    thresholds: EvaluationThresholds
    revision: int
    etag: str
    author: str
    created_at: _timestamp_pb2.Timestamp
    updated_at: _timestamp_pb2.Timestamp
    suspend: bool
    concurrency_policy: str
    successful_runs_history_limit: int
    failed_runs_history_limit: int
    timeout_seconds: int
    def __init__(self, evaluation_id: _Optional[str] = ..., name: _Optional[str] = ..., model_ref: _Optional[_Union[ModelReference, _Mapping]] = ..., prompt_ref: _Optional[_Union[PromptReference, _Mapping]] = ..., evaluation_type: _Optional[str] = ..., metrics: _Optional[_Iterable[_Union[EvaluationMetric, _Mapping]]] = ..., test_dataset: _Optional[_Union[TestDataset, _Mapping]] = ..., schedule: _Optional[_Union[EvaluationSchedule, _Mapping]] = ..., thresholds: _Optional[_Union[EvaluationThresholds, _Mapping]] = ..., revision: _Optional[int] = ..., etag: _Optional[str] = ..., author: _Optional[str] = ..., created_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., updated_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., suspend: _Optional[bool] = ..., concurrency_policy: _Optional[str] = ..., successful_runs_history_limit: _Optional[int] = ..., failed_runs_history_limit: _Optional[int] = ..., timeout_seconds: _Optional[int] = ...) -> None: ...

class CreateEvaluationRequest(_message.Message):
    __slots__ = ("evaluation",)
    EVALUATION_FIELD_NUMBER: _ClassVar[int]
    evaluation: Evaluation
    def __init__(self, evaluation: _Optional[_Union[Evaluation, _Mapping]] = ...) -> None: ...

class CreateEvaluationResponse(_message.Message):
    __slots__ = ("evaluation",)
    EVALUATION_FIELD_NUMBER: _ClassVar[int]
    evaluation: Evaluation
    def __init__(self, evaluation: _Optional[_Union[Evaluation, _Mapping]] = ...) -> None: ...

class GetEvaluationRequest(_message.Message):
    __slots__ = ("name", "revision")
    NAME_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    name: str
    revision: int
    def __init__(self, name: _Optional[str] = ..., revision: _Optional[int] = ...) -> None: ...

class GetEvaluationResponse(_message.Message):
    __slots__ = ("evaluation",)
    EVALUATION_FIELD_NUMBER: _ClassVar[int]
    evaluation: Evaluation
    def __init__(self, evaluation: _Optional[_Union[Evaluation, _Mapping]] = ...) -> None: ...

class UpdateEvaluationRequest(_message.Message):
    __slots__ = ("name", "evaluation", "update_mask", "etag")
    NAME_FIELD_NUMBER: _ClassVar[int]
    EVALUATION_FIELD_NUMBER: _ClassVar[int]
    UPDATE_MASK_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    name: str
    evaluation: Evaluation
    update_mask: _field_mask_pb2.FieldMask
    etag: str
    def __init__(self, name: _Optional[str] = ..., evaluation: _Optional[_Union[Evaluation, _Mapping]] = ..., update_mask: _Optional[_Union[_field_mask_pb2.FieldMask, _Mapping]] = ..., etag: _Optional[str] = ...) -> None: ...

class UpdateEvaluationResponse(_message.Message):
    __slots__ = ("evaluation",)
    EVALUATION_FIELD_NUMBER: _ClassVar[int]
    evaluation: Evaluation
    def __init__(self, evaluation: _Optional[_Union[Evaluation, _Mapping]] = ...) -> None: ...

class DeleteEvaluationRequest(_message.Message):
    __slots__ = ("name", "etag")
    NAME_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    name: str
    etag: str
    def __init__(self, name: _Optional[str] = ..., etag: _Optional[str] = ...) -> None: ...

class DeleteEvaluationResponse(_message.Message):
    __slots__ = ("name",)
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class ListEvaluationsRequest(_message.Message):
    __slots__ = ("page_size", "page_token")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListEvaluationsResponse(_message.Message):
    __slots__ = ("evaluations", "next_page_token")
    EVALUATIONS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    evaluations: _containers.RepeatedCompositeFieldContainer[Evaluation]
    next_page_token: str
    def __init__(self, evaluations: _Optional[_Iterable[_Union[Evaluation, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class ScoreOutputsRequest(_message.Message):
    __slots__ = ("pairs", "metrics")
    PAIRS_FIELD_NUMBER: _ClassVar[int]
    METRICS_FIELD_NUMBER: _ClassVar[int]
    pairs: _containers.RepeatedCompositeFieldContainer[OutputPair]
    metrics: _containers.RepeatedCompositeFieldContainer[EvaluationMetric]
    def __init__(self, pairs: _Optional[_Iterable[_Union[OutputPair, _Mapping]]] = ..., metrics: _Optional[_Iterable[_Union[EvaluationMetric, _Mapping]]] = ...) -> None: ...

class OutputPair(_message.Message):
    __slots__ = ("output", "reference")
    OUTPUT_FIELD_NUMBER: _ClassVar[int]
    REFERENCE_FIELD_NUMBER: _ClassVar[int]
    output: str
    reference: str
    def __init__(self, output: _Optional[str] = ..., reference: _Optional[str] = ...) -> None: ...

class ScoreOutputsResponse(_message.Message):
    __slots__ = ("scores",)
    SCORES_FIELD_NUMBER: _ClassVar[int]
    scores: _containers.RepeatedCompositeFieldContainer[OutputScore]
    def __init__(self, scores: _Optional[_Iterable[_Union[OutputScore, _Mapping]]] = ...) -> None: ...

class OutputScore(_message.Message):
    __slots__ = ("metrics", "score")
    class MetricsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: float
        def __init__(self, key: _Optional[str] = ..., value: _Optional[float] = ...) -> None: ...
    METRICS_FIELD_NUMBER: _ClassVar[int]
    SCORE_FIELD_NUMBER: _ClassVar[int]
    metrics: _containers.ScalarMap[str, float]
    score: float
    def __init__(self, metrics: _Optional[_Mapping[str, float]] = ..., score: _Optional[float] = ...) -> None: ...
