"""A cache bounded by what its values weigh, not by how many there are: one of a megabyte counts as one.

Used for compiled templates (`templating/template.py`) and for prompts on their way to renderers
(`deployments/serving/handles.py`, `deployments/hop/services.py`).
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from threading import Lock
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Kept(Generic[K, V]):
    """The values used last, as many as fit into ``limit`` bytes. Safe among threads."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self.bytes = 0
        self._values: OrderedDict[K, tuple[V, int]] = OrderedDict()
        self._lock = Lock()

    def get(self, key: K) -> V | None:
        with self._lock:
            found = self._values.get(key)
            if found is None:
                return None
            self._values.move_to_end(key)
            return found[0]

    def put(self, key: K, value: V, size: int) -> V:
        """Keep a value of ``size`` bytes; returns it."""
        with self._lock:
            self._drop(key)
            self._values[key] = (value, size)
            self.bytes += size
            while self.bytes > self._limit:
                self._drop(next(iter(self._values)))
        return value

    def _drop(self, key: K) -> None:
        dropped = self._values.pop(key, None)
        if dropped is not None:
            self.bytes -= dropped[1]
