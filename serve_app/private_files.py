"""Takes from others what an earlier run, or a backup that was put back, left them to read: prompts and logs
are for their owner. New files are made so (`up.py`). Used by `launch.py`.
"""

from __future__ import annotations

import stat
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from voyager_llm.definitions.store.database import file_of, parsed
from voyager_llm.logs import aside
from voyager_llm.settings import Settings

_IN_DATA_FOLDER = ("launcher.lock", "ray.log", "embedded-llm.log")
# SQLite's file, its journals, and the lock beside them (`claims.py`).
_OF_DATABASE = ("", "-wal", "-shm", "-journal", ".lock")


def take_from_others(config: Settings, log_file: Path) -> None:
    """Leave the files of the service to their owner alone, as far as they are this user's.

    ``config`` names a database that can be used."""
    for path in _files(config, log_file):
        with suppress(OSError):
            mode = path.stat().st_mode
            if stat.S_ISREG(mode) and mode & 0o077:  # a log may be a terminal
                path.chmod(mode & 0o700)


def _files(config: Settings, log_file: Path) -> Iterator[Path]:
    yield from (log_file, aside(log_file))
    yield from (config.data_dir / name for name in _IN_DATA_FOLDER)
    if (file := file_of(parsed(config.store_url()))) is not None:
        yield from (file.with_name(file.name + suffix) for suffix in _OF_DATABASE)
