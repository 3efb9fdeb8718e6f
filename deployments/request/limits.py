"""What a destination's limits are and how much of them is left, for whoever tells a client. Used by
`pipeline.py` where a limit refuses, and by the codecs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from deployments.request.quotas import Quotas
from voyager_llm.errors import Standing
from voyager_llm.snapshot import CompiledModel, SnapshotCell


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits a minute of models and routes, as far as this replica knows."""

    snapshots: SnapshotCell
    quotas: Quotas

    def of(self, destination: str) -> Mapping[str, Standing]:
        """A model's limits, "requests" and "tokens"; of a route, those of its target that has room first.
        None for a name that is unknown."""
        config = self.snapshots.current
        found = config.find(destination)
        if isinstance(found, CompiledModel):
            return self.quotas.standing(found)
        targets = config.known(target.model for target in found.targets) if found is not None else []
        known = [standing for one in targets if (standing := self.quotas.standing(one))]
        return min(known, key=lambda standing: max(one.reset_s for one in standing.values()), default={})
