"""How many connections HAProxy takes, of all and of one. Used by `haproxy_config.py` and `preflight.py`."""

from __future__ import annotations

import resource
from dataclasses import dataclass

from voyager_llm.settings import Settings

# Descriptors that HAProxy needs beside two for each connection: listeners, health checks, its own pipes.
_SPARE_FILES = 256
# What one address may have of all, unless a setting says otherwise: one part of so many.
_SHARE = 8


@dataclass(frozen=True, slots=True)
class FrontEnd:
    """Of one of the two front ends: what it takes in all, and of one client."""

    most: int
    per_client: int


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    """``calls_per_client``: requests at a time of one address, over HTTP and gRPC together."""

    total: int
    http: FrontEnd
    grpc: FrontEnd
    calls_per_client: int

    @classmethod
    def of(cls, settings: Settings, files: int) -> ConnectionLimits:
        """What ``settings`` ask for, as far as a process that may open ``files`` files can give it."""
        total = min(settings.max_connections, (files - _SPARE_FILES) // 2)
        # A connection of gRPC carries a hundred calls and may hold a megabyte or two: there are few.
        grpc = min(settings.max_grpc_connections, total // 4)
        per_client = min(settings.max_connections_per_client or total // _SHARE, total)
        return cls(
            total,
            http=FrontEnd(total - grpc, min(per_client, total - grpc)),
            grpc=FrontEnd(grpc, max(1, grpc * per_client // total)),
            calls_per_client=per_client,
        )


def files_allowed() -> int:
    """How many files a process that this one starts may open."""
    return resource.getrlimit(resource.RLIMIT_NOFILE)[1]
