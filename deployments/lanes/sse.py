"""Server-sent events off a byte stream (WHATWG HTML, 9.2). Used by the lanes that stream."""

from __future__ import annotations

from voyager_llm.errors import UpstreamInvalid

_MAX_EVENT_BYTES = 4 * 1024 * 1024
# A byte order mark may come first.
_MARK = b"\xef\xbb\xbf"


class EventSplitter:
    """Cuts a byte stream into the payloads of its ``data:`` fields, however it arrives in pieces."""

    __slots__ = ("_has_begun", "_rest")

    def __init__(self) -> None:
        self._rest = b""
        self._has_begun = False

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
        whole = data[:end]
        if not self._has_begun:
            self._has_begun = True
            whole = whole.removeprefix(_MARK)
        return [payload for event in whole.split(b"\n\n") if (payload := _payload(event))]

    @property
    def rest(self) -> bytes:
        """Payload of what stands behind the last complete event: a stream that was cut off, or one whose
        last event has no blank line behind it."""
        return _payload(self._rest.strip())

    @property
    def is_done(self) -> bool:
        """Whether OpenAI's last event is there, though no blank line has come yet."""
        return self._rest.startswith(b"data") and self.rest == b"[DONE]"


def _payload(event: bytes) -> bytes:
    if event.startswith(b"data:") and b"\n" not in event:
        return event[5:].strip()
    lines = [line[5:].strip() for line in event.split(b"\n") if line.startswith(b"data:")]
    return b"\n".join(lines)


def frame(payload: bytes) -> bytes:
    """A payload as one event."""
    return b"data: " + payload + b"\n\n"


def begun(beginning: bytes) -> bytes:
    """The beginning of a body, without what may stand before it."""
    return beginning.lstrip(_BEFORE)


def is_stream(beginning: bytes) -> bool:
    """Whether a body that has `begun` so is a stream of events, whatever its type says."""
    return beginning.startswith(_FIELDS)


def is_telling(beginning: bytes) -> bool:
    """Whether as much has come as `is_stream` needs."""
    return len(beginning) >= _LONGEST_FIELD


DONE = b"data: [DONE]\n\n"
_BEFORE = _MARK + b" \t\r\n"
_FIELDS = (b"data:", b"event:", b"id:", b"retry:", b":")
_LONGEST_FIELD = max(map(len, _FIELDS))
