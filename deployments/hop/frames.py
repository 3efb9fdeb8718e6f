"""Frames: a head of nine bytes, then a payload. Both ends of a connection cut what arrives here.

Used by `channel.py` (the router's end) and `session.py` (the replica's end); what stands in the payloads of
calls is `messages.py`.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import IntEnum
from struct import Struct

from voyager_llm.settings import Settings


class Kind(IntEnum):
    """What a frame is; the number is the one on the wire."""

    # To the replica. Before READY only the first two, one of each.
    HELLO = 1
    PROOF = 2
    # Gives what calls are about (an endpoint, a prompt) the number by which they name it.
    NAME = 3
    CALL = 4
    STREAM = 5
    CANCEL = 6
    # So many more bytes of a stream may be sent.
    CREDIT = 7
    PING = 8
    # To the router.
    CHALLENGE = 16
    READY = 17
    ANSWER = 18
    FAULT = 19
    BLOCK = 20
    END = 21
    # The replica is full or stops: the call has not begun.
    REJECT = 22
    # No more calls here: they would be rejected.
    GOAWAY = 23
    PONG = 24


# Length of the payload, kind, number of the call.
HEAD = Struct("<IBI")

# Of a stream: what may be under way without having been read by whoever asked for it.
WINDOW_BYTES = 256 * 1024

# Payloads of the handshake are shorter.
HANDSHAKE_BYTES = 128

# The largest block of a stream is one event, which `deployments/lanes/sse.py` bounds.
_LEAST_BYTES = 8 * 1024 * 1024

_U32 = Struct("<I")


class ProtocolError(Exception):
    """The other end does not keep to the protocol: the connection is closed. Leaves this room never."""


class FrameReader:
    """Cuts what arrives into frames. ``limit``: of a payload, in bytes; may be changed between frames."""

    __slots__ = ("_have", "_need", "_parts", "limit")

    def __init__(self, limit: int) -> None:
        self.limit = limit
        # What has come of a frame that is not whole yet. Joined once, when it is: a large frame comes in
        # many pieces.
        self._parts: list[bytes] = []
        self._have = 0
        self._need = HEAD.size

    def feed(self, data: bytes) -> Iterator[tuple[int, int, bytes]]:
        """(kind, number, payload) of each frame that is whole now. Raises `ProtocolError` for one over the
        limit, before its payload is kept."""
        if self._parts:
            self._parts.append(data)
            self._have += len(data)
            if self._have < self._need:
                return
            data = b"".join(self._parts)
            self._parts.clear()
        at, end, need = 0, len(data), HEAD.size
        while end - at >= HEAD.size:
            size, kind, number = HEAD.unpack_from(data, at)
            if size > self.limit:
                raise ProtocolError(f"a frame of {size} bytes; at most {self.limit} are taken")
            stop = at + HEAD.size + size
            if stop > end:
                need += size
                break
            yield kind, number, data[at + HEAD.size : stop]
            at = stop
        if at < end:
            self._parts.append(data[at:] if at else data)
            self._have = end - at
            self._need = need


def frame_bytes(settings: Settings) -> int:
    """The most that a frame may hold: a request's body or a provider's answer, and what goes with it."""
    return max(settings.max_body_bytes, settings.max_answer_bytes, _LEAST_BYTES) + 1024 * 1024


def frame(kind: Kind, number: int, payload: bytes = b"") -> bytes:
    """One frame, as it travels."""
    return HEAD.pack(len(payload), kind, number) + payload


def pack_number(number: int) -> bytes:
    return _U32.pack(number)


def read_number(payload: bytes) -> int:
    """The number at the start of a payload. Raises `ProtocolError` where there is none."""
    if len(payload) < _U32.size:
        raise ProtocolError("a payload without its number")
    return _U32.unpack_from(payload)[0]
