"""Streams as providers, proxies and home-made servers write them: the same events, in other bytes.

Every form is one that a reader of server-sent events must take (WHATWG HTML, 9.2), or that was seen in the
wild. Used by the server (`Profile.untidy`) and by tests of the lanes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType


def _lines(change: Callable[[bytes], bytes]) -> Callable[[bytes], bytes]:
    return lambda stream: b"\n".join(change(line) for line in stream.split(b"\n"))


def _no_blank_at_the_end(stream: bytes) -> bytes:
    return stream.rstrip(b"\n") + b"\n"


def _no_done(stream: bytes) -> bytes:
    return stream.replace(b"data: [DONE]\n\n", b"")


def _with_comments(stream: bytes) -> bytes:
    return b": connected\n\n" + stream.replace(b"\n\n", b"\n\n: keep-alive\n\n: ping\n\n")


def _with_fields(stream: bytes) -> bytes:
    return stream.replace(b"data: ", b"id: 7\nretry: 3000\nevent: message\ndata: ")


UNTIDY: Mapping[str, Callable[[bytes], bytes]] = MappingProxyType(
    {
        "carriage returns and line feeds": lambda stream: stream.replace(b"\n", b"\r\n"),
        "carriage returns": lambda stream: stream.replace(b"\n", b"\r"),
        "no blank": lambda stream: stream.replace(b"data: ", b"data:"),
        "blanks behind": _lines(lambda line: line + b"  " if line else line),
        "byte order mark": lambda stream: b"\xef\xbb\xbf" + stream,
        "comments": _with_comments,
        "other fields": _with_fields,
        "more blank lines": lambda stream: b"\n" + stream.replace(b"\n\n", b"\n\n\n"),
        "no blank line at the end": _no_blank_at_the_end,
        "no line end at the end": lambda stream: stream.rstrip(b"\n"),
        "no DONE": _no_done,
        "no DONE and no blank line at the end": lambda stream: _no_blank_at_the_end(_no_done(stream)),
    }
)
