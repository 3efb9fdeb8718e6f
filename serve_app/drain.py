"""Lets what runs finish before everything is ended. Used by `launch.py`.

Routers send those away who only wait for news (`deployments/health/leaving.py`). HAProxy stops softly: it
closes its sockets, answers what is under way, and tells clients to close. Serve would start it anew: so its
controller and the manager of HAProxy are held still meanwhile; nobody needs them any more. Replicas go on
undisturbed.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from contextlib import suppress

import psutil

from deployments.health import leaving
from serve_app.haproxy_admin import HAProxyAdmin, connected
from serve_app.processes import Run, lives, program, title

# Who would start HAProxy again.
_KEEPERS = ("ray::ServeController", "ray::HAProxyManager")
_HAPROXY = "haproxy"
_POLL_SECONDS = 0.1


def drain(run: Run, timeout_s: float, pause: Callable[[float], None]) -> bool:
    """Take no new work, and wait until what runs is done, at most ``timeout_s`` seconds.

    Returns whether all of it was. Raises what ``pause`` raises."""
    deadline = time.monotonic() + timeout_s
    leaving.tell(run.scratch)
    for process in run.processes():
        if any(keeper in title(process) for keeper in _KEEPERS):
            with suppress(psutil.Error):
                process.suspend()
    with connected(run.scratch) as admin:
        stopped: set[int] = set()
        while _is_busy(admin, _stop_softly(run, stopped)):
            if time.monotonic() > deadline:
                return False
            pause(_POLL_SECONDS)
    return True


def _stop_softly(run: Run, stopped: set[int]) -> list[int]:
    """Tell every HAProxy that was not told before; their ids. There are several after a change of replicas:
    those that it displaced still answer. One that was being started a moment ago is found late."""
    balancers = [process for process in run.processes() if lives(process) and program(process) == _HAPROXY]
    for process in balancers:
        if process.pid not in stopped:
            stopped.add(process.pid)
            with suppress(psutil.Error):
                process.send_signal(signal.SIGUSR1)
    return [process.pid for process in balancers]


def _is_busy(admin: HAProxyAdmin | None, balancers: list[int]) -> bool:
    """Whether requests are under way. One that cannot be asked is, until it ends."""
    if admin is None or balancers != [admin.pid]:
        return bool(balancers)
    return admin.requests_under_way() > 0
