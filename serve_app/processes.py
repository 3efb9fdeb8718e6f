"""Finds and ends the processes of a run: Ray kills its own, HAProxy outlives a killed cluster.

Every process of a run inherits the mark `VOYAGER_RUN=<id>:<pid of the launcher>`. Used by `launch.py`.
"""

from __future__ import annotations

import os
from contextlib import suppress

import psutil

from serve_app.environment import RUN_MARK


def of_run(run: str) -> list[psutil.Process]:
    """Processes that carry the run's mark, this one excepted."""
    return [process for process, mark in _marked() if mark == run]


def abandoned() -> list[psutil.Process]:
    """Processes of runs whose launcher is gone: it was killed and could not clean up."""
    return [process for process, mark in _marked() if not _launcher_lives(mark)]


def end(processes: list[psutil.Process], grace_s: float = 5.0) -> None:
    """Ask them to stop, and kill what has not stopped after ``grace_s`` seconds."""
    for process in processes:
        with suppress(psutil.Error):
            process.terminate()
    _, alive = psutil.wait_procs(processes, timeout=grace_s)
    for process in alive:
        with suppress(psutil.Error):
            process.kill()
    psutil.wait_procs(alive, timeout=grace_s)


def _marked() -> list[tuple[psutil.Process, str]]:
    found: list[tuple[psutil.Process, str]] = []
    for process in psutil.process_iter():
        if process.pid == os.getpid():
            continue
        with suppress(psutil.Error, OSError):
            mark = process.environ().get(RUN_MARK)
            if mark:
                found.append((process, mark))
    return found


def _launcher_lives(mark: str) -> bool:
    pid = mark.rpartition(":")[2]
    with suppress(psutil.Error, OSError, ValueError):
        return psutil.Process(int(pid)).environ().get(RUN_MARK) == mark
    return False
