"""Sees what this process does to the outside: every connection, look-up of a name and opened file.

Python's audit events (PEP 578), which no library can go round that uses Python's sockets and files. Used by
the tests beside this file.
"""

from __future__ import annotations

import socket
import sys
from dataclasses import dataclass, field
from typing import Any, Self

_LOOPBACK = ("127.0.0.1", "::1", "localhost")


@dataclass
class Watch:
    """What happened while it was entered. Look-ups of other machines' names fail, so that none is called."""

    connections: set[tuple[str, int]] = field(default_factory=set[tuple[str, int]])
    look_ups: set[str] = field(default_factory=set[str])
    files: set[str] = field(default_factory=set[str])

    def __enter__(self) -> Self:
        _active.append(self)
        return self

    def __exit__(self, *_: object) -> None:
        _active.remove(self)


_active: list[Watch] = []


def _hook(event: str, arguments: tuple[Any, ...]) -> None:
    if not _active:
        return
    if event == "socket.connect" and isinstance(arguments[1], tuple):
        for watch in _active:
            watch.connections.add((str(arguments[1][0]), int(arguments[1][1])))
    elif event == "socket.getaddrinfo":
        host = arguments[0].decode() if isinstance(arguments[0], bytes) else str(arguments[0])
        for watch in _active:
            watch.look_ups.add(host)
        if host not in _LOOPBACK:
            raise socket.gaierror(socket.EAI_NONAME, "this test looks nobody up")
    elif event == "open" and isinstance(arguments[0], (str, bytes)):
        name = arguments[0].decode() if isinstance(arguments[0], bytes) else arguments[0]
        for watch in _active:
            watch.files.add(name)


sys.addaudithook(_hook)
