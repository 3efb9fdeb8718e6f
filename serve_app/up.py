"""Becomes the launcher: prepares the environment that Ray reads at import, then executes it.

Used by `cli.py`; apart from it so that other commands never wait for Ray to be imported.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path
from typing import NoReturn

from serve_app.environment import serve_environment
from voyager_llm.settings import Settings


def become_launcher(settings: Settings) -> NoReturn:
    """Replace this process by the launcher. What `settings` hold must stand in the environment."""
    scratch = Path(tempfile.mkdtemp(prefix="voyager-llm-"))
    # The launcher keeps this process' id: exec replaces the program, not the process.
    run = f"{scratch.name}:{os.getpid()}"
    environment = {**os.environ, **serve_environment(settings, scratch, run)}
    root = str(Path(__file__).resolve().parent.parent)
    environment["PYTHONPATH"] = os.pathsep.join(
        part for part in (root, os.environ.get("PYTHONPATH", "")) if part
    )
    sys.stdout.flush()
    os.execve(  # noqa: S606
        sys.executable, [sys.executable, "-m", "serve_app.launch"], environment
    )
