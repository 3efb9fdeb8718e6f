"""Processes that look like those of a run: real ones, under other names."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import psutil

from serve_app.environment import RUN_MARK
from serve_app.processes import Run
from tests.support.running import until


def pretend(run: Run, folder: Path, program: str, *, title: str = "", deaf_to: str = "") -> psutil.Process:
    """Start a process of a run that sleeps: the name of its program, its command line if it is another, and
    a signal that it ignores. A copy of the program is kept in ``folder``."""
    path = folder / program
    if not path.exists():
        shutil.copy(shutil.which("sleep") or "", path)
    ignoring = f"trap '' {deaf_to}; " if deaf_to else ""
    command = f"{ignoring}exec -a '{title or path}' '{path}' 600"
    started = subprocess.Popen(["bash", "-c", command], env={**os.environ, RUN_MARK: run.mark})
    process = psutil.Process(started.pid)
    until(lambda: process.name() == program, f"{program} runs")
    return process
