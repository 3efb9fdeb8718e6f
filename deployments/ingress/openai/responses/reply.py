"""How an exchange's answer becomes the client's: what `api.py` asks of `native.py` and `translated.py`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from deployments.lanes.lenient import dumps
from voyager_llm.domain.usage import Usage

Response = dict[str, Any]
Error = Mapping[str, Any]


class Reply(Protocol):
    """Of one exchange: either `whole` and then `body`, or `take` for each block, `end` and then `last`.

    Between, the caller may say in the response whether it was kept."""

    def whole(self, body: bytes, used: Usage) -> Response:
        """The response of a whole answer."""
        ...

    def body(self, response: Response) -> bytes:
        """A whole response as it is sent."""
        ...

    def take(self, block: bytes) -> bytes:
        """The events that tell a block of the stream; the last event of all is held back."""
        ...

    def end(self, used: Usage) -> tuple[bytes, Response]:
        """The stream is at its end: events still to be sent, and the response."""
        ...

    def last(self, response: Response) -> bytes:
        """The event that ends the stream."""
        ...

    def failed(self, error: Error) -> bytes:
        """The event that ends a stream early. ``error``: as `failure` makes it."""
        ...


def framed(event: Mapping[str, Any]) -> bytes:
    """An event under the name that the API gives it: its own type."""
    return b"event: " + event["type"].encode() + b"\ndata: " + dumps(event) + b"\n\n"


def failure(code: str, told: Error) -> Error:
    """An error of this service, as OpenAI's paths tell it, in the words of a response."""
    shown = {name: told[name] for name in ("message", "trace_id", "attempts")}
    return {"code": _CODES.get(code, "server_error"), **shown}


# Those that responses know.
_CODES = {
    "rate_limit_exceeded": "rate_limit_exceeded",
    "upstream_rate_limited": "rate_limit_exceeded",
    "upstream_rejected": "invalid_prompt",
    "content_policy_violation": "invalid_prompt",
}
