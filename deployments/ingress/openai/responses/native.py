"""The answer of a model that speaks the Responses API itself, as it came: the `Reply` that changes little.

A response that is kept has an id of ours, since the provider was told to keep nothing; and whichever goes on
from another says so. Every other byte of a stream is the provider's.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, cast

from deployments.ingress.openai.responses.reply import Error, Response, framed
from deployments.ingress.openai.responses.request import Asked
from deployments.lanes.lenient import dumps, loads
from voyager_llm.domain.usage import Usage

_NUMBER = re.compile(rb'"sequence_number"\s*:\s*(\d+)')
_NAME = b"event: "
_LAST = frozenset({b"response.completed", b"response.incomplete"})
_TELLING = _LAST | {b"response.created", b"response.in_progress", b"response.queued"}


class NativeReply:
    """``response_id``: where it is kept."""

    def __init__(self, asked: Asked, response_id: str) -> None:
        self._ours: Response = {"id": response_id, "store": True} if asked.store else {}
        if asked.previous:
            self._ours["previous_response_id"] = asked.previous
        # Of a whole answer or of a stream's last event: what is sent where nothing is ours.
        self._came = b""
        self._last: Response = {}
        # As far as it was told.
        self._response: Response = {}
        # The last one.
        self._block = b""

    def whole(self, body: bytes, used: Usage) -> Response:
        self._came = body
        return {**loads(body), **self._ours}

    def body(self, response: Response) -> bytes:
        return dumps(response) if self._ours else self._came

    def take(self, block: bytes) -> bytes:
        self._block = block
        return b"".join(self._events(block))

    def end(self, used: Usage) -> tuple[bytes, Response]:
        return b"", self._response

    def last(self, response: Response) -> bytes:
        return framed({**self._last, "response": response}) if self._ours else self._came

    def failed(self, error: Error) -> bytes:
        """An event of its own where no response was begun."""
        numbers = _NUMBER.findall(self._block)
        number = {"sequence_number": int(numbers[-1][:9]) + 1 if numbers else 0}
        if not self._response:
            return framed({"type": "error", **number, "param": None, **error})
        response = {**self._response, "status": "failed", "error": error}
        return framed({"type": "response.failed", **number, "response": response})

    def _events(self, block: bytes) -> Iterator[bytes]:
        for event in block.split(b"\n\n"):
            if not event:
                continue
            name, _, data = event.removeprefix(_NAME).partition(b"\n")
            if name not in _TELLING:
                yield event + b"\n\n"
                continue
            document: Any = loads(data.removeprefix(b"data:"))
            told: Any = document.get("response")
            self._response = {**(cast("Response", told) if isinstance(told, dict) else {}), **self._ours}
            if name in _LAST:
                self._last, self._came = document, event + b"\n\n"
            else:
                yield framed({**document, "response": self._response}) if self._ours else event + b"\n\n"
