"""Signals as requests, taken when the launcher is ready for them. Used by `launch.py` and what it waits with.

A signal becomes a byte in a pipe and nothing else: no handler runs in the middle of other code. Ray installs
handlers of its own for SIGTERM, in Python and in C++, which is one reason why it runs in another process
(`driver.py`).
"""

from __future__ import annotations

import os
import select
import signal

_STOPS = frozenset({signal.SIGINT, signal.SIGTERM})
TAKEN = _STOPS | {signal.SIGHUP}


class StopRequested(Exception):  # noqa: N818
    """SIGINT or SIGTERM came."""


class Signals:
    """Takes SIGINT, SIGTERM and SIGHUP for this process. Make it once, in the main thread."""

    def __init__(self) -> None:
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
        if not select.select([self._inbox], [], [], seconds)[0]:
            return
        came = set(os.read(self._inbox, 4096))
        self._replace = self._replace or signal.SIGHUP in came
        if came & _STOPS:
            raise StopRequested

    def wants_replacement(self) -> bool:
        """Whether SIGHUP came since this was asked last."""
        wanted, self._replace = self._replace, False
        return wanted
