"""Signals as requests, taken when the launcher is ready for them. Used by `launch.py` and what it waits with.

A signal becomes a byte in a pipe and nothing else: no handler runs in the middle of other code. Ray installs
handlers of its own for SIGTERM, in Python and in C++, which is one reason why it runs in another process
(`driver.py`).

SIGHUP has two meanings. Where the terminal that this was started from has just gone, it asks to stop; else it
asks to replace the replicas. `nohup` takes the first meaning away.
"""

from __future__ import annotations

import os
import select
import signal
import time

_STOPS = frozenset({signal.SIGINT, signal.SIGTERM})
TAKEN = _STOPS | {signal.SIGHUP}
_TERMINAL = "/dev/tty"
# Within this time after its going, SIGHUP comes of it: from the kernel and, a little later, from the shell.
_GOING_SECONDS = 5.0


class StopRequested(Exception):  # noqa: N818
    """SIGINT or SIGTERM came, or the terminal went."""


class Signals:
    """Takes SIGINT, SIGTERM and SIGHUP for this process. Make it once, in the main thread."""

    def __init__(self) -> None:
        self._terminal = _Terminal()
        self._outlives_terminal = signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
        self._inbox, outbox = os.pipe()
        os.set_blocking(outbox, False)
        signal.set_wakeup_fd(outbox, warn_on_full_buffer=False)
        for number in TAKEN:
            signal.signal(number, lambda *_: None)
        # Held back since before this program was executed (`up.py`), so that none was lost.
        signal.pthread_sigmask(signal.SIG_UNBLOCK, TAKEN)
        self._replace = False

    def pause(self, seconds: float) -> None:
        """Wait, less when a signal comes. Raises `StopRequested` once for each request to stop; several
        at once, as when a terminal and `make` both send one, are one."""
        is_there = select.select([self._inbox], [], [], seconds)[0]
        came = set(os.read(self._inbox, 4096)) if is_there else set[int]()
        is_going = self._terminal.is_going()
        if signal.SIGHUP in came and not is_going:
            self._replace = True
        if came & _STOPS:
            raise StopRequested
        if signal.SIGHUP in came and is_going and not self._outlives_terminal:
            self._outlives_terminal = True  # a terminal asks once
            raise StopRequested

    def wants_replacement(self) -> bool:
        """Whether SIGHUP came since this was asked last."""
        wanted, self._replace = self._replace, False
        return wanted

    def ignore(self) -> None:
        """Take no more: all is ended. Python would give each signal its default back before it ends, and
        one more Ctrl-C would become the exit code."""
        for number in TAKEN:
            signal.signal(number, signal.SIG_IGN)


class _Terminal:
    """The terminal that this process was started from, where there was one."""

    def __init__(self) -> None:
        # SIGHUP that came before anybody could take it is the terminal's: there are no replicas yet.
        self._is_awaited = _is_there() or signal.SIGHUP in signal.sigpending()
        self._missed_at: float | None = None

    def is_going(self) -> bool:
        """Whether it went a moment ago."""
        if not self._is_awaited:
            return False
        if self._missed_at is None:
            if _is_there():
                return False
            self._missed_at = time.monotonic()
        return time.monotonic() - self._missed_at < _GOING_SECONDS


def _is_there() -> bool:
    """Whether this process has a controlling terminal. The kernel takes it away before it sends SIGHUP."""
    try:
        os.close(os.open(_TERMINAL, os.O_RDONLY | os.O_NOCTTY))
    except OSError:
        return False
    return True
