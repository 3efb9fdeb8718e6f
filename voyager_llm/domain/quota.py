"""A model's rate limits over all replicas: a strict sliding window that hands out leases.

The window lives in the config hub, one for each limited model. Router replicas lease a slice at a time
(`deployments/request/quotas.py`), so that most requests cost no hop. What is leased counts as used, so
however the replicas spend it, no 60 seconds ever see more than the limit. The replicas remember what they
were granted: a hub that starts anew asks them, and counts it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

# Grants of this long share an entry of the window.
_GRAIN_SECONDS = 0.1
# A lease is good for this long; the window is that much longer than a minute, so that a slice leased
# at its far edge and spent at once still falls inside.
LEASE_SECONDS = 2.0
WINDOW_SECONDS = 60.0 + LEASE_SECONDS + _GRAIN_SECONDS


@dataclass(frozen=True, slots=True)
class Lease:
    """What a replica may spend in the next `LEASE_SECONDS`. Nothing granted: try again after
    ``retry_after_s``; ``spent`` says which limit is reached, "requests" or "tokens"."""

    requests: int
    tokens: int
    retry_after_s: float = 0.0
    spent: str = ""
    # What is left for whoever asks next.
    free_requests: int = 0
    free_tokens: int = 0


@dataclass(frozen=True, slots=True)
class Grant:
    """A lease that a replica got ``age_s`` seconds ago."""

    age_s: float
    requests: int
    tokens: int


class SlidingWindow:
    """How much of ``limit`` was handed out within the last `WINDOW_SECONDS`."""

    __slots__ = ("_grants", "_used", "limit")

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._grants: deque[tuple[float, int]] = deque()
        self._used = 0

    def free(self, now: float) -> int:
        """Units that can be granted now."""
        while self._grants and self._grants[0][0] <= now - WINDOW_SECONDS:
            self._used -= self._grants.popleft()[1]
        return max(0, self.limit - self._used)

    def take(self, now: float, units: int) -> None:
        """Count units as used from ``now`` on, which never goes back. Those of `_GRAIN_SECONDS` share an
        entry, so memory is bounded."""
        if units <= 0:
            return
        self._used += units
        if self._grants and now - self._grants[-1][0] < _GRAIN_SECONDS:
            when, before = self._grants.pop()
            self._grants.append((when, before + units))
        else:
            self._grants.append((now, units))

    def wait(self, now: float, units: int) -> float:
        """Seconds until ``units`` are free."""
        missing = units - self.free(now)
        for when, granted in self._grants:
            if missing <= 0:
                break
            missing -= granted
            if missing <= 0:
                return max(0.0, when + WINDOW_SECONDS - now)
        return 0.0 if missing <= 0 else WINDOW_SECONDS


class ModelQuota:
    """Requests and tokens of one model a minute; 0 means no limit."""

    __slots__ = ("requests", "tokens")

    def __init__(self, requests_per_minute: int, tokens_per_minute: int) -> None:
        self.requests = SlidingWindow(requests_per_minute)
        self.tokens = SlidingWindow(tokens_per_minute)

    def recall(self, now: float, grants: Iterable[Grant]) -> None:
        """Count what an earlier quota granted. Before the first lease of this one."""
        for grant in sorted(grants, key=lambda grant: grant.age_s, reverse=True):
            self.requests.take(now - grant.age_s, grant.requests)
            self.tokens.take(now - grant.age_s, grant.tokens)

    def lease(self, now: float, requests: int, tokens: int) -> Lease:
        """Grant up to ``requests`` (at least one) and at least ``tokens``, or nothing; more, up to a
        second's share of the limit, where it is free.

        A request that alone exceeds the limit of tokens is granted the whole limit once it is free,
        for else it could never run."""
        tokens = min(tokens, self.tokens.limit) if self.tokens.limit else 0
        waits = {"requests": 0.0, "tokens": 0.0}
        if self.requests.limit and self.requests.free(now) < 1:
            waits["requests"] = self.requests.wait(now, 1)
        if self.tokens.limit and self.tokens.free(now) < tokens:
            waits["tokens"] = self.tokens.wait(now, tokens)
        spent = max(waits, key=lambda name: waits[name])
        granted_requests = granted_tokens = 0
        if not waits[spent]:
            spent = ""
            granted_requests = _slice(self.requests, now, requests)
            granted_tokens = _slice(self.tokens, now, tokens)
            self.requests.take(now, granted_requests)
            self.tokens.take(now, granted_tokens)
        return Lease(
            granted_requests,
            granted_tokens,
            waits.get(spent, 0.0),
            spent,
            self.requests.free(now),
            self.tokens.free(now),
        )


def _slice(window: SlidingWindow, now: float, asked: int) -> int:
    if not window.limit:
        return 0
    return min(window.free(now), max(asked, window.limit // 60))
