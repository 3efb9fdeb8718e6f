"""Keeps HAProxy alive: starts it again at once when it dies or hangs. Executed by `haproxy.sh`.

Serve takes this process for HAProxy: it signals it, and asks at the administration socket for its id. So
the supervisor stands at that socket, hands questions and answers on with its own id in HAProxy's place, and
passes signals on.

It outlives Serve's manager for a while, and HAProxy outlives both: Ray starts another manager, whose HAProxy
takes the ports over from the one that was left, and no client notices. It ends with the raylet, and HAProxy
with it: a killed cluster holds no port. A HAProxy without supervisor is ended by a process beside it, the
guard, and by the mark of its run (`processes.py`).

Nothing but the standard library, since one runs beside each HAProxy.
"""

from __future__ import annotations

import os
import re
import select
import shutil
import signal
import socket
import struct
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
# What a new HAProxy sends to the one before it: stop softly, let go of the ports, take them back. Nobody who
# may end it says SIGTERM: Serve kills, and so does the launcher.
_PASSED_ON = (signal.SIGUSR1, signal.SIGTTOU, signal.SIGTTIN)
# One that dies sooner is started again after a pause, so that nothing spins.
_SETTLED_SECONDS = 1.0
_PAUSE_SECONDS = 0.2
_ANSWER_SECONDS = 5.0
# It hangs when it says nothing three times in a row. A busy one answers in milliseconds, and a machine that
# slept for a while takes one of these times.
_LOOK_SECONDS = 0.5
_SILENCE_SECONDS = 0.8
_SILENCES = 3
# Ray has another manager after some ten seconds.
_WITHOUT_MANAGER_SECONDS = 60.0
# That, and the two minutes in which HAProxy finishes what runs once it was taken over.
_WITHOUT_SUPERVISOR_SECONDS = 180.0
# Replicas stand in backends of these names.
_REPLICAS = re.compile(r"(?m)^backend (http|grpc)-")


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
        signal.signal(signal.SIGTERM, lambda *_: None)  # not `SIG_IGN`, which HAProxy would inherit
        command = self._first
        while True:
            started = time.monotonic()
            self._process = subprocess.Popen(command)
            if self._ending:
                self._process.terminate()
            code = self._process.wait()
            is_settled = time.monotonic() - started > _SETTLED_SECONDS
            if self._ending or (code > 0 and not is_settled):
                return code
            if not is_settled:
                time.sleep(_PAUSE_SECONDS)
            command = self._again

    def end_with(self, manager: int, raylet: int) -> None:
        """Wait until ``raylet`` has ended, or ``manager`` long ago; then end HAProxy. Both are ids of
        processes. One that finishes what runs since another took over is let finish it."""
        if raylet not in _ended(manager, raylet):
            gone = _ended(raylet, within=_WITHOUT_MANAGER_SECONDS)
            if not gone and self._ending:
                _ended(raylet)
        self._ending = True
        if self._process is not None:
            self._process.terminate()

    def watch(self, admin: str) -> None:
        """Kill a HAProxy that hangs: one that says nothing at its administration socket ``admin``."""
        silences = 0
        while not self._ending:
            time.sleep(0 if silences else _LOOK_SECONDS)
            asked = self._process
            try:
                _ask(admin, b"show info\n", _SILENCE_SECONDS)
                silences = 0
            except (TimeoutError, BlockingIOError):  # the latter where many have asked in vain
                silences += 1
            except OSError:  # nobody listens: it is starting, or ends
                silences = 0
            if silences >= _SILENCES and asked is not None and asked is self._process and not self._ending:
                asked.kill()
                silences = 0

    def _pass_on(self, number: int, _frame: object) -> None:
        self._ending = self._ending or number == signal.SIGUSR1
        if self._process is not None and self._process.returncode is None:
            with suppress(ProcessLookupError):
                os.kill(self._process.pid, number)


def stand_at(path: str, supervisor: Supervisor) -> None:
    """Answer at the administration socket ``path``, in place of whoever did so far."""

    class Question(StreamRequestHandler):
        def handle(self) -> None:
            with suppress(OSError):
                answer = _ask(path + _OWN, self.rfile.readline(), _ANSWER_SECONDS)
                # Only this HAProxy: while one hands over to the next, the one before may still answer.
                mine = rb"(?m)^Pid: %d$" % supervisor.pid
                self.wfile.write(re.sub(mine, b"Pid: %d" % os.getpid(), answer))

    made = Path(f"{path}.new")
    made.unlink(missing_ok=True)
    server = ThreadingUnixStreamServer(str(made), Question)
    server.daemon_threads = True
    made.rename(path)
    threading.Thread(target=server.serve_forever, daemon=True).start()


def _ask(path: str, question: bytes, within: float) -> bytes:
    """What HAProxy says. Raises `OSError`: `TimeoutError` where it says nothing for so many seconds."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(within)
        connection.connect(path)
        connection.sendall(question)
        pieces: list[bytes] = []
        while piece := connection.recv(65536):
            pieces.append(piece)
        return b"".join(pieces)


def _ended(*pids: int, within: float | None = None) -> list[int]:
    """Wait until one of these processes has ended, for so many seconds at most. Those that have."""
    handles: dict[int, int] = {}
    try:
        for pid in pids:
            handles[os.pidfd_open(pid)] = pid
        return [handles[handle] for handle in select.select(handles, [], [], within)[0]]
    except ProcessLookupError:
        return [pid for pid in pids if pid not in handles.values()]
    finally:
        for handle in handles:
            os.close(handle)


def _start_guard(raylet: int) -> None:
    """Fork a process that ends HAProxy when its supervisor is gone, with the raylet or after a while: Serve
    kills the supervisor to end HAProxy, too. Call it before there are threads."""
    supervisor = os.getpid()
    if os.fork():
        return
    _ended(supervisor)
    # Until its parent has asked for its end, a process that has ended is still there, in its group.
    left = [pid for pid in _members_of(supervisor) if pid not in (os.getpid(), supervisor)]
    if left:
        _ended(raylet, *left, within=_WITHOUT_SUPERVISOR_SECONDS)
    os.killpg(0, signal.SIGKILL)  # itself as well


def _parent_of(pid: int) -> int:
    """The id of a process' parent; of its own where it is gone."""
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return pid


def _who_stands_at(path: str) -> int:
    """The id of the process that listens at a socket; 0 where none does."""
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(path)
            return struct.unpack("3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))[0]
    except OSError:
        return 0


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


def taken_over(command: list[str], config: str, admin: str) -> list[str]:
    """``command`` as it takes the ports over from a HAProxy that was left: its manager was killed, or its
    supervisor.

    Serve's new manager knows no replicas at first: the configuration of before then goes on."""
    left = 0 if "-sf" in command else _left(config, admin)
    if not left:
        return command
    former = Path(config).with_suffix(f".{_group_of(left)}")
    if former.exists() and not _REPLICAS.search(Path(config).read_text()):
        shutil.copyfile(former, config)
    return [*command, "-sf", str(left), "-x", admin + _OWN]


def _left(config: str, admin: str) -> int:
    """The id of the supervisor that was left, or of a HAProxy without one; 0 where neither answers.

    One that hangs is killed: it holds the ports."""
    supervisor = _who_stands_at(admin)
    try:
        answer = _ask(admin if supervisor else admin + _OWN, b"show info\n", _ANSWER_SECONDS)
    except OSError:
        answer = b""
    found = re.search(rb"(?m)^Pid: (\d+)$", answer)
    if found:
        return supervisor or int(found[1])
    # Each supervisor leads the group of its HAProxy, and its configuration is named after it (`haproxy.sh`).
    for other in Path(config).parent.glob(f"{Path(config).stem}.[0-9]*"):
        leader = int(other.suffix[1:])
        if leader == supervisor or _ended(leader, within=0):
            _end_group(leader)
    return 0


def _group_of(pid: int) -> int:
    """The group of a process; 0 where it is gone."""
    try:
        return os.getpgid(pid)
    except ProcessLookupError:
        return 0


def _members_of(group: int) -> list[int]:
    pids = [int(path.name) for path in Path("/proc").glob("[0-9]*")]
    return [pid for pid in pids if _group_of(pid) == group]


def _end_group(group: int) -> None:
    """Kill every process of a group, and wait until they have let go of what they held."""
    members = _members_of(group)
    for pid in members:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    for pid in members:
        _ended(pid, within=_ANSWER_SECONDS)


def main(binary: str, config: str, *given: str) -> int:
    """``given`` are Serve's arguments for HAProxy, ``config`` is the amended configuration."""
    manager = os.getppid()
    raylet = _parent_of(manager)
    os.setpgrp()  # with a worker, the raylet kills its process group
    _start_guard(raylet)
    os.umask(0o077)  # the socket is for this user alone
    named = re.search(r"stats socket (\S+)\.own ", Path(config).read_text())
    if named is None:
        raise SystemExit(f"{config} names no administration socket")
    first = with_value([binary, *given], "-f", lambda _: config)
    first = with_value(first, "-x", lambda path: path + _OWN)
    first = taken_over(first, config, named[1])
    supervisor = Supervisor(first, without_predecessors(first))
    stand_at(named[1], supervisor)
    threading.Thread(target=supervisor.end_with, args=(manager, raylet), daemon=True).start()
    threading.Thread(target=supervisor.watch, args=(named[1] + _OWN,), daemon=True).start()
    try:
        return supervisor.run()
    finally:
        Path(config).unlink()


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
