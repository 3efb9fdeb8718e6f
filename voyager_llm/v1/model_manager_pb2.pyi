from google.api import annotations_pb2 as _annotations_pb2
from voyager_llm.v1 import bulk_pb2 as _bulk_pb2
from voyager_llm.v1 import completions_pb2 as _completions_pb2
from voyager_llm.v1 import evaluations_pb2 as _evaluations_pb2
from voyager_llm.v1 import models_pb2 as _models_pb2
from voyager_llm.v1 import prompts_pb2 as _prompts_pb2
from voyager_llm.v1 import routes_pb2 as _routes_pb2
from google.protobuf import descriptor as _descriptor
from typing import ClassVar as _ClassVar

DESCRIPTOR: _descriptor.FileDescriptor
