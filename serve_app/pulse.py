"""Whether a gRPC server on this machine still answers: one whose process is held still does not. Used by
`ray_watch.py`.

A server greets whoever connects, before any call and without a token (RFC 9113, section 3.4); with TLS it
ends the connection at our plain greeting. Either shows life. Nothing here waits.
"""

from __future__ import annotations

import socket
import time

# On a machine so busy that a greeting takes seconds, it comes in the end: one of three does.
_SILENCE_SECONDS = 5.0
_SILENCES = 3
# HTTP/2's preface and empty settings.
_GREETING = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0"


class Pulse:
    """Asks again and again, over a new connection each time."""

    def __init__(self, port: int, silence_s: float = _SILENCE_SECONDS) -> None:
        """``silence_s``: how long an answer may take."""
        self._port = port
        self._silence_s = silence_s
        self._silences = 0
        self._question: _Question | None = None

    def is_silent(self) -> bool:
        """Whether three answers in a row did not come. Call it about twice a second."""
        if self._question is None:
            self._question = _Question(self._port)
        elif self._question.is_answered():
            self._silences = 0
            self._end_question(self._question)
        elif self._question.age() > self._silence_s:
            self._silences += 1
            self._end_question(self._question)
        return self._silences >= _SILENCES

    def _end_question(self, question: _Question) -> None:
        question.close()
        self._question = None


class _Question:
    """A connection on which nothing was heard yet."""

    def __init__(self, port: int) -> None:
        self._asked_at = time.monotonic()
        self._has_greeted = False
        self._connection = socket.socket()
        self._connection.setblocking(False)
        self._connection.connect_ex(("127.0.0.1", port))

    def age(self) -> float:
        return time.monotonic() - self._asked_at

    def is_answered(self) -> bool:
        """By whatever the server does: that its process is gone is seen elsewhere."""
        try:
            if not self._has_greeted:
                self._connection.send(_GREETING)
                self._has_greeted = True
            self._connection.recv(1)
        except BlockingIOError:
            return False
        except OSError:
            return True
        return True

    def close(self) -> None:
        self._connection.close()
