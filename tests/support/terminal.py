"""A pseudo-terminal, to see what a user sees there, to press Ctrl-C, and to close its window."""

from __future__ import annotations

import os
import pty
import signal
from collections.abc import Generator
from contextlib import contextmanager, suppress

from tests.support.running import ROOT, until


class Terminal:
    """What runs in one, as its foreground process group."""

    def __init__(self, command: list[str], environment: dict[str, str]) -> None:
        self.process, self._fd = pty.fork()
        if self.process == 0:
            os.chdir(ROOT)
            os.execvpe(command[0], command, environment)
        os.set_blocking(self._fd, False)
        self.text = ""

    def types(self, keys: str) -> None:
        os.write(self._fd, keys.encode())

    def reads(self, text: str, timeout_s: float) -> None:
        """Wait until this was printed."""
        until(lambda: text in self._read(), f"{text!r} is printed", timeout_s)

    def closes(self) -> None:
        """As when its window is closed: what runs in it can neither read nor write any more."""
        os.close(self._fd)
        self._fd = -1

    def ends(self, timeout_s: float) -> int:
        """Wait until what runs in it has ended. Returns its exit code; negative: a signal."""
        ended, status = 0, 0

        def has_ended() -> bool:
            nonlocal ended, status
            ended, status = os.waitpid(self.process, os.WNOHANG)
            return bool(ended)

        until(has_ended, "it ends", timeout_s)
        self.process = 0
        self._read()
        return os.waitstatus_to_exitcode(status)

    def close(self) -> None:
        if self.process:
            os.killpg(self.process, signal.SIGKILL)
            os.waitpid(self.process, 0)
        if self._fd >= 0:
            os.close(self._fd)

    def _read(self) -> str:
        with suppress(OSError):  # nothing there, or the other side is closed
            self.text += os.read(self._fd, 65536).decode(errors="replace")
        return self.text


@contextmanager
def terminal(command: list[str], environment: dict[str, str]) -> Generator[Terminal]:
    opened = Terminal(command, environment)
    try:
        yield opened
    finally:
        opened.close()
