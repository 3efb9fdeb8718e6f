"""One API server for the contracts that a cluster keeps, with our CRDs and our roles."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest

from scripts.kubernetes.control_plane import ControlPlane, control_plane
from scripts.kubernetes.platform import USERS, admin, install_crds, install_roles
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
