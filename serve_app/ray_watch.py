"""Watches Ray's own processes, which nobody restarts: they are to live and to answer. Used by `watch.py`, and
by `launch.py` while the application is being deployed.

One that is held still, by a signal or a debugger, is as bad as a dead one: nothing that dies is restarted any
more, and whoever asks it waits.
"""

from __future__ import annotations

import psutil

from serve_app.processes import Run, lives, program
from serve_app.pulse import Pulse
from serve_app.refusals import Failed

# By the names of their programs.
_RAY = {"gcs_server": "Ray's control store", "raylet": "Ray's raylet"}


class RayWatch:
    """Of one run, once Ray has started. Raises `Failed` when one of them is gone already."""

    def __init__(self, run: Run) -> None:
        found = {what: _named(run, name) for name, what in _RAY.items()}
        self._parts = [(what, process, _pulse_of(process)) for what, process in found.items()]

    def check(self) -> None:
        """Raises `Failed` when one died, or has not answered for some 15 seconds. Takes no time."""
        for what, process, pulse in self._parts:
            if not lives(process):
                raise Failed(f"{what} (process {process.pid}) died")
            if pulse is not None and pulse.is_silent():
                raise Failed(f"{what} (process {process.pid}) does not answer")


def _named(run: Run, name: str) -> psutil.Process:
    for process in run.processes():
        if lives(process) and program(process) == name:
            return process
    raise Failed(f"{_RAY[name]} died")


def _pulse_of(process: psutil.Process) -> Pulse | None:
    """Every port that they listen on speaks gRPC. None: it died this moment."""
    try:
        found = process.net_connections("tcp")
    except psutil.Error:
        return None
    ports = [connection.laddr.port for connection in found if connection.status == psutil.CONN_LISTEN]
    return Pulse(min(ports)) if ports else None
