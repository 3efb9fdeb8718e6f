"""The Ray driver as the launcher sees it: a process that reports steps and may die. Used by `launch.py`."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

from serve_app.refusals import Failed

# What the driver reports, in this order; then one of the last two for each `REPLACE` that it is told.
RAY_STARTED, SERVE_STARTED, DEPLOYED = "ray started", "serve started", "deployed"
REPLACE, REPLACED, NOT_REPLACED = "replace", "replaced", "not replaced"


class Cluster:
    """Starts the driver (`driver.py`); what it and Ray print goes to ``log``."""

    def __init__(self, log: Path) -> None:
        self._log = log
        self._reports, told = os.pipe()
        os.set_blocking(self._reports, False)
        with log.open("ab") as output:
            self._driver = subprocess.Popen(
                [sys.executable, "-m", "serve_app.driver", str(told)],
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=output,
                pass_fds=(told,),
                # Ctrl-C in a terminal reaches a whole process group; what runs is to end later than that.
                start_new_session=True,
            )
        os.close(told)
        self._unfinished = ""

    def reports(self) -> list[str]:
        """The steps reported since this was asked last."""
        with suppress(BlockingIOError):
            self._unfinished += os.read(self._reports, 4096).decode()
        *lines, self._unfinished = self._unfinished.split("\n")
        return lines

    def replace_replicas(self) -> None:
        """Have every replica replaced, one after the other; how that went is reported in the end."""
        if self._driver.stdin is not None:
            self._driver.stdin.write(f"{REPLACE}\n".encode())
            self._driver.stdin.flush()

    def check(self) -> None:
        """Raises `Failed` when the driver is gone, with what it said last."""
        code = self._driver.poll()
        if code is not None:
            raise Failed(f"Ray's driver ended with code {code}: {_last_line(self._log)}")


def _last_line(log: Path) -> str:
    lines = log.read_text(errors="replace").split("\n")
    return next((line.strip() for line in reversed(lines) if line.strip()), "it said nothing")
