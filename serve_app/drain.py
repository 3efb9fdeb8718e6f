"""Lets what runs finish before everything is ended. Used by `launch.py`.

HAProxy stops softly: it closes its sockets, answers what is under way, tells clients to close, and ends.
Serve would start it anew: so Serve's controller and the manager of HAProxy are held still meanwhile; nobody
needs them any more. Replicas go on undisturbed.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from contextlib import suppress

import psutil

from serve_app.processes import Run, lives, title

# Who would start HAProxy again; the last is the shell around it, should it stay.
_KEEPERS = ("ray::ServeController", "ray::HAProxyManager", "/haproxy.sh")
_HAPROXY = "haproxy"
_POLL_SECONDS = 0.1


def drain(run: Run, timeout_s: float, pause: Callable[[float], None]) -> bool:
    """Take no new work, and wait until what runs is done, at most ``timeout_s`` seconds.

    Returns whether all of it was. Raises what ``pause`` raises."""
    for process in run.processes():
        if any(keeper in title(process) for keeper in _KEEPERS):
            with suppress(psutil.Error):
                process.suspend()
    stopped: set[int] = set()
    deadline = time.monotonic() + timeout_s
    # Several: those that a change of replicas displaced still answer their last requests. One that was
    # being started while the keepers were held is found later.
    while balancers := [p for p in run.processes() if lives(p) and _is_haproxy(p)]:
        for process in balancers:
            if process.pid not in stopped:
                stopped.add(process.pid)
                with suppress(psutil.Error):
                    process.send_signal(signal.SIGUSR1)
        if time.monotonic() > deadline:
            return False
        pause(_POLL_SECONDS)
    return True


def _is_haproxy(process: psutil.Process) -> bool:
    try:
        return process.name() == _HAPROXY
    except psutil.Error:
        return False
