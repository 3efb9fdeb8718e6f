"""Fixtures that several groups of tests use."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.fake_provider.running import FakeProvider
from tests.support.service import LocalService, start

# A machine that is busy with something else is no fault of the code under test.
settings.register_profile("ours", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("ours")


@pytest.fixture(scope="session")
def provider() -> Iterator[FakeProvider]:
    """A provider that fails on demand, over real HTTP."""
    running = FakeProvider()
    yield running
    running.stop()


@pytest.fixture
async def local(tmp_path: Path) -> AsyncIterator[LocalService]:
    """The service in this process, with an empty store."""
    service = await start(tmp_path)
    yield service
    await service.close()
