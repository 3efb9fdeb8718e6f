"""What a replica says of where it can be reached; Serve carries it to routers, as the replica's metadata.

Made by `server.py`, read by `peers.py`. Whoever reads it may call the replica: it holds its secret.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import TypeAdapter, ValidationError

from deployments.hop.messages import VERSION

_KEY = "hop"


@dataclass(frozen=True, slots=True)
class Announcement:
    """``path`` is a unix socket on the node ``node``; ``host`` and ``port`` are for other nodes (0: none)."""

    version: str
    node: str
    path: str
    host: str
    port: int
    # Calls at a time that one connection may have.
    limit: int
    # Hexadecimal, and not in any log.
    secret: str = field(repr=False)

    def metadata(self) -> dict[str, Any]:
        """For ``record_replica_metadata``."""
        return {_KEY: {name: getattr(self, name) for name in self.__slots__}}


_ADAPTER: TypeAdapter[Announcement] = TypeAdapter(Announcement)


def announced(metadata: Mapping[str, Any]) -> Announcement | None:
    """What a replica announced; None: nothing, or it speaks another version than this process."""
    given: Any = metadata.get(_KEY)
    if not isinstance(given, dict) or given.get("version") != VERSION:  # pyright: ignore[reportUnknownMemberType]
        return None
    try:
        found = _ADAPTER.validate_python(given)
    except ValidationError:
        return None
    return found
