"""One error, three renderings: google.rpc.Status for REST and gRPC, OpenAI's shape for its API.

The codes stand in the table of `voyager_llm/errors.py`. Used by the HTTP and gRPC ingress, and by
`deployments/listening.py`. No text comes back whole that is longer than a person would read.
"""

from __future__ import annotations

import base64
import json
import math
from bisect import bisect_right
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import grpc
import orjson
from google.protobuf import any_pb2, duration_pb2, json_format
from google.rpc import error_details_pb2, status_pb2

from voyager_llm.errors import VoyagerError, rendering

_DOMAIN = "llm.voyager.io"

# Characters of a field and of a message that are shown.
_FIELD_CHARACTERS = 256
_MESSAGE_CHARACTERS = 2048
# Trailers of one answer: gRPC clients take 8 KiB of metadata by default, HAProxy less than its buffer of 16.
_TRAILER_BYTES = 7 * 1024


def rpc_status(error: VoyagerError) -> status_pb2.Status:
    """The error as google.rpc.Status, with ErrorInfo, BadRequest and RetryInfo as they apply."""
    error = _brief(error)
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
    error = _brief(error)
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


def trailers(error: VoyagerError) -> tuple[str, list[tuple[str, Any]]]:
    """The error as a gRPC answer ends with it: details and trailing metadata, cut so that they fit.

    The text stands in them three times, each encoded in a way of its own: where it is long, its beginning is
    sent, the field first."""
    error = _brief(error)
    if _size(error) > _TRAILER_BYTES:
        field = _fitting(_FIELD_CHARACTERS, _TRAILER_BYTES // 2, lambda n: _size(_brief(error, n, 0)))
        message = _fitting(_MESSAGE_CHARACTERS, _TRAILER_BYTES, lambda n: _size(_brief(error, field, n)))
        error = _brief(error, field, message)
    return str(error), _trailers(error)


def _trailers(error: VoyagerError) -> list[tuple[str, Any]]:
    return [
        ("grpc-status-details-bin", rpc_status(error).SerializeToString()),
        # The same as REST has it, for a gateway that makes REST of this call (kuberay/base/envoy/envoy.yaml).
        ("voyager-http-status", str(rendering(error).http)),
        ("voyager-error", json.dumps(orjson.loads(rest_body(error)))),
        *((name.decode(), value.decode()) for name, value in retry_headers(error)),
    ]


def _size(error: VoyagerError) -> int:
    """Bytes of the trailers on the wire: details are percent-encoded, binary values are base64."""
    found = len(quote(str(error)))
    for name, value in _trailers(error):
        found += len(name) + len(base64.b64encode(value) if isinstance(value, bytes) else value)
    return found


def _fitting(most: int, limit: int, size: Callable[[int], int]) -> int:
    """How many characters, up to ``most``, make no more than ``limit`` bytes."""
    return bisect_right(range(1, most + 1), limit, key=size)


def _brief(
    error: VoyagerError, field_characters: int = _FIELD_CHARACTERS, characters: int = _MESSAGE_CHARACTERS
) -> VoyagerError:
    """The error with a field and a message that are no longer than is shown, and can be encoded."""
    field, message = _cut(error.field, field_characters), _cut(error.message, characters)
    if field is error.field and message is error.message:
        return error
    return type(error)(message, field, error.retry_after_s)


def _cut(text: str, characters: int) -> str:
    if len(text) <= characters and text.isascii():
        return text
    cut = text if len(text) <= characters else text[: max(characters - 1, 0)] + "…"
    # A client's JSON may hold half a character (a lone surrogate), which no encoding has.
    return cut.encode("utf-8", "replace").decode()


def retry_headers(error: VoyagerError) -> list[tuple[bytes, bytes]]:
    """``Retry-After`` in whole seconds, where a retry may help."""
    if error.retry_after_s <= 0:
        return []
    return [(b"retry-after", str(math.ceil(error.retry_after_s)).encode())]
