"""What the controller takes for an answer of the data plane: a report of all replicas, or none at all."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from controller.dataplane import DataPlane
from tests.support.dataplane import FakeDataPlane


@pytest.fixture
def service() -> Iterator[FakeDataPlane]:
    running = FakeDataPlane()
    running.holds("digest", "m")
    yield running
    running.stop()


async def test_one_replica_does_not_speak_for_all(service: FakeDataPlane) -> None:
    asking = DataPlane(service.url)
    whole = await asking.report()
    assert whole is not None
    assert len(whole.replicas) == 2
    service.incomplete = "the config hub does not answer"
    assert await asking.report() is None
    await asking.close()
