"""The service's log: one JSON object a line, written by a thread of its own.

`configure` is called by every process of the service. Nobody waits for the disk: lines go through a bounded
queue, and what does not fit is counted and said. Fields of an event are given as ``extra={"fields": {…}}``.
"""

from __future__ import annotations

import atexit
import logging
import queue
import sys
from contextlib import suppress
from datetime import UTC, datetime
from logging.handlers import QueueHandler, QueueListener
from pathlib import Path

import orjson

# Lines that may wait for the disk.
_WAITING = 10_000
_LONG_BYTES = 50 * 1024 * 1024
# What is ours; other packages' lines go on to wherever they went.
_OURS = ("deployments", "voyager_llm", "evals", "serve_app")


class JsonLines(logging.Formatter):
    """A record as one line of JSON."""

    def format(self, record: logging.LogRecord) -> str:
        moment = datetime.fromtimestamp(record.created, UTC)
        line: dict[str, object] = {
            "time": moment.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            "process": record.process,
        }
        line.update(getattr(record, "fields", {}))
        if record.exc_info:
            line["trace_back"] = self.formatException(record.exc_info)
        # Half a character of a client's JSON has no encoding; what cannot be written is written as text.
        return orjson.dumps(_encodable(line), default=str).decode()


class _Bounded(QueueHandler):
    """Drops what does not fit and says so with the next line that does."""

    def __init__(self, lines: queue.Queue[logging.LogRecord]) -> None:
        super().__init__(lines)
        self._dropped = 0

    def prepare(self, record: logging.LogRecord) -> logging.LogRecord:
        return record  # formatted by the thread; nobody pickles it

    def enqueue(self, record: logging.LogRecord) -> None:
        try:
            if self._dropped:
                record.fields = {**getattr(record, "fields", {}), "dropped_before": self._dropped}
            self.queue.put_nowait(record)
            self._dropped = 0
        except queue.Full:
            self._dropped += 1


def configure(file: Path | None) -> None:
    """Write our lines to ``file``, appended by all processes of a run; None: to standard error."""
    root = [logging.getLogger(name) for name in _OURS]
    if any(isinstance(handler, _Bounded) for handler in root[0].handlers):
        return  # several deployments in one process
    target = _opened(file)
    target.setFormatter(JsonLines())
    lines: queue.Queue[logging.LogRecord] = queue.Queue(_WAITING)
    listener = QueueListener(lines, target)
    handler = _Bounded(lines)
    for logger in root:
        logger.addHandler(handler)
        logger.setLevel(logging.INFO)
        logger.propagate = False
    listener.start()
    atexit.register(listener.stop)


def keep_short(file: Path) -> None:
    """Put a long log aside, over the one that was put aside before; called when a run starts."""
    with suppress(OSError):
        if file.stat().st_size > _LONG_BYTES:
            file.replace(aside(file))


def aside(file: Path) -> Path:
    """Where a long log is put."""
    return file.with_suffix(".1" + file.suffix)


def _opened(file: Path | None) -> logging.Handler:
    if file is None:
        return logging.StreamHandler(sys.stderr)
    try:
        return logging.FileHandler(file, encoding="utf-8")
    except OSError:
        return logging.StreamHandler(sys.stderr)


def _encodable(value: object) -> object:
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, dict):
        return {str(_encodable(key)): _encodable(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_encodable(inner) for inner in value]
    return value
