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
        self._last: dict[tuple[str, str], int] = {}

    def start_from(self, counted: Mapping[str, int]) -> None:
        """What earlier controllers had written into statuses; only for prompts not known yet."""
        for name, count in counted.items():
            self._sums.setdefault(name, count)

    def take(self, report: Report) -> None:
        """Add what the replicas counted since they were seen last."""
        seen: dict[tuple[str, str], int] = {}
        for replica in report.replicas:
            for name, count in replica.prompts.items():
                key = (replica.replica, name)
                grown = count - self._last.get(key, 0)
                # A smaller count is a new life of the replica.
                self._sums[name] = self._sums.get(name, 0) + (grown if grown >= 0 else count)
                seen[key] = count
        self._last = seen

    def sums(self) -> Mapping[str, int]:
        return self._sums
