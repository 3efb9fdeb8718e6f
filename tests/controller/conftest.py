"""One control plane for the controller's tests, with our CRDs, our roles and a RayService."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from scripts.kubernetes.control_plane import ControlPlane, control_plane
from scripts.kubernetes.platform import (
    CONTROLLER,
    NAMESPACE,
    RAY_SERVICES,
    USERS,
    admin,
    install_admission,
    install_crds,
    install_rayservice,
    install_roles,
    path_of,
)
from tests.support.controllers import RunningController
from tests.support.dataplane import FakeDataPlane
from voyager_llm.definitions.crd.resources import RESOURCES
from voyager_llm.definitions.kube import client as kube
from voyager_llm.definitions.kube.published import LABEL

CONFIG_MAPS = kube.Path("/api/v1", "configmaps", NAMESPACE)
LEASES = kube.Path("/apis/coordination.k8s.io/v1", "leases", NAMESPACE)


@pytest.fixture(scope="package")
def plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    with control_plane(tmp_path_factory.mktemp("plane"), USERS) as running:
        yield running


@pytest.fixture(scope="package")
async def prepared(plane: ControlPlane) -> AsyncIterator[kube.KubeApi]:
    api = admin(plane)
    await install_crds(api)
    await install_roles(api)
    await install_admission(api)
    await install_rayservice(api)
    yield api
    await api.close()


@pytest.fixture
async def cluster(prepared: kube.KubeApi) -> kube.KubeApi:
    """The cluster as admin, without definitions or publications, with an untouched RayService, and led by
    nobody: no test waits for the lease of a controller that the one before it killed."""
    for resource in RESOURCES:
        for found in (await prepared.list(path_of(resource.definition)))[0]:
            await prepared.delete(path_of(resource.definition), found["metadata"]["name"])
    for lease in (await prepared.list(LEASES))[0]:
        await prepared.delete(LEASES, lease["metadata"]["name"])
    for piece in (await prepared.list(CONFIG_MAPS, LABEL, metadata_only=True))[0]:
        await prepared.delete(CONFIG_MAPS, piece["metadata"]["name"])
    service = await prepared.get(RAY_SERVICES, "voyager")
    service["spec"].pop("serveConfigV2", None)
    service["metadata"].pop("managedFields", None)
    service["metadata"]["annotations"] = {}
    await prepared.replace(RAY_SERVICES, service)
    return prepared


@pytest.fixture
async def account(plane: ControlPlane) -> AsyncIterator[kube.KubeApi]:
    """The cluster as the controller's own service account sees it."""
    api = kube.connect(NAMESPACE, str(plane.kubeconfig(CONTROLLER)))
    yield api
    await api.close()


@pytest.fixture
def dataplane() -> Iterator[FakeDataPlane]:
    running = FakeDataPlane()
    yield running
    running.stop()


@pytest.fixture
def kubeconfig(plane: ControlPlane) -> Path:
    return plane.kubeconfig(CONTROLLER)


@pytest.fixture
def controller(
    kubeconfig: Path, cluster: kube.KubeApi, dataplane: FakeDataPlane, tmp_path: Path
) -> Iterator[RunningController]:
    running = RunningController(kubeconfig, dataplane.url, tmp_path)
    yield running
    running.stop()
    assert "Traceback" not in running.log.read_text(), running.log.read_text()[-3000:]
