"""Python's garbage collector, set for processes that answer many small requests. Used by the deployments."""

from __future__ import annotations

import gc

# The default looks for garbage every 700 objects, several times a request; requests leave few cycles.
_THRESHOLDS = (20_000, 20, 20)


def relax_collector() -> None:
    """Collect rarely; what is allocated at the start Serve has frozen already."""
    gc.set_threshold(*_THRESHOLDS)
