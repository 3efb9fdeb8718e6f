"""What HAProxy itself answers, in the shapes of the APIs that it stands before. Used by `haproxy_config.py`.

`deployments/ingress/status.py` makes the same of an error; that takes Python, which a refusal must not cost.
"""

from __future__ import annotations

import json
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Refusal:
    """An answer over HTTP. ``grpc_code`` and ``reason`` are what REST says; ``kind`` is OpenAI's word."""

    status: int
    message: str
    grpc_code: int
    reason: str
    kind: str = "invalid_request_error"
    header: str = ""

    def rules(self, condition: str, *values: object) -> str:
        """HAProxy's rules that answer so where ``condition`` holds; ``values`` stand in the message."""
        message = self.message.format(*values)
        info = {"@type": _ERROR_INFO, "reason": self.reason, "domain": "llm.voyager.io"}
        asked = {"@type": _REQUEST_INFO, "request_id": _TRACE}
        rest = {"code": self.grpc_code, "message": message, "details": [info, asked]}
        code = self.reason.lower()
        openai = {
            "error": {
                "message": message, "type": self.kind, "param": None, "code": code, "trace_id": _TRACE,
            }
        }  # fmt: skip
        return self._rule(rest, f"{{ path_beg /api/ }} {condition}") + self._rule(openai, condition)

    def _rule(self, body: object, condition: str) -> str:
        text = json.dumps(body, separators=(",", ":")).replace("\\", "\\\\").replace('"', '\\"')
        header = f" hdr {self.header}" if self.header else ""
        return (
            _named(condition) + f"    http-request return status {self.status} content-type application/json "
            f'{_NAMES}{header} lf-string "{text}" if {condition}\n'
        )


# The trace, as the service names it: what the client says, where that fits into a header, else a new one.
_TRACE = "%[var(txn.trace)]"
_NAMES = f"hdr x-voyager-trace-id {_TRACE} hdr x-request-id {_TRACE}"


def _named(condition: str) -> str:
    """The rules that choose the trace of what is refused where ``condition`` holds."""
    asked = "{ req.hdr(x-trace-id) -m reg ^[A-Za-z0-9._:-]{1,128}$ }"
    return (
        f"    http-request set-var(txn.trace) uuid() if {condition}\n"
        f"    http-request set-var(txn.trace) req.hdr(x-trace-id) if {asked} {condition}\n"
    )


_REQUEST_INFO = "type.googleapis.com/google.rpc.RequestInfo"
_ERROR_INFO = "type.googleapis.com/google.rpc.ErrorInfo"
TOO_MANY_REQUESTS = Refusal(
    429, "too many requests of this address at a time", 8, "RATE_LIMIT_EXCEEDED", "rate_limit_error",
    "retry-after 1",
)  # fmt: skip
TOO_LARGE = Refusal(413, "the body is larger than {} bytes", 3, "REQUEST_TOO_LARGE")
BODY = Refusal(400, "what needs no key takes no body", 3, "INVALID_ARGUMENT")
TARGET = Refusal(400, "the request's target is no path: it has to begin with /", 3, "INVALID_ARGUMENT")
METHOD = Refusal(400, "the method is none of {}", 3, "INVALID_ARGUMENT")
UPGRADE = Refusal(400, "no other protocol than HTTP is spoken here", 3, "INVALID_ARGUMENT")
STARTING = Refusal(
    503, "the service is starting: try again in some seconds", 14, "UNAVAILABLE", "server_error"
)
HEADER = Refusal(400, "the header {} must be of printable ASCII", 3, "INVALID_ARGUMENT")
_GRPC_TRACE = "hdr x-voyager-trace-id %[uuid()]"
GRPC_STARTING = f'grpc-status {STARTING.grpc_code} {_GRPC_TRACE} hdr grpc-message "{STARTING.message}"'


def _over_grpc(code: int, message: str) -> str:
    """An answer without a message."""
    return (
        f"status 200 hdr content-type application/grpc hdr grpc-status {code} {_GRPC_TRACE} "
        f'hdr grpc-message "{message}"'
    )


# Its own words for what the first of them says.
TOO_MANY_CALLS = _over_grpc(8, TOO_MANY_REQUESTS.message.replace("requests", "calls"))
TOO_LONG_A_CALL = _over_grpc(8, "this method takes no message of more than {} bytes")
