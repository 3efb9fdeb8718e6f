"""What only one run may have: a data folder, a database. Claims end with the process. Used by `launch.py`."""

from __future__ import annotations

import asyncio
import fcntl
from collections.abc import Generator
from contextlib import contextmanager, suppress
from io import FileIO
from pathlib import Path

from serve_app.refusals import Refused
from voyager_llm.definitions.store.claim import DatabaseClaim
from voyager_llm.definitions.store.database import POSTGRES, file_of, parsed
from voyager_llm.errors import InvalidArgument, VoyagerError
from voyager_llm.settings import Settings

_LOCK = "launcher.lock"


@contextmanager
def folder_claimed(config: Settings, holder: str) -> Generator[None]:
    """The data folder, which is made where there is none, for the run that ``holder`` names to others.

    Raises `Refused` with the name of the run that has it."""
    with _locked(config.data_dir / _LOCK, f"VOYAGER_DATA_DIR={config.data_dir}", holder):
        yield


@contextmanager
def database_claimed(config: Settings, holder: str) -> Generator[None]:
    """The database. Raises `Refused` as above, or with what is wrong with it."""
    try:
        address = parsed(config.store_url())
    except InvalidArgument as error:
        raise Refused(f"VOYAGER_DATABASE_URL {error.message}") from None
    file = file_of(address)
    if file is not None:
        _refuse_other_names(file)
        # Beside the file, whatever the folder it is reached by: another run may have it as its own.
        with _locked(file.resolve().with_name(f"{file.name}.lock"), f"the database {file}", holder):
            yield
    elif address.drivername == POSTGRES:
        with _claimed_on_server(config.store_url(), holder):
            yield
    else:
        yield


def _refuse_other_names(file: Path) -> None:
    """SQLite keeps its journal beside the name that it is given: two names would corrupt the file."""
    with suppress(OSError):
        # A directory has a name in each directory in it; `open_store` says that it is one.
        if file.is_file() and file.stat().st_nlink > 1:
            raise Refused(f"the database {file} has another name (a hard link): remove one of them")


@contextmanager
def _locked(path: Path, what: str, holder: str) -> Generator[None]:
    """Hold a lock on a file that says whose it is."""
    with _taken(path, what, holder) as file:
        yield
        with suppress(OSError):
            file.truncate(0)


def _taken(path: Path, what: str, holder: str) -> FileIO:
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)  # prompts are for their owners
        file = FileIO(path, "a+")
    except OSError as error:
        raise Refused(f"{what} cannot be used: {path.parent}: {error.strerror}") from None
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.seek(0)
        raise _in_use(what, file.read().decode(errors="replace").strip() or "another process") from None
    with suppress(OSError):  # a full disk: the lock holds without its name
        file.truncate(0)
        file.write(holder.encode())
    return file


def _in_use(what: str, holder: str) -> Refused:
    return Refused(f"{what} is in use by {holder}: stop that run, or give this one another")


@contextmanager
def _claimed_on_server(url: str, holder: str) -> Generator[None]:
    claim = DatabaseClaim(url, holder)
    with asyncio.Runner() as runner:
        try:
            other = runner.run(claim.take())
        except VoyagerError as error:
            raise Refused(f"VOYAGER_DATABASE_URL: {error.message}") from None
        try:
            if other:
                raise _in_use("VOYAGER_DATABASE_URL", other)
            yield
        finally:
            with suppress(Exception):  # its connection may be gone; so is the claim then
                runner.run(claim.release())
