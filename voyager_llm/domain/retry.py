"""Whether, when and how often what failed is tried again.

Used by `deployments/attempts.py`; the back-off of what runs for ever by the controller and the watch.
"""

from __future__ import annotations

import random

from voyager_llm.errors import (
    ContentPolicyRefused,
    ContextWindowExceeded,
    RateLimited,
    Unavailable,
    UpstreamInvalid,
    UpstreamMisconfigured,
    UpstreamTimeout,
    VoyagerError,
)

# The endpoint is at fault: another one, or a later try, may well answer.
_OUTAGES = (Unavailable, UpstreamInvalid, UpstreamTimeout, UpstreamMisconfigured, RateLimited)


def is_outage(error: VoyagerError) -> bool:
    """Whether the endpoint failed, as opposed to the request being wrong."""
    return isinstance(error, _OUTAGES)


def needs_larger_context(error: VoyagerError) -> bool:
    return isinstance(error, ContextWindowExceeded)


def needs_other_policy(error: VoyagerError) -> bool:
    return isinstance(error, ContentPolicyRefused)


def may_repeat(error: VoyagerError) -> bool:
    """Whether the *same* endpoint may be asked again at once. A time-out would only burn the rest of
    the deadline, a limit says when to come back, and wrong credentials stay wrong."""
    return isinstance(error, (Unavailable, UpstreamInvalid))


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
    """Retries are a share of the traffic: a provider that dies gets no storm on top.

    Every request pays in ``share``, every retry takes 1, and ``reserve`` lets a quiet service retry at
    all (the token bucket of Finagle's RetryBudget)."""

    __slots__ = ("_balance", "_cap", "_share")

    def __init__(self, share: float, reserve: float = 10.0) -> None:
        self._share = share
        self._cap = reserve
        self._balance = reserve

    def deposit(self) -> None:
        self._balance = min(self._cap, self._balance + self._share)

    def withdraw(self) -> bool:
        """Whether one more retry is allowed."""
        if self._balance < 1:
            return False
        self._balance -= 1
        return True
