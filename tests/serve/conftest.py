"""One run of the service for each topology; every test here runs on both."""

from __future__ import annotations

from collections.abc import Iterator

import grpc
import pytest

from tests.support.running import RunningService
from voyager_llm.v1.model_manager_pb2_grpc import ModelManagerStub


@pytest.fixture(scope="session", params=["split", "fused"])
def running(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningService]:
    """The service with two routers, so that what must reach all replicas is seen to."""
    folder = tmp_path_factory.mktemp(request.param)
    service = RunningService(
        folder, topology=request.param, router_replicas=2, probe_interval_s=5, fast_drain=0
    )
    yield service
    service.stop()


@pytest.fixture
def stub(running: RunningService) -> Iterator[ModelManagerStub]:
    with grpc.insecure_channel(f"127.0.0.1:{running.grpc_port}") as channel:
        yield ModelManagerStub(channel)
