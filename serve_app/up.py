"""Becomes the launcher: prepares the environment that Ray reads at import, then executes it.

Used by `cli.py`; apart from it so that other commands never wait for Ray to be imported.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
from pathlib import Path
from typing import NoReturn

from serve_app.environment import serve_environment
from serve_app.processes import Run
from serve_app.signals import TAKEN
from voyager_llm.settings import Settings, without_secrets


def become_launcher(settings: Settings) -> NoReturn:
    """Replace this process by the launcher. What ``settings`` hold must stand in the environment.

    Raises `OSError` when there are no free ports, or no place for a scratch folder."""
    # A stop that is asked for now waits until the launcher can take it, instead of ending in a stack trace.
    signal.pthread_sigmask(signal.SIG_BLOCK, TAKEN)
    # Definitions, logs and locks are for this user alone, whatever folder they are in; inherited by all.
    os.umask(0o077)
    # The launcher keeps this process' id: exec replaces the program, not the process.
    run = Run.begin()
    try:
        inherited = without_secrets(os.environ, run.scratch)
        environment = {**inherited, **serve_environment(settings, run.scratch, run.mark)}
        root = str(Path(__file__).resolve().parent.parent)
        environment["PYTHONPATH"] = os.pathsep.join(
            part for part in (root, os.environ.get("PYTHONPATH", "")) if part
        )
        sys.stdout.flush()
        os.execve(  # noqa: S606
            sys.executable, [sys.executable, "-m", "serve_app.launch"], environment
        )
    except BaseException:
        shutil.rmtree(run.scratch, ignore_errors=True)
        raise
