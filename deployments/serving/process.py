"""What every process of the service does first: where it listens, where it logs, how it collects garbage.

Called by each deployment when it is made.
"""

from __future__ import annotations

import gc

from deployments.serving.listening import listen_on
from voyager_llm import logs
from voyager_llm.settings import settings

# The default looks for garbage every 700 objects, several times a request; requests leave few cycles.
_THRESHOLDS = (20_000, 20, 20)


def prepare() -> None:
    """Once a process; again it does nothing new."""
    config = settings()
    logs.configure(config.log_file)
    listen_on(config.replica_host)
    # What is allocated at the start Serve has frozen already.
    gc.set_threshold(*_THRESHOLDS)
