"""What contracts need: an API server with our CRDs and our roles, and a provider that records."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from scripts.kubernetes.control_plane import ControlPlane, control_plane
from scripts.kubernetes.platform import USERS, admin, install_crds, install_roles
from tests.contract.differential.sides import Sides
from tests.support.recorder import Recorder, recording
from voyager_llm.definitions.kube.client import KubeApi


@pytest.fixture(scope="session")
def plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    with control_plane(tmp_path_factory.mktemp("plane"), USERS) as running:
        yield running


@pytest.fixture(scope="session")
async def cluster(plane: ControlPlane) -> AsyncIterator[KubeApi]:
    """As administrator."""
    api = admin(plane)
    await install_crds(api)
    await install_roles(api)
    yield api
    await api.close()


@pytest.fixture
async def recorder() -> AsyncIterator[Recorder]:
    async with recording() as running:
        yield running


@pytest.fixture
async def sides(tmp_path: Path, recorder: Recorder) -> AsyncIterator[Sides]:
    both = Sides(tmp_path, recorder)
    yield both
    await both.close()
