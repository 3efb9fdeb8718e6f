"""Keeps HAProxy alive: starts it again at once when something kills it. Executed by `haproxy.sh`.

Serve takes this process for HAProxy: it signals it, and asks at the administration socket for its id. So
the supervisor stands at that socket, hands questions and answers on with its own id in HAProxy's place, and
passes signals on. It ends with Serve's manager, and HAProxy with it, whatever ends them: a killed run holds
no port.

Nothing but the standard library, since one runs beside each HAProxy.
"""

from __future__ import annotations

import ctypes
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from socketserver import StreamRequestHandler, ThreadingUnixStreamServer

# Of HAProxy's end of the administration socket; `haproxy_config.py` writes it.
_OWN = ".own"
# What a new HAProxy sends to the one before it: stop softly, let go of the ports, take them back.
_PASSED_ON = (signal.SIGUSR1, signal.SIGTTOU, signal.SIGTTIN, signal.SIGTERM)
_ENDING = (signal.SIGUSR1, signal.SIGTERM)
# One that dies sooner is started again after a pause, so that nothing spins.
_SETTLED_SECONDS = 1.0
_PAUSE_SECONDS = 0.2
_ANSWER_SECONDS = 5.0
_PR_SET_PDEATHSIG = 1


class Supervisor:
    """Runs one HAProxy. ``first`` starts it, ``again`` starts it after a death."""

    def __init__(self, first: list[str], again: list[str]) -> None:
        self._first = first
        self._again = again
        self._ending = False
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """HAProxy's process id; 0 before it is started."""
        return self._process.pid if self._process else 0

    def run(self) -> int:
        """Until HAProxy ends because Serve said so, or refuses to start. Returns its exit code."""
        for number in _PASSED_ON:
            signal.signal(number, self._pass_on)
        command = self._first
        while True:
            started = time.monotonic()
            # The child must not outlive this process, however that ends.
            self._process = subprocess.Popen(command, preexec_fn=die_with_parent)  # noqa: PLW1509
            if self._ending:
                self._process.terminate()
            code = self._process.wait()
            is_settled = time.monotonic() - started > _SETTLED_SECONDS
            if self._ending or (code > 0 and not is_settled):
                return code
            if not is_settled:
                time.sleep(_PAUSE_SECONDS)
            command = self._again

    def _pass_on(self, number: int, _frame: object) -> None:
        self._ending = self._ending or number in _ENDING
        if self._process is not None and self._process.returncode is None:
            with suppress(ProcessLookupError):
                os.kill(self._process.pid, number)


def stand_at(path: str, supervisor: Supervisor) -> None:
    """Answer at the administration socket ``path``, in place of whoever did so far."""

    class Question(StreamRequestHandler):
        def handle(self) -> None:
            with suppress(OSError):
                answer = _ask(path + _OWN, self.rfile.readline())
                # Only this HAProxy: while one hands over to the next, the one before may still answer.
                mine = rb"(?m)^Pid: %d$" % supervisor.pid
                self.wfile.write(re.sub(mine, b"Pid: %d" % os.getpid(), answer))

    made = Path(f"{path}.new")
    made.unlink(missing_ok=True)
    server = ThreadingUnixStreamServer(str(made), Question)
    server.daemon_threads = True
    made.rename(path)
    threading.Thread(target=server.serve_forever, daemon=True).start()


def _ask(path: str, question: bytes) -> bytes:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(_ANSWER_SECONDS)
        connection.connect(path)
        connection.sendall(question)
        pieces: list[bytes] = []
        while piece := connection.recv(65536):
            pieces.append(piece)
        return b"".join(pieces)


def die_with_parent() -> None:
    """Be killed when the process that started this one ends (Linux)."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def with_value(arguments: list[str], option: str, change: Callable[[str], str]) -> list[str]:
    """``arguments`` with the value of ``option`` changed, where it is given."""
    return [
        change(argument) if index and arguments[index - 1] == option else argument
        for index, argument in enumerate(arguments)
    ]


def without_predecessors(arguments: list[str]) -> list[str]:
    """``arguments`` without those that name HAProxies to take over from, which Serve puts last."""
    ends = [arguments.index(option) for option in ("-sf", "-x") if option in arguments]
    return arguments[: min(ends, default=len(arguments))]


def main(binary: str, config: str, *given: str) -> int:
    """``given`` are Serve's arguments for HAProxy, ``config`` is the amended configuration."""
    die_with_parent()
    os.umask(0o077)  # the socket is for this user alone
    named = re.search(r"stats socket (\S+)\.own ", Path(config).read_text())
    if named is None:
        raise SystemExit(f"{config} names no administration socket")
    first = with_value([binary, *given], "-f", lambda _: config)
    first = with_value(first, "-x", lambda path: path + _OWN)
    supervisor = Supervisor(first, without_predecessors(first))
    stand_at(named[1], supervisor)
    try:
        return supervisor.run()
    finally:
        Path(config).unlink()


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
