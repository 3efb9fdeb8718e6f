"""The clock of everything that decides by time: monotonic seconds. Tests hand in one of their own.

Used by `deployments/request/` and whatever keeps health, limits or deadlines.
"""

from __future__ import annotations

from collections.abc import Callable

Clock = Callable[[], float]
