"""Server-sent events off a byte stream (WHATWG HTML, 9.2). Used by the lanes that stream."""

from __future__ import annotations

from voyager_llm.errors import UpstreamInvalid

_MAX_EVENT_BYTES = 4 * 1024 * 1024


class EventSplitter:
    """Cuts a byte stream into the payloads of its ``data:`` fields, however it arrives in pieces."""

    __slots__ = ("_rest",)

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, piece: bytes) -> list[bytes]:
        """Payloads of the events that are complete now. Raises `UpstreamInvalid` for one without end."""
        data = self._rest + piece if self._rest else piece
        if b"\r" in data:
            # A CR at the very end may be half of a CRLF.
            tail = b"\r" if data.endswith(b"\r") else b""
            data = data[: len(data) - len(tail)].replace(b"\r\n", b"\n").replace(b"\r", b"\n") + tail
        end = data.rfind(b"\n\n")
        if end < 0:
            if len(data) > _MAX_EVENT_BYTES:
                raise UpstreamInvalid("the provider sent an event without end")
            self._rest = data
            return []
        self._rest = data[end + 2 :]
        return [payload for event in data[:end].split(b"\n\n") if (payload := _payload(event))]

    @property
    def rest(self) -> bytes:
        """Payload of what stands behind the last complete event: a stream that was cut off."""
        return _payload(self._rest.strip())


def _payload(event: bytes) -> bytes:
    if event.startswith(b"data:") and b"\n" not in event:
        return event[5:].strip()
    lines = [line[5:].strip() for line in event.split(b"\n") if line.startswith(b"data:")]
    return b"\n".join(lines)


def frame(payload: bytes) -> bytes:
    """A payload as one event."""
    return b"data: " + payload + b"\n\n"


DONE = b"data: [DONE]\n\n"
