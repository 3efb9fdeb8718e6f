"""What calls are about (an endpoint, a prompt) is sent once over a connection, and then named by a number.

Both tables hold the same and are bounded in number and bytes: when the router's end is full it begins anew at
zero, and so does the replica's. Used by `channel.py` and `session.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from deployments.hop.frames import ProtocolError

MAX_NAMES = 16_384
MAX_BYTES = 16_000_000


class Numbers:
    """The router's end: things, by identity. Frozen ones only, as nobody would send a change."""

    def __init__(self) -> None:
        # Holds each thing, so that no other gets its identity.
        self._numbers: dict[int, tuple[object, int]] = {}
        self._bytes = 0

    def known(self, thing: object) -> int | None:
        """The number under which the other end knows it."""
        found = self._numbers.get(id(thing))
        return found[1] if found is not None else None

    def give(self, thing: object, size: int) -> int:
        """A number for what the other end does not know; ``size``: bytes in which it is sent there, first."""
        if len(self._numbers) >= MAX_NAMES or self._bytes + size > MAX_BYTES:
            self._numbers.clear()
            self._bytes = 0
        number = len(self._numbers)
        self._numbers[id(thing)] = (thing, number)
        self._bytes += size
        return number


class Names:
    """The replica's end. ``read`` makes a thing of what was sent."""

    def __init__(self, read: Callable[[bytes], Any]) -> None:
        self._read = read
        self._things: list[Any] = []
        self._bytes = 0

    def learn(self, number: int, payload: bytes) -> None:
        """Raises `ProtocolError` when it is not the next number, or the table is full."""
        if number == 0:
            self._things.clear()
            self._bytes = 0
        self._bytes += len(payload)
        if number != len(self._things) or number >= MAX_NAMES or self._bytes > MAX_BYTES:
            raise ProtocolError("a name that is not the next, or too many")
        self._things.append(self._read(payload))

    def thing(self, number: int) -> Any:
        """Raises `ProtocolError` for a number that names nothing."""
        if number >= len(self._things):
            raise ProtocolError("a number that names nothing")
        return self._things[number]
