"""Fixtures of the hostile tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from serve_app.processes import Run
from tests.support.running import RunningService

# Short, so that attacks are over soon.
HEAD_SECONDS = 2.0
CLIENT_SECONDS = 3.0
BODY_SECONDS = 6.0
PER_CLIENT = 1000


@pytest.fixture(scope="session", params=["split", "fused"])
def running(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningService]:
    """The service as a user starts it: no key, on loopback."""
    service = RunningService(
        tmp_path_factory.mktemp(request.param),
        topology=request.param,
        head_timeout_s=HEAD_SECONDS,
        client_timeout_s=CLIENT_SECONDS,
        body_timeout_s=BODY_SECONDS,
        max_connections_per_client=PER_CLIENT,
    )
    yield service
    service.stop()


@pytest.fixture
def run() -> Iterator[Run]:
    """A run whose processes a test starts itself."""
    begun = Run.begin()
    yield begun
    begun.end()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Where SQLite is to keep its file."""
    return tmp_path / "voyager.db"
