"""Which replicas a deployment has, handed from Serve's request router (`announcer.py`) to `peers.py`.

Serve copies the request router's class by value into each process, with its module's globals: what both sides
share stands here, in a module that is imported.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

# What each replica announced of itself, by its id.
Replicas = Mapping[str, Mapping[str, Any]]
Watcher = Callable[[Replicas], None]

_watchers: dict[str, list[tuple[asyncio.AbstractEventLoop, Watcher]]] = {}
_replicas: dict[str, Replicas] = {}


def watch(deployment: str, watcher: Watcher) -> None:
    """Have ``watcher`` called on this event loop, now and whenever the running replicas change."""
    _watchers.setdefault(deployment, []).append((asyncio.get_running_loop(), watcher))
    if deployment in _replicas:
        watcher(_replicas[deployment])


def announce(deployment: str, replicas: Replicas) -> None:
    """Tell watchers which replicas run, from whatever thread Serve's router has."""
    _replicas[deployment] = replicas
    for loop, watcher in _watchers.get(deployment, ()):
        loop.call_soon_threadsafe(watcher, replicas)
