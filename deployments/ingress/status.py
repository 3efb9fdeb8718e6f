"""One error, four renderings: google.rpc.Status for REST and gRPC, OpenAI's and Anthropic's for their APIs.

Each says what happened: the trace, how many attempts were made and what each showed. The codes stand in
the table of `voyager_llm/errors.py`. No text comes back whole that is longer than a person would read. Used
by the HTTP and gRPC ingress.
"""

from __future__ import annotations

import base64
import json
import math
from bisect import bisect_right
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import grpc
import orjson
from google.protobuf import any_pb2, duration_pb2, json_format
from google.rpc import error_details_pb2, status_pb2

from voyager_llm.domain.bulk import MAX_FAULTS
from voyager_llm.errors import Fault, MethodNotAllowed, Standing, VoyagerError, rendering

TRACE_HEADER = "x-voyager-trace-id"
_TRACE = TRACE_HEADER.encode()

_DOMAIN = "llm.voyager.io"

# Characters of a field, of a message, and of what one attempt showed.
_FIELD_CHARACTERS = 256
_MESSAGE_CHARACTERS = 2048
_CAUSE_CHARACTERS = 256
# More attempts than a plan allows with all of its fallbacks.
_CAUSES = 64
# Trailers of one answer: gRPC clients take 8 KiB of metadata by default, HAProxy less than its buffer of 16.
_TRAILER_BYTES = 7 * 1024
# What a client is told to wait where nobody knows better.
_RETRY_SECONDS = 1.0
_COME_BACK = frozenset({429, 503})


def rpc_status(error: VoyagerError, trace_id: str) -> status_pb2.Status:
    """The error as google.rpc.Status, with ErrorInfo, BadRequest, RetryInfo and RequestInfo as they apply."""
    return _status(_brief(error), trace_id, len(error.causes))


def grpc_code(error: VoyagerError) -> grpc.StatusCode:
    return grpc.StatusCode[rendering(error).grpc]


def rest_body(error: VoyagerError, trace_id: str) -> bytes:
    """The error as JSON of google.rpc.Status: what Envoy makes of the gRPC error."""
    return _json(rpc_status(error, trace_id))


def openai_body(error: VoyagerError, trace_id: str) -> bytes:
    """The error in the shape of OpenAI's API."""
    error = _brief(error)
    return orjson.dumps(
        {
            "error": {
                "message": str(error),
                "type": rendering(error).openai_type,
                "param": error.field or None,
                # What a client of the provider's looks for, where the provider found the request wrong.
                "code": getattr(error, "provider_code", "") or error.code,
                "trace_id": _text(trace_id),
                "attempts": error.causes,
            }
        }
    )


def anthropic_body(error: VoyagerError, trace_id: str) -> bytes:
    """The error in the shape of Anthropic's API, with what the one for OpenAI's says besides."""
    error = _brief(error)
    return orjson.dumps(
        {
            "type": "error",
            "error": {
                "type": rendering(error).anthropic_type,
                "message": str(error),
                "param": error.field or None,
                "code": getattr(error, "provider_code", "") or error.code,
                "attempts": error.causes,
            },
            "request_id": _text(trace_id),
        }
    )


def trailers(error: VoyagerError, trace_id: str) -> tuple[str, list[tuple[str, Any]]]:
    """The error as a gRPC answer ends with it: details and trailing metadata, cut so that they fit.

    The text stands in them three times, each encoded in a way of its own: where it is long, its beginning is
    sent, the field first, and what the first attempts showed as far as there is room."""
    attempts = len(error.causes)

    def brief(field: int, message: int, causes: int, faults: int = 0) -> VoyagerError:
        return _brief(error, field, message, causes, faults)

    def size(shown: VoyagerError) -> int:
        return _size(shown, trace_id, attempts)

    shown = _brief(error)
    if size(shown) > _TRAILER_BYTES:
        field = _fitting(_FIELD_CHARACTERS, _TRAILER_BYTES // 2, lambda n: size(brief(n, 0, 0)))
        message = _fitting(_MESSAGE_CHARACTERS, _TRAILER_BYTES, lambda n: size(brief(field, n, 0)))
        causes = _fitting(_CAUSES, _TRAILER_BYTES, lambda n: size(brief(field, message, n)))
        faults = _fitting(MAX_FAULTS, _TRAILER_BYTES, lambda n: size(brief(field, message, causes, n)))
        shown = brief(field, message, causes, faults)
    return str(shown), _trailers(shown, trace_id, attempts)


def trace_headers(trace_id: str) -> list[tuple[bytes, bytes]]:
    """What every answer has: the trace, also under the names that OpenAI's and Anthropic's SDKs read. A
    caller may name its trace in letters that no header has."""
    shown = trace_id.encode("ascii", "replace")
    return [(_TRACE, shown), (b"x-request-id", shown), (b"request-id", shown)]


def trace_metadata(trace_id: str) -> tuple[str, str]:
    """The same for gRPC's metadata."""
    return TRACE_HEADER, trace_id.encode("ascii", "replace").decode()


def retry_headers(error: VoyagerError) -> list[tuple[bytes, bytes]]:
    """``Retry-After`` in whole seconds, where a retry may help, and the limits that refused."""
    seconds = _retry_s(error)
    after = [(b"retry-after", str(math.ceil(seconds)).encode())] if seconds else []
    return after + limit_headers(error.limits)


def limit_headers(limits: Mapping[str, Standing]) -> list[tuple[bytes, bytes]]:
    """OpenAI's ``x-ratelimit-*`` of a model that has limits."""
    lines: list[tuple[bytes, bytes]] = []
    for what, standing in limits.items():
        lines += [
            (f"x-ratelimit-limit-{what}".encode(), str(standing.limit).encode()),
            (f"x-ratelimit-remaining-{what}".encode(), str(standing.remaining).encode()),
            (f"x-ratelimit-reset-{what}".encode(), f"{standing.reset_s:.3g}s".encode()),
        ]
    return lines


def anthropic_limit_headers(limits: Mapping[str, Standing]) -> list[tuple[bytes, bytes]]:
    """The same as Anthropic's API says it, where the reset is a time and no duration."""
    lines: list[tuple[bytes, bytes]] = []
    for what, standing in limits.items():
        reset = datetime.now(UTC) + timedelta(seconds=standing.reset_s)
        lines += [
            (f"anthropic-ratelimit-{what}-limit".encode(), str(standing.limit).encode()),
            (f"anthropic-ratelimit-{what}-remaining".encode(), str(standing.remaining).encode()),
            (f"anthropic-ratelimit-{what}-reset".encode(), f"{reset:%Y-%m-%dT%H:%M:%SZ}".encode()),
        ]
    return lines


def anthropic_limits(error: Exception) -> list[tuple[bytes, bytes]]:
    """Those that refused a request."""
    return anthropic_limit_headers(error.limits) if isinstance(error, VoyagerError) else []


def allow_headers(error: VoyagerError) -> list[tuple[bytes, bytes]]:
    """``Allow``, where a path has other methods than the one that was used."""
    return [(b"allow", error.allowed.encode())] if isinstance(error, MethodNotAllowed) else []


def _retry_s(error: VoyagerError) -> float:
    if error.retry_after_s > 0:
        return error.retry_after_s
    return _RETRY_SECONDS if rendering(error).http in _COME_BACK else 0.0


def _status(error: VoyagerError, trace_id: str, attempts: int) -> status_pb2.Status:
    told = {"attempts": str(attempts)}
    told |= {f"attempt_{number}": cause for number, cause in enumerate(error.causes, 1)}
    details: list[Any] = [
        error_details_pb2.ErrorInfo(reason=error.code.upper(), domain=_DOMAIN, metadata=told)
    ]
    faults = error.faults or ((Fault(error.field, error.message, error.code),) if error.field else ())
    if faults:
        details.append(error_details_pb2.BadRequest(field_violations=[_violation(fault) for fault in faults]))
    if seconds := _retry_s(error):
        delay = duration_pb2.Duration()
        delay.FromMilliseconds(math.ceil(seconds * 1000))
        details.append(error_details_pb2.RetryInfo(retry_delay=delay))
    details.append(error_details_pb2.RequestInfo(request_id=_text(trace_id)))
    packed: list[any_pb2.Any] = []
    for detail in details:
        box = any_pb2.Any()
        box.Pack(detail)
        packed.append(box)
    return status_pb2.Status(code=grpc_code(error).value[0], message=str(error), details=packed)


def _violation(fault: Fault) -> error_details_pb2.BadRequest.FieldViolation:
    return error_details_pb2.BadRequest.FieldViolation(
        field=fault.field, description=fault.message, reason=fault.code.upper()
    )


def _json(status: status_pb2.Status) -> bytes:
    return orjson.dumps(json_format.MessageToDict(status, preserving_proto_field_name=True))


def _trailers(error: VoyagerError, trace_id: str, attempts: int) -> list[tuple[str, Any]]:
    status = _status(error, trace_id, attempts)
    return [
        ("grpc-status-details-bin", status.SerializeToString()),
        # The same as REST has it, for a gateway that makes REST of this call (kuberay/base/envoy/envoy.yaml).
        ("voyager-http-status", str(rendering(error).http)),
        ("voyager-error", json.dumps(orjson.loads(_json(status)))),
        trace_metadata(trace_id),
        *((name.decode(), value.decode()) for name, value in retry_headers(error)),
    ]


def _size(error: VoyagerError, trace_id: str, attempts: int) -> int:
    """Bytes of the trailers on the wire: details are percent-encoded, binary values are base64."""
    found = len(quote(str(error)))
    for name, value in _trailers(error, trace_id, attempts):
        found += len(name) + len(base64.b64encode(value) if isinstance(value, bytes) else value)
    return found


def _fitting(most: int, limit: int, size: Callable[[int], int]) -> int:
    """The largest number up to ``most`` that makes no more than ``limit`` bytes."""
    return bisect_right(range(1, most + 1), limit, key=size)


def _brief(
    error: VoyagerError,
    field_characters: int = _FIELD_CHARACTERS,
    characters: int = _MESSAGE_CHARACTERS,
    causes: int = _CAUSES,
    faults: int = MAX_FAULTS,
) -> VoyagerError:
    """The error with texts that are no longer than is shown, and can be encoded."""
    field, message = _cut(error.field, field_characters), _cut(error.message, characters)
    shown = type(error)(message, field, *error.args[2:])
    shown.causes = tuple(_cut(cause, _CAUSE_CHARACTERS) for cause in error.causes[:causes])
    shown.limits = error.limits
    shown.faults = tuple(
        Fault(_cut(fault.field, _FIELD_CHARACTERS), _cut(fault.message, _CAUSE_CHARACTERS), fault.code)
        for fault in error.faults[:faults]
    )
    return shown


def _cut(text: str, characters: int) -> str:
    if len(text) <= characters and text.isascii():
        return text
    return _text(text if len(text) <= characters else text[: max(characters - 1, 0)] + "…")


def _text(text: str) -> str:
    """A client's JSON may hold half a character (a lone surrogate), which no encoding has."""
    return text.encode("utf-8", "replace").decode()
