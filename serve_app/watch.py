"""Notices when something dies that the service needs and that nothing brings back. Used by `launch.py`.

Ray restarts Serve's controller, which restarts HAProxy and every replica; they are missed only when they
stay away. Nobody restarts Ray itself (`ray_watch.py`). The launcher then ends the whole run instead of
mending it: what remains of a cluster is not to be trusted, and to start from nothing, with a back-off, is
what every supervisor (systemd, a container's runtime) does well.
"""

from __future__ import annotations

import time

from serve_app.processes import Run, lives, title
from serve_app.ray_watch import RayWatch
from serve_app.refusals import Failed

# What Ray and Serve restart, by a part of the command line.
_RESTARTED = {
    "ray::ServeController": "Serve's controller",
    "/haproxy ": "HAProxy",
    "ray::ServeReplica:voyager:ConfigHub": "the config hub",
    "ray::ServeReplica:voyager:ModelRouter": "the last router",
}
_RESTARTED_IN_SPLIT = {
    "ray::ServeReplica:voyager:LiteLLMCaller": "the last caller",
    "ray::ServeReplica:voyager:PromptRenderer": "the last renderer",
}
# To look through all processes costs some milliseconds.
_SEARCH_SECONDS = 3.0
# A restart takes five to fifteen seconds on a busy machine.
_AWAY_SECONDS = 45.0


class Watch:
    """The processes of one run, once its application is deployed.

    Raises `Failed` when Ray's own are gone already."""

    def __init__(self, run: Run, topology: str, away_s: float = _AWAY_SECONDS) -> None:
        """``away_s``: how long what is restarted may be missing."""
        self._run = run
        self._away_s = away_s
        self._ray = RayWatch(run)
        self._parts = _RESTARTED | (_RESTARTED_IN_SPLIT if topology == "split" else {})
        self._searched = time.monotonic()
        self._seen = dict.fromkeys(self._parts, self._searched)

    def check(self) -> None:
        """Raises `Failed` when something is gone for good. Cheap enough to be called twice a second."""
        self._ray.check()
        now = time.monotonic()
        if now - self._searched < _SEARCH_SECONDS:
            return
        # Time in which this machine slept is nobody's absence.
        slept = max(0.0, now - self._searched - 2 * _SEARCH_SECONDS)
        self._searched = now
        titles = [title(process) for process in self._run.processes() if lives(process)]
        for part, what in self._parts.items():
            if any(part in found for found in titles):
                self._seen[part] = now
                continue
            self._seen[part] += slept
            if now - self._seen[part] > self._away_s:
                raise Failed(f"{what} died and was not back after {self._away_s:.0f} s")
