"""When and how often what failed is asked for again at the same endpoint.

Whether it may be, says `judgement.py`. Used by `deployments/request/`; the back-off of what runs for ever by
the controller and the watch.
"""

from __future__ import annotations

import random


def full_jitter(attempt: int, base_s: float = 0.05, cap_s: float = 2.0) -> float:
    """Seconds to wait before repeat number ``attempt`` (from 1) on the same endpoint.

    Uniform over the exponential range, so that clients of a failing provider do not come back in step
    (Brooker, "Exponential Backoff And Jitter", 2015)."""
    return random.uniform(0, min(cap_s, base_s * 2**attempt))


def backoff_s(failures: int, base_s: float, cap_s: float) -> float:
    """Seconds to pause after ``failures`` in a row, for a task that tries for ever: never at once.

    Half of the exponential pause and a random share of the rest ("equal jitter", Brooker, as above)."""
    # Days of failures must not overflow the power.
    return min(cap_s, base_s * 2.0 ** min(failures, 64)) * random.uniform(0.5, 1.0)


class RetryBudget:
    """Repeats are a share of an endpoint's calls: one that fails gets no storm on top.

    Every call pays in ``share``, every repeat takes 1, and ``reserve`` lets a quiet endpoint be asked again
    at all (the token bucket of Finagle's RetryBudget)."""

    __slots__ = ("_balance", "_cap", "_share")

    def __init__(self, share: float, reserve: float = 10.0) -> None:
        self._share = share
        self._cap = reserve
        self._balance = reserve

    def deposit(self) -> None:
        self._balance = min(self._cap, self._balance + self._share)

    def withdraw(self) -> bool:
        """Whether one more repeat is allowed."""
        if self._balance < 1:
            return False
        self._balance -= 1
        return True
