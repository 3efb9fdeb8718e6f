"""What a database says when it fails, as one of our errors: what is so, and what to do about it.

The texts of drivers hold statements, paths and user names, so none of them is passed on; the log has them.
Used by `database.py`.
"""

from __future__ import annotations

import errno
import logging
import sqlite3
from collections.abc import Generator
from contextlib import contextmanager

from alembic.util import CommandError
from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from voyager_llm.errors import StoreUnavailable

log = logging.getLogger(__name__)

_DATABASE = "the definitions' database"
_FULL = f"{_DATABASE} cannot grow, its disk is full: free some space, then try again"
_LOCKED = f"{_DATABASE} is locked by another process: end what holds it, or try again"
READ_ONLY = f"{_DATABASE} is read-only: make its file and folder writable, then try again"
DAMAGED = f"{_DATABASE} is damaged or is no database: restore a backup, or move it away and start afresh"
CANNOT_OPEN = f"{_DATABASE} cannot be opened: see that its path is a file that may be read and written"
IS_DIRECTORY = f"{_DATABASE} is a directory: move it away, or name another file"
_BROKEN_DISK = f"{_DATABASE} cannot be read or written: see that its disk has space left and no errors"
_NEWER = f"{_DATABASE} was written by a newer version of this service: run that one, or restore a backup"
_UNREACHABLE = f"{_DATABASE} cannot be reached: see that it runs and that its address is right"
_REFUSED = f"{_DATABASE} refused our user name or password"
_NO_SUCH = f"{_DATABASE} does not exist on its server: create it first"
_FORBIDDEN = f"{_DATABASE} does not let our user do that: grant it the rights to create and write tables"
_BUSY = f"{_DATABASE} takes no more connections: try again, or raise its limit"
_CONFLICT = f"{_DATABASE} gave another transaction precedence: try again"
_UNKNOWN = f"{_DATABASE} failed; the service's log says more"

# Primary result codes of SQLite; an extended one holds its primary one in its lowest byte.
_SQLITE = {
    sqlite3.SQLITE_FULL: _FULL,
    sqlite3.SQLITE_BUSY: _LOCKED,
    sqlite3.SQLITE_LOCKED: _LOCKED,
    sqlite3.SQLITE_READONLY: READ_ONLY,
    sqlite3.SQLITE_PERM: CANNOT_OPEN,
    sqlite3.SQLITE_CANTOPEN: CANNOT_OPEN,
    sqlite3.SQLITE_CORRUPT: DAMAGED,
    sqlite3.SQLITE_NOTADB: DAMAGED,
    sqlite3.SQLITE_IOERR: _BROKEN_DISK,
}

# SQLSTATE by its longest known beginning.
_POSTGRES = {
    "53100": _FULL,
    "53300": _BUSY,
    "25006": READ_ONLY,
    "55P03": _LOCKED,
    "40": _CONFLICT,
    "28": _REFUSED,
    "3D": _NO_SUCH,
    "42501": _FORBIDDEN,
    "57P": _UNREACHABLE,
    "08": _UNREACHABLE,
    "XX": DAMAGED,
}

# Of the operating system, about a file.
_ERRNO = {
    errno.ENOSPC: _FULL,
    errno.EDQUOT: _FULL,
    errno.EFBIG: _FULL,
    errno.EROFS: READ_ONLY,
    errno.EIO: _BROKEN_DISK,
    **dict.fromkeys((errno.EACCES, errno.EPERM, errno.ENOTDIR, errno.ENOENT, errno.EEXIST), CANNOT_OPEN),
}

# Worth another try by itself, after so many seconds.
_SOON = {_LOCKED: 1.0, _CONFLICT: 0.1, _BUSY: 1.0, _UNREACHABLE: 2.0}


@contextmanager
def plain_faults(*, on_server: bool) -> Generator[None]:
    """Raises `StoreUnavailable` for whatever fails in the database; `IntegrityError` passes: it says
    that a name is taken. ``on_server``: it is reached over a socket."""
    try:
        yield
    except IntegrityError:
        raise
    except (SQLAlchemyError, CommandError, OSError) as error:
        fault = fault_of(error, on_server=on_server)
        said, _, _ = str(error).partition("\n")
        log.warning("%s (%s)", fault.message, said, exc_info=fault.message == _UNKNOWN)
        raise fault from None


def fault_of(error: Exception, *, on_server: bool) -> StoreUnavailable:
    """What an exception of SQLAlchemy, its drivers, alembic or the operating system means."""
    message = _meaning(getattr(error, "orig", None) or error, on_server)
    return StoreUnavailable(message, "", _SOON.get(message, 0.0))


def _meaning(error: BaseException, on_server: bool) -> str:
    code: int | None = getattr(error, "sqlite_errorcode", None)
    if code is not None:
        # It grows its shared memory in a file before anything else.
        return _FULL if code == sqlite3.SQLITE_IOERR_SHMSIZE else _SQLITE.get(code & 0xFF, _UNKNOWN)
    state: str = getattr(error, "sqlstate", None) or ""
    for length in (5, 3, 2):
        if state[:length] in _POSTGRES:
            return _POSTGRES[state[:length]]
    if isinstance(error, CommandError):
        return _NEWER
    if isinstance(error, OSError):
        return _UNREACHABLE if on_server else _ERRNO.get(error.errno or 0, _UNKNOWN)
    return _UNKNOWN
