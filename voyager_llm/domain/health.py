"""Health of one endpoint for one operation, from what its calls and probes showed.

Pure decisions over a clock that the caller passes in (seconds, monotonic). Which failure says what stands in
`judgement.py`. Kept by `deployments/request/endpoints.py`; a call ends on the object on which it started.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

from voyager_llm.domain.retry import RetryBudget


class Phase(StrEnum):
    """What a person sees of a model's health."""

    PENDING = "Pending"
    READY = "Ready"
    DEGRADED = "Degraded"
    UNAVAILABLE = "Unavailable"


@dataclass(frozen=True, slots=True)
class HealthPolicy:
    """When calls stay away from an endpoint, and for how long. Times in seconds."""

    # Failed connections in a row after which nobody is sent there.
    connections: int = 5
    # Witnessed faults in a row after which it is asked after the others.
    faults: int = 3
    base_pause_s: float = 2.0
    max_pause_s: float = 60.0
    # Pause after a limit that came without a hint; doubles as the others do.
    limit_pause_s: float = 1.0
    # Half-life of what is remembered of successes and failures.
    memory_s: float = 30.0
    # Decay of the peak-EWMA latency.
    latency_decay_s: float = 10.0
    # Half-life of the longest time that an answer took to begin.
    longest_memory_s: float = 300.0
    # Repeats at the same endpoint, as a share of its calls.
    repeats: float = 0.2


DEFAULT_POLICY = HealthPolicy()


class Pause:
    """Keeps calls away after failures in a row, twice as long each time; then one call is the trial."""

    __slots__ = ("_base_s", "_max_s", "_row", "_threshold", "_trips", "trial", "until")

    def __init__(self, threshold: int, base_s: float, max_s: float) -> None:
        self._threshold = threshold
        self._base_s = base_s
        self._max_s = max_s
        self._row = 0
        self._trips = 0
        self.trial: Trial | None = None
        self.until = 0.0

    def is_over(self, now: float) -> bool:
        """Whether calls may go there: no pause, or one that is over and whose trial has not begun."""
        return now >= self.until and self.trial is None

    def start(self, now: float) -> Trial | None:
        """A call begins: the trial, where one is due."""
        if not self._trips or self.trial is not None or now < self.until:
            return None
        self.trial = Trial(self)
        return self.trial

    def failed(self, now: float) -> None:
        self._row += 1
        if self._trips or self._row >= self._threshold:
            self.until = now + min(self._max_s, self._base_s * 2.0 ** min(self._trips, 10))
            self._trips += 1

    def extend(self, until: float) -> None:
        """Keep calls away at least so long, by the provider's own word."""
        self.until = max(self.until, until)
        self._trips = max(self._trips, 1)

    def succeeded(self) -> None:
        self._row = 0
        self._trips = 0
        self.until = 0.0
        self.trial = None


class Trial:
    """The one call that decides whether a pause goes on. Others stay away until it is over."""

    __slots__ = ("_pause",)

    def __init__(self, pause: Pause) -> None:
        self._pause = pause

    def over(self) -> None:
        """With a verdict or without one (the client went away, or was wrong)."""
        if self._pause.trial is self:
            self._pause.trial = None


class EndpointHealth:
    """May it be asked, may it be asked first, how long does it take, how did it fare."""

    __slots__ = (
        "_decayed_at", "_down", "_failures", "_limit", "_longest", "_longest_at", "_policy", "_row",
        "_successes", "_suspect", "cooldown_until", "in_flight", "last_seen", "latency_s", "message",
        "repeats",
    )  # fmt: skip

    def __init__(self, policy: HealthPolicy = DEFAULT_POLICY) -> None:
        self._policy = policy
        self._down = Pause(policy.connections, policy.base_pause_s, policy.max_pause_s)
        self._suspect = Pause(policy.faults, policy.base_pause_s, policy.max_pause_s)
        self._limit = Pause(1, policy.limit_pause_s, policy.max_pause_s)
        self._successes = 0.0
        self._failures = 0.0
        self._row = 0
        self._decayed_at = 0.0
        # Longest seconds until a whole answer, and until a stream began; each with its time.
        self._longest = [0.0, 0.0]
        self._longest_at = [0.0, 0.0]
        self.cooldown_until = 0.0
        self.in_flight = 0
        self.latency_s = 0.0
        # Monotonic time of the last result; 0: none yet.
        self.last_seen = 0.0
        self.message = ""
        self.repeats = RetryBudget(policy.repeats)

    def admits(self, now: float) -> bool:
        """Whether a call may go there at all."""
        return now >= self.cooldown_until and self._down.is_over(now)

    def is_suspect(self, now: float) -> bool:
        """Whether others are asked first."""
        return not (self._suspect.is_over(now) and self._limit.is_over(now))

    def start(self, now: float) -> list[Trial]:
        """A call begins. Returns what it is the trial of, for `release`."""
        self.in_flight += 1
        self.repeats.deposit()
        pauses = (self._down, self._suspect, self._limit)
        return [trial for pause in pauses if (trial := pause.start(now)) is not None]

    def release(self, trials: list[Trial]) -> None:
        """The call is over, with a verdict or without one."""
        self.in_flight -= 1
        for trial in trials:
            trial.over()

    def reached(self) -> None:
        """It can be reached: its answer to a probe says nothing of how long a request takes."""
        self._down.succeeded()
        self._limit.succeeded()

    def began(self, now: float, latency_s: float, *, stream: bool) -> None:
        """An answer came, or a stream began: the endpoint can be reached and is not at its limit."""
        self.reached()
        self._observe(now, latency_s)
        if latency_s >= self.usual_s(now, stream=stream):
            self._longest[stream] = latency_s
            self._longest_at[stream] = now

    def succeeded(self, now: float) -> None:
        """An answer or a stream came to its proper end."""
        self._note(now)
        self._successes += 1
        self._row = 0
        self._suspect.succeeded()
        self.message = ""

    def failed(self, now: float, message: str) -> None:
        """An attempt failed, as people are shown it; calls stay away by the methods below alone."""
        self._note(now)
        self._failures += 1
        self._row += 1
        self.message = message

    def unreachable(self, now: float) -> None:
        """No connection could be made."""
        self._down.failed(now)

    def suspect(self, now: float, hint_s: float = 0.0) -> None:
        """It is at fault, as far as can be told. ``hint_s``: for how long, by its own word."""
        self._suspect.failed(now)
        if hint_s > 0:
            self._suspect.extend(now + min(hint_s, self._policy.max_pause_s))

    def limited(self, now: float, hint_s: float) -> None:
        """The provider's limit is reached. With a hint nobody is sent there until then; without one it is
        asked after the others, ever longer while that goes on."""
        if hint_s > 0:
            until = now + min(hint_s, self._policy.max_pause_s)
            self.cooldown_until = max(self.cooldown_until, until)
        else:
            self._limit.failed(now)

    def wait(self, now: float) -> float:
        """Seconds until a call may be admitted."""
        return max(0.0, self.cooldown_until - now, self._down.until - now)

    def usual_s(self, now: float, *, stream: bool) -> float:
        """The longest that an answer took lately to come, or a stream to begin; 0: not known."""
        longest = self._longest[stream]
        if not longest:
            return 0.0
        return float(longest * 0.5 ** ((now - self._longest_at[stream]) / self._policy.longest_memory_s))

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
        if not self._down.is_over(now) or self._row >= self._policy.connections:
            return Phase.UNAVAILABLE
        if now < self.cooldown_until or self._row or self.is_suspect(now):
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
