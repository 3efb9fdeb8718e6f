"""What the data plane was heard to say last, and what its replicas counted. Used by `reconciler.py`."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from controller.cluster import Observed
from controller.dataplane import DataPlane
from controller.usage import UsageLedger
from voyager_llm.domain.definition import Kind
from voyager_llm.report import Report

# For how long a report stands when the next one does not come.
_TRUST_S = 60.0


class Hearing:
    """Asks once a round."""

    def __init__(self, dataplane: DataPlane, clock: Callable[[], float]) -> None:
        self._dataplane = dataplane
        self._clock = clock
        self._usage = UsageLedger()
        self._last: Report | None = None
        self._heard_at = float("-inf")

    async def report(self) -> Report | None:
        """The data plane's report. One that is silent for a moment is as it was."""
        report = await self._dataplane.report()
        if report is not None:
            self._usage.take(report)
            self._last, self._heard_at = report, self._clock()
        elif self._clock() - self._heard_at > _TRUST_S:
            self._last = None
        return self._last

    @property
    def misses_publication(self) -> bool:
        """Whether the data plane could not read what was published."""
        return self._last is not None and bool(self._last.publication)

    def start_from(self, observed: Observed) -> None:
        """Usage as earlier controllers wrote it into statuses."""
        self._usage.start_from(
            {
                manifest["metadata"]["name"]: (manifest.get("status") or {}).get("usage_count") or 0
                for resource, manifest in observed.each()
                if resource.definition is Kind.PROMPT
            }
        )

    def uses(self) -> Mapping[str, int]:
        """Completions by prompt, over all replicas and their lives."""
        return self._usage.sums()
