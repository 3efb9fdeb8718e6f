"""Frames on their way out: those of one turn of the event loop leave in one write.

A write is a system call that wakes the other process; several calls and blocks share it. Used by both ends,
`channel.py` and `session.py`.
"""

from __future__ import annotations

import asyncio

from deployments.hop.frames import HEAD, Kind


class Outbox:
    """Of one connection. What is put in after that has closed is dropped."""

    __slots__ = ("_loop", "_parts", "_transport")

    def __init__(self, transport: asyncio.Transport) -> None:
        self._loop = asyncio.get_running_loop()
        self._transport = transport
        self._parts: list[bytes] = []

    def put(self, kind: Kind, number: int, *payload: bytes) -> None:
        """Send a frame whose payload is these pieces, joined."""
        if not self._parts:
            self._loop.call_soon(self.flush)
        self._parts.append(HEAD.pack(sum(map(len, payload)), kind, number))
        self._parts += payload

    def flush(self) -> None:
        """Write what is there now."""
        if self._parts and not self._transport.is_closing():
            self._transport.write(b"".join(self._parts))
        self._parts.clear()
