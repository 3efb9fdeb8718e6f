"""One log line for each attempt that failed and each request that did: who, which, why, how long.

An observer of `accounts.py`. Lines are bounded in number, so that a provider that dies, or a client that
sends nonsense, fills no disk: what is left out is counted in the next one.
"""

from __future__ import annotations

import logging

from voyager_llm.clock import Clock
from voyager_llm.domain.completion import Account, Tried
from voyager_llm.domain.request import RequestContext
from voyager_llm.errors import RENDERINGS

log = logging.getLogger(__name__)

_LINES_A_SECOND = 100.0
_BURST = 500.0


class FailureLog:
    """Writes to the log of `voyager_llm/logs.py`."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._allowed = _BURST
        self._at = clock()
        self._left_out = 0

    def ended(self, ctx: RequestContext, account: Account) -> None:
        """A request is over."""
        if account.outcome == "ok" and len(account.attempts) == 1:
            return
        for tried in account.attempts:
            if tried.outcome not in ("ok", "cancelled"):
                self._write(logging.WARNING, "attempt failed", _attempt(ctx, account, tried))
        if account.outcome not in ("ok", "cancelled"):
            self._write(_level(account.outcome), "completion failed", _completion(ctx, account))

    def _write(self, level: int, message: str, fields: dict[str, object]) -> None:
        now = self._clock()
        self._allowed = min(_BURST, self._allowed + (now - self._at) * _LINES_A_SECOND)
        self._at = now
        if self._allowed < 1:
            self._left_out += 1
            return
        self._allowed -= 1
        if self._left_out:
            fields["left_out_before"] = self._left_out
            self._left_out = 0
        log.log(level, message, extra={"fields": fields})


def _level(code: str) -> int:
    """A client's own mistake is nothing to be called for."""
    rendering = RENDERINGS.get(code)
    return logging.INFO if rendering is not None and rendering.http < 429 else logging.WARNING


def _attempt(ctx: RequestContext, account: Account, tried: Tried) -> dict[str, object]:
    return {
        "trace": ctx.trace.id,
        "route": account.route,
        "model": tried.model,
        "endpoint": tried.endpoint,
        "reason": tried.reason,
        "outcome": tried.outcome,
        "cause": tried.message,
        "duration_ms": round(tried.duration_s * 1000, 1),
    }


def _completion(ctx: RequestContext, account: Account) -> dict[str, object]:
    fields: dict[str, object] = {
        "trace": ctx.trace.id,
        "subject": ctx.principal.subject,
        "route": account.route,
        "model": account.model,
        "outcome": account.outcome,
        "cause": account.cause,
        "attempts": len(account.attempts),
        "duration_ms": round(account.duration_s * 1000, 1),
    }
    if ctx.trace.parent_id:
        fields["parent"] = ctx.trace.parent_id
    if account.prompt_name:
        fields["prompt"] = f"{account.prompt_name}@{account.prompt_version}"
    if ctx.tags:
        fields["tags"] = dict(ctx.tags)
    return fields
