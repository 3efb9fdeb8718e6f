"""How often each prompt was completed, over all replicas and their lives. Used by `reconciler.py`.

A replica counts from its start; what it had counted when it was seen last is remembered, so that a replica
that comes, goes or starts anew never lowers a sum.
"""

from __future__ import annotations

from collections.abc import Mapping

from voyager_llm.report import Report


class UsageLedger:
    """Sums by prompt."""

    def __init__(self) -> None:
        self._sums: dict[str, int] = {}
        # None: no report came yet, and what replicas counted so far may be in the sums already.
        self._last: dict[tuple[str, str], int] | None = None

    def start_from(self, counted: Mapping[str, int]) -> None:
        """What earlier controllers had written into statuses; only for prompts not known yet."""
        for name, count in counted.items():
            self._sums.setdefault(name, count)

    def take(self, report: Report) -> None:
        """Add what the replicas counted since they were seen last."""
        seen = {
            (replica.replica, name): count
            for replica in report.replicas
            for name, count in replica.prompts.items()
        }
        if self._last is None:
            self._begin(seen)
        else:
            for key, count in seen.items():
                grown = count - self._last.get(key, 0)
                # A smaller count is a new life of the replica.
                self._sums[key[1]] = self._sums.get(key[1], 0) + (grown if grown >= 0 else count)
        self._last = seen

    def sums(self) -> Mapping[str, int]:
        return self._sums

    def _begin(self, seen: Mapping[tuple[str, str], int]) -> None:
        """Whichever is more: what was written, or what the replicas that live now have counted."""
        alive: dict[str, int] = {}
        for (_, name), count in seen.items():
            alive[name] = alive.get(name, 0) + count
        for name, count in alive.items():
            self._sums[name] = max(self._sums.get(name, 0), count)
