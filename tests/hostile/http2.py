"""As much of HTTP/2 as it takes to begin a gRPC call and not to end it."""

from __future__ import annotations

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_SETTINGS = b"\0\0\0\4\0\0\0\0\0"


def frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload


def literal(name: bytes, value: bytes) -> bytes:
    return b"\0" + bytes([len(name)]) + name + bytes([len(value)]) + value


def call(path: bytes) -> bytes:
    """The headers of a call of this method."""
    headers = {
        b":method": b"POST",
        b":scheme": b"http",
        b":path": path,
        b":authority": b"a",
        b"te": b"trailers",
        b"content-type": b"application/grpc",
    }
    return b"".join(literal(name, value) for name, value in headers.items())


CALL = call(b"/voyager.llm.v1.ModelManager/ListModels")
OPENED = PREFACE + _SETTINGS
