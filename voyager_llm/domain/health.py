"""Health of one endpoint, from what its calls and probes showed: latency, availability, breaker.

Pure decisions over a clock that the caller passes in (seconds, monotonic). One instance an endpoint and
router replica; used by `deployments/router.py`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum


class Phase(StrEnum):
    """What a person sees of a model's health."""

    PENDING = "Pending"
    READY = "Ready"
    DEGRADED = "Degraded"
    UNAVAILABLE = "Unavailable"


@dataclass(frozen=True, slots=True)
class HealthPolicy:
    """When an endpoint is ejected, and for how long."""

    consecutive_failures: int = 5
    # Ejected when this share of at least `min_samples` recent attempts failed.
    failure_share: float = 0.5
    min_samples: int = 20
    base_ejection_s: float = 2.0
    max_ejection_s: float = 60.0
    # Half-life of what is remembered of successes and failures.
    memory_s: float = 30.0
    # Decay of the peak-EWMA latency.
    latency_decay_s: float = 10.0


DEFAULT_POLICY = HealthPolicy()


class EndpointHealth:
    """Circuit breaker (closed, open, half-open), peak-EWMA latency and availability of one endpoint."""

    __slots__ = (
        "_decayed_at", "_failures", "_half_open", "_open_until", "_policy", "_row", "_successes",
        "_trips", "cooldown_until", "in_flight", "last_seen", "latency_s", "message",
    )  # fmt: skip

    def __init__(self, policy: HealthPolicy = DEFAULT_POLICY) -> None:
        self._policy = policy
        self._successes = 0.0
        self._failures = 0.0
        self._row = 0
        self._trips = 0
        self._open_until = 0.0
        self._half_open = False
        self._decayed_at = 0.0
        self.cooldown_until = 0.0
        self.in_flight = 0
        self.latency_s = 0.0
        # Monotonic time of the last result; 0: none yet.
        self.last_seen = 0.0
        self.message = ""

    def admits(self, now: float) -> bool:
        """Whether a call may go there: closed, or half-open with no trial under way."""
        if now < self.cooldown_until or now < self._open_until:
            return False
        return not (self._trips and self._half_open)

    def start(self, now: float) -> None:
        """A call begins. After an ejection the first one is the trial that decides."""
        self.in_flight += 1
        if self._trips and now >= self._open_until:
            self._half_open = True

    def release(self) -> None:
        """The call is over, with a verdict or without one (the client went away, or was wrong)."""
        self.in_flight -= 1
        self._half_open = False

    def succeeded(self, now: float, latency_s: float) -> None:
        """The endpoint answered, or its stream began; the breaker closes."""
        self._note(now)
        self._successes += 1
        self._row = 0
        self._trips = 0
        self._open_until = 0.0
        self.message = ""
        self._observe(now, latency_s)

    def failed(self, now: float, message: str, retry_after_s: float = 0.0) -> None:
        """A call failed by the endpoint's fault. ``retry_after_s`` keeps calls away that long."""
        self._note(now)
        trial = bool(self._trips)
        self._failures += 1
        self._row += 1
        self.message = message
        total = self._failures + self._successes
        share = total >= self._policy.min_samples and self._failures / total >= self._policy.failure_share
        if trial or share or self._row >= self._policy.consecutive_failures:
            self._trip(now)
        self.cool_down(now, retry_after_s)

    def cool_down(self, now: float, retry_after_s: float) -> None:
        """Keep calls away for the time that the provider asked for."""
        if retry_after_s > 0:
            self.cooldown_until = max(
                self.cooldown_until, now + min(retry_after_s, self._policy.max_ejection_s)
            )

    def limited(self, now: float, retry_after_s: float) -> None:
        """The provider said 429: it is alive, but calls stay away for a while."""
        self._note(now)
        self.cool_down(now, retry_after_s or 1.0)

    def wait(self, now: float) -> float:
        """Seconds until a call may be admitted."""
        return max(0.0, self.cooldown_until - now, self._open_until - now)

    def load(self, now: float) -> float:
        """Peak-EWMA cost: expected seconds until an answer, given the calls in flight."""
        decay = math.exp(-max(0.0, now - self._decayed_at) / self._policy.latency_decay_s)
        return (self.latency_s * decay + 1e-6) * (self.in_flight + 1)

    def availability(self) -> float | None:
        """Share of recent calls that succeeded, in percent; None before the first."""
        total = self._successes + self._failures
        return 100.0 * self._successes / total if total else None

    def phase(self, now: float) -> Phase:
        if not self.last_seen:
            return Phase.PENDING
        if now < self._open_until or self._trips:
            return Phase.UNAVAILABLE
        if now < self.cooldown_until or self._row:
            return Phase.DEGRADED
        return Phase.READY

    def _note(self, now: float) -> None:
        if self.last_seen:
            fade = 0.5 ** ((now - self.last_seen) / self._policy.memory_s)
            self._successes *= fade
            self._failures *= fade
        self.last_seen = now

    def _observe(self, now: float, latency_s: float) -> None:
        # Peak EWMA: a slow answer counts at once, a fast one only slowly.
        if latency_s >= self.latency_s:
            self.latency_s = latency_s
        else:
            weight = math.exp(-max(0.0, now - self._decayed_at) / self._policy.latency_decay_s)
            self.latency_s = self.latency_s * weight + latency_s * (1 - weight)
        self._decayed_at = now

    def _trip(self, now: float) -> None:
        ejection = self._policy.base_ejection_s * 2 ** min(self._trips, 10)
        self._open_until = now + min(ejection, self._policy.max_ejection_s)
        self._trips += 1
