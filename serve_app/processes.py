"""Finds and ends the processes of a run, whoever started them, and removes what they left on the disk.

Every process of a run inherits the mark `VOYAGER_RUN=<folder>:<pid of the launcher>`; the launcher holds a
lock in the scratch folder. Some of Ray's write their titles over it: all that the driver started are found by
its session, too. Used by `launch.py` and what it is made of, and by `driver.py`.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from serve_app.environment import RUN_MARK
from serve_app.refusals import Failed

FOLDER_PREFIX = "voyager-llm-"
_LOCK = "lock"
# Holds the id of the driver's session.
_SESSION = "session"
# A start holds its folder within seconds; one that was killed before leaves it without a lock.
_START_SECONDS = 60.0
_END_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Run:
    """One run: the mark of its processes and its scratch folder."""

    mark: str
    scratch: Path

    @classmethod
    def begin(cls) -> Run:
        """A new run, whose launcher is this process."""
        scratch = Path(tempfile.mkdtemp(prefix=FOLDER_PREFIX))
        return cls(f"{scratch.name}:{os.getpid()}", scratch)

    @classmethod
    def of_this_process(cls) -> Run:
        """The run that this process belongs to."""
        return cls(os.environ[RUN_MARK], Path(os.environ["VOYAGER_SCRATCH"]))

    @contextmanager
    def held(self) -> Generator[None]:
        """Say that the launcher lives; when it leaves, end what is left of the run, as `end` does."""
        with (self.scratch / _LOCK).open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            try:
                yield
            finally:
                self.end()

    def keep_session(self) -> None:
        """Say that whatever is in the session that this process leads is of the run."""
        if os.getsid(0) == os.getpid():
            (self.scratch / _SESSION).write_text(str(os.getpid()))

    def processes(self) -> list[psutil.Process]:
        """All of the run but its launcher and this one."""
        session = self._session()
        others = {os.getpid(), int(self.mark.rpartition(":")[2])}
        return [
            process
            for process in psutil.process_iter()
            if process.pid not in others
            and (_mark(process) == self.mark or (session is not None and _is_in(process, session)))
        ]

    def _session(self) -> int | None:
        """The driver's, where there is one. Its number is nobody else's while the run lives."""
        try:
            return int((self.scratch / _SESSION).read_text())
        except (OSError, ValueError):
            return None  # not 0: that is the session of the kernel's own threads

    def end(self) -> None:
        """End every process and remove the folder. Raises `Failed` where one cannot be ended.

        They are killed, not asked: what they write is on the disk once it is answered, requests under way
        were waited for (`drain.py`), and Ray's own shutdown takes seconds and can hang."""
        deadline = time.monotonic() + _END_SECONDS
        while found := self.processes():
            _kill(found)
            if time.monotonic() > deadline:
                left = ", ".join(f"{program(process)} (process {process.pid})" for process in found)
                raise Failed(f"could not be ended: {left}")
        shutil.rmtree(self.scratch, ignore_errors=True)


def end_abandoned() -> int:
    """End the processes of runs whose launcher was killed and remove their folders; how many there were."""
    marked = [(process, _mark(process)) for process in psutil.process_iter() if process.pid != os.getpid()]
    found = [process for process, mark in marked if mark and not _launcher_lives(mark)]
    _kill(found)
    used = {mark.rpartition(":")[0] for process, mark in marked if lives(process)}
    for folder in Path(tempfile.gettempdir()).glob(f"{FOLDER_PREFIX}*"):
        if folder.name not in used and (_is_abandoned(folder) or _was_never_held(folder)):
            shutil.rmtree(folder, ignore_errors=True)
    return len(found)


def lives(process: psutil.Process) -> bool:
    """Whether it runs; one that nobody has reaped yet does not."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def program(process: psutil.Process) -> str:
    """The name of its program; empty when it is gone."""
    try:
        return process.name()
    except psutil.Error:
        return ""


def title(process: psutil.Process) -> str:
    """Its command line; empty when it is gone."""
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""


def _kill(processes: list[psutil.Process]) -> None:
    for process in processes:
        with suppress(psutil.Error):
            process.kill()
    psutil.wait_procs(processes, timeout=1)


def _mark(process: psutil.Process) -> str:
    """The run that it says it is of; empty where it says none, or may not be asked."""
    try:
        return process.environ().get(RUN_MARK, "")
    except (psutil.Error, OSError):
        return ""


def _is_in(process: psutil.Process, session: int) -> bool:
    try:
        return os.getsid(process.pid) == session and lives(process)
    except OSError:
        return False


def _is_abandoned(folder: Path) -> bool:
    """Whether a launcher held it and holds it no more."""
    try:
        with (folder / _LOCK).open() as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
    except OSError:
        return False


def _was_never_held(folder: Path) -> bool:
    """Whether a launcher was killed before it held this folder of this user's."""
    try:
        found = folder.stat()
    except OSError:
        return False
    is_old = time.time() - found.st_mtime > _START_SECONDS
    return is_old and found.st_uid == os.getuid() and not (folder / _LOCK).exists()


def _launcher_lives(mark: str) -> bool:
    pid = mark.rpartition(":")[2]
    with suppress(psutil.Error, OSError, ValueError):
        return psutil.Process(int(pid)).environ().get(RUN_MARK) == mark
    return False
