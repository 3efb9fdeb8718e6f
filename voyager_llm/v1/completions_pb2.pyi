from voyager_llm.v1 import evaluations_pb2 as _evaluations_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ChatMessage(_message.Message):
    __slots__ = ("role", "content")
    ROLE_FIELD_NUMBER: _ClassVar[int]
    CONTENT_FIELD_NUMBER: _ClassVar[int]
    role: str
    content: str
    def __init__(self, role: _Optional[str] = ..., content: _Optional[str] = ...) -> None: ...

class GenerateCompletionRequest(_message.Message):
    __slots__ = ("model_name", "prompt", "parameters", "trace_id", "metadata", "prompt_ref", "variables", "messages")
    class ParametersEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    class MetadataEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    class VariablesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    MODEL_NAME_FIELD_NUMBER: _ClassVar[int]
    PROMPT_FIELD_NUMBER: _ClassVar[int]
    PARAMETERS_FIELD_NUMBER: _ClassVar[int]
    TRACE_ID_FIELD_NUMBER: _ClassVar[int]
    METADATA_FIELD_NUMBER: _ClassVar[int]
    PROMPT_REF_FIELD_NUMBER: _ClassVar[int]
    VARIABLES_FIELD_NUMBER: _ClassVar[int]
    MESSAGES_FIELD_NUMBER: _ClassVar[int]
    model_name: str
    prompt: str
    parameters: _containers.ScalarMap[str, str]
    trace_id: str
    metadata: _containers.ScalarMap[str, str]
    prompt_ref: _evaluations_pb2.PromptReference
    variables: _containers.ScalarMap[str, str]
    messages: _containers.RepeatedCompositeFieldContainer[ChatMessage]
    def __init__(self, model_name: _Optional[str] = ..., prompt: _Optional[str] = ..., parameters: _Optional[_Mapping[str, str]] = ..., trace_id: _Optional[str] = ..., metadata: _Optional[_Mapping[str, str]] = ..., prompt_ref: _Optional[_Union[_evaluations_pb2.PromptReference, _Mapping]] = ..., variables: _Optional[_Mapping[str, str]] = ..., messages: _Optional[_Iterable[_Union[ChatMessage, _Mapping]]] = ...) -> None: ...

class CompletionMetadata(_message.Message):
    __slots__ = ("model_used", "completion_time_ms", "trace_id", "finish_reason", "model", "attempts", "prompt")
    MODEL_USED_FIELD_NUMBER: _ClassVar[int]
    COMPLETION_TIME_MS_FIELD_NUMBER: _ClassVar[int]
    TRACE_ID_FIELD_NUMBER: _ClassVar[int]
    FINISH_REASON_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    ATTEMPTS_FIELD_NUMBER: _ClassVar[int]
    PROMPT_FIELD_NUMBER: _ClassVar[int]
    model_used: str
    completion_time_ms: int
    trace_id: str
    finish_reason: str
    model: str
    attempts: int
    prompt: _evaluations_pb2.PromptReference
    def __init__(self, model_used: _Optional[str] = ..., completion_time_ms: _Optional[int] = ..., trace_id: _Optional[str] = ..., finish_reason: _Optional[str] = ..., model: _Optional[str] = ..., attempts: _Optional[int] = ..., prompt: _Optional[_Union[_evaluations_pb2.PromptReference, _Mapping]] = ...) -> None: ...

class UsageStatistics(_message.Message):
    __slots__ = ("input_tokens", "output_tokens", "total_cost", "cached_input_tokens", "reasoning_tokens")
    INPUT_TOKENS_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_TOKENS_FIELD_NUMBER: _ClassVar[int]
    TOTAL_COST_FIELD_NUMBER: _ClassVar[int]
    CACHED_INPUT_TOKENS_FIELD_NUMBER: _ClassVar[int]
    REASONING_TOKENS_FIELD_NUMBER: _ClassVar[int]
    input_tokens: int
    output_tokens: int
    total_cost: float
    cached_input_tokens: int
    reasoning_tokens: int
    def __init__(self, input_tokens: _Optional[int] = ..., output_tokens: _Optional[int] = ..., total_cost: _Optional[float] = ..., cached_input_tokens: _Optional[int] = ..., reasoning_tokens: _Optional[int] = ...) -> None: ...

class GenerateCompletionResponse(_message.Message):
    __slots__ = ("completion", "metadata", "usage", "trace_id")
    COMPLETION_FIELD_NUMBER: _ClassVar[int]
    METADATA_FIELD_NUMBER: _ClassVar[int]
    USAGE_FIELD_NUMBER: _ClassVar[int]
    TRACE_ID_FIELD_NUMBER: _ClassVar[int]
    completion: str
    metadata: CompletionMetadata
    usage: UsageStatistics
    trace_id: str
    def __init__(self, completion: _Optional[str] = ..., metadata: _Optional[_Union[CompletionMetadata, _Mapping]] = ..., usage: _Optional[_Union[UsageStatistics, _Mapping]] = ..., trace_id: _Optional[str] = ...) -> None: ...

class StreamCompletionResponse(_message.Message):
    __slots__ = ("delta", "metadata", "usage")
    DELTA_FIELD_NUMBER: _ClassVar[int]
    METADATA_FIELD_NUMBER: _ClassVar[int]
    USAGE_FIELD_NUMBER: _ClassVar[int]
    delta: str
    metadata: CompletionMetadata
    usage: UsageStatistics
    def __init__(self, delta: _Optional[str] = ..., metadata: _Optional[_Union[CompletionMetadata, _Mapping]] = ..., usage: _Optional[_Union[UsageStatistics, _Mapping]] = ...) -> None: ...
