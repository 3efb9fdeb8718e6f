"""One error, three renderings: google.rpc.Status for REST and gRPC, OpenAI's shape for its API.

The codes stand in the table of `voyager_llm/errors.py`. Used by the HTTP and gRPC ingress.
"""

from __future__ import annotations

import math
from typing import Any

import grpc
import orjson
from google.protobuf import any_pb2, duration_pb2, json_format
from google.rpc import error_details_pb2, status_pb2

from voyager_llm.errors import VoyagerError, rendering

_DOMAIN = "llm.voyager.io"


def rpc_status(error: VoyagerError) -> status_pb2.Status:
    """The error as google.rpc.Status, with ErrorInfo, BadRequest and RetryInfo as they apply."""
    details: list[Any] = [error_details_pb2.ErrorInfo(reason=error.code.upper(), domain=_DOMAIN)]
    if error.field:
        violation = error_details_pb2.BadRequest.FieldViolation(field=error.field, description=error.message)
        details.append(error_details_pb2.BadRequest(field_violations=[violation]))
    if error.retry_after_s > 0:
        delay = duration_pb2.Duration()
        delay.FromMilliseconds(math.ceil(error.retry_after_s * 1000))
        details.append(error_details_pb2.RetryInfo(retry_delay=delay))
    packed: list[any_pb2.Any] = []
    for detail in details:
        box = any_pb2.Any()
        box.Pack(detail)
        packed.append(box)
    return status_pb2.Status(code=grpc_code(error).value[0], message=str(error), details=packed)


def grpc_code(error: VoyagerError) -> grpc.StatusCode:
    return grpc.StatusCode[rendering(error).grpc]


def rest_body(error: VoyagerError) -> bytes:
    """The error as JSON of google.rpc.Status: what Envoy makes of the gRPC error."""
    status = json_format.MessageToDict(rpc_status(error), preserving_proto_field_name=True)
    return orjson.dumps(status)


def openai_body(error: VoyagerError) -> bytes:
    """The error in the shape of OpenAI's API."""
    return orjson.dumps(
        {
            "error": {
                "message": str(error),
                "type": rendering(error).openai_type,
                "param": error.field or None,
                "code": error.code,
            }
        }
    )


def retry_headers(error: VoyagerError) -> list[tuple[bytes, bytes]]:
    """``Retry-After`` in whole seconds, where a retry may help."""
    if error.retry_after_s <= 0:
        return []
    return [(b"retry-after", str(math.ceil(error.retry_after_s)).encode())]
