"""How long an attempt may take before another endpoint is asked: pure functions of what is known.

Used by `deployments/request/walk.py`.
"""

from __future__ import annotations

# An answer may take this many times the longest that the endpoint took lately.
_TIMES_USUAL = 3.0
# Seconds that any endpoint gets, and tokens a second of one that writes slowly.
_FLOOR_SECONDS = 5.0
# Of what remains, whatever an endpoint usually takes: the rest is for those behind it.
_MOST = 0.75
_SLOW_TOKENS_PER_SECOND = 40.0


def patience_s(usual_s: float, output_tokens: int) -> float:
    """Seconds after which an endpoint that says nothing hangs, as far as is known.

    ``usual_s`` is the longest that it took lately to begin an answer (0: not known), ``output_tokens`` how
    many it writes before it says anything: all of a whole answer, none of a stream."""
    return max(_TIMES_USUAL * usual_s, _FLOOR_SECONDS + output_tokens / _SLOW_TOKENS_PER_SECOND)


def allowance_s(remaining_s: float, usual_s: float, output_tokens: int, *, others: bool) -> float:
    """Seconds that the next attempt gets of what remains until the request's deadline.

    The last one gets all. One with others behind it gets what its patience says, since a slow endpoint must
    not be cut off for being followed; where that is more than half of what remains, it gets the larger of
    the half and one and a half times what it usually takes, and never more than three quarters. One that
    nothing is known of gets three times the least patience, or the half."""
    if not others:
        return remaining_s
    half = remaining_s / 2
    patience = patience_s(usual_s, output_tokens)
    if not usual_s:
        return min(half, _TIMES_USUAL * patience)
    return patience if patience <= half else min(_MOST * remaining_s, max(half, 1.5 * usual_s))
