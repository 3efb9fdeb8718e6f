"""A real control plane with our CRDs, for tests."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import yaml

from scripts.kubernetes.control_plane import ControlPlane
from scripts.kubernetes.foreign import KUBERAY, crds
from tests.support.running import ROOT
from voyager_llm.crd.resources import BY_KIND, GROUP, RESOURCES, VERSION
from voyager_llm.domain.definition import Kind
from voyager_llm.kube import client as kube

NAMESPACE = "llm"
CRDS = kube.Path("/apis/apiextensions.k8s.io/v1", "customresourcedefinitions")
NAMESPACES = kube.Path("/api/v1", "namespaces")


RAY_SERVICES = kube.Path("/apis/ray.io/v1", "rayservices", NAMESPACE)
CONTROLLER = f"system:serviceaccount:{NAMESPACE}:voyager-llm-controller"
SERVICE = f"system:serviceaccount:{NAMESPACE}:voyager-llm-service"
USERS = {CONTROLLER: "system:serviceaccounts", SERVICE: "system:serviceaccounts"}

# Where each kind of a manifest is created; what else a manifest holds fails a test loudly.
_PATHS = {
    "ServiceAccount": kube.Path("/api/v1", "serviceaccounts", NAMESPACE),
    "Role": kube.Path("/apis/rbac.authorization.k8s.io/v1", "roles", NAMESPACE),
    "RoleBinding": kube.Path("/apis/rbac.authorization.k8s.io/v1", "rolebindings", NAMESPACE),
    "ClusterRole": kube.Path("/apis/rbac.authorization.k8s.io/v1", "clusterroles"),
}


async def eventually(holds: Callable[[], Awaitable[bool]], seconds: float = 30.0) -> None:
    """Wait until something holds. Errors of the API server mean: not yet."""
    deadline = time.monotonic() + seconds
    while True:
        with contextlib.suppress(kube.KubeError):
            if await holds():
                return
        assert time.monotonic() < deadline, f"never: {holds}"
        await asyncio.sleep(0.1)


def path_of(kind: Kind) -> kube.Path:
    return kube.Path(f"/apis/{GROUP}/{VERSION}", BY_KIND[kind].plural, NAMESPACE)


def manifests(path: Path) -> list[dict[str, Any]]:
    return [document for document in yaml.safe_load_all(path.read_text()) if document]


def admin(plane: ControlPlane) -> kube.KubeApi:
    return kube.connect(NAMESPACE, str(plane.kubeconfig()))


async def install_roles(api: kube.KubeApi) -> None:
    """The roles that we ship, for the accounts that we ship."""
    for document in manifests(ROOT / "kuberay" / "base" / "rbac.yaml"):
        if document["kind"] == "RoleBinding":
            for subject in document["subjects"]:
                subject["namespace"] = NAMESPACE
        await api.create(_PATHS[document["kind"]], document)


async def install_rayservice(api: kube.KubeApi, name: str = "voyager") -> None:
    """KubeRay's RayService CRD, and one RayService without a configuration."""
    (crd,) = [found for found in crds(KUBERAY) if found["spec"]["names"]["kind"] == "RayService"]
    await api.create(CRDS, crd)
    await eventually(lambda: _established(api, crd["metadata"]["name"]))
    group = {"replicas": 0, "minReplicas": 0, "maxReplicas": 1, "groupName": "workers", "rayStartParams": {}}
    template = {"spec": {"containers": [{"name": "ray", "image": "voyager-llm"}]}}
    service = {
        "apiVersion": "ray.io/v1",
        "kind": "RayService",
        "metadata": {"name": name},
        "spec": {
            "rayClusterConfig": {
                "headGroupSpec": {"rayStartParams": {}, "template": template},
                "workerGroupSpecs": [{**group, "template": template}],
            }
        },
    }
    # Established is said a moment before every path is served.
    await eventually(lambda: _created(api, service))


async def _created(api: kube.KubeApi, service: dict[str, Any]) -> bool:
    await api.create(RAY_SERVICES, service)
    return True


async def install_crds(api: kube.KubeApi) -> None:
    """Create the namespace and the CRDs, and wait until they are served."""
    await api.create(NAMESPACES, {"metadata": {"name": NAMESPACE}})
    for resource in RESOURCES:
        (crd,) = manifests(ROOT / "crds" / f"{resource.plural}.yaml")
        await api.create(CRDS, crd)
    for resource in RESOURCES:
        await eventually(lambda r=resource: _established(api, f"{r.plural}.{GROUP}"))
        await eventually(lambda r=resource: _served(api, r.definition))


async def _served(api: kube.KubeApi, kind: Kind) -> bool:
    await api.list(path_of(kind))
    return True


async def _established(api: kube.KubeApi, name: str) -> bool:
    status = (await api.get(CRDS, name)).get("status") or {}
    conditions = {c["type"]: c["status"] for c in status.get("conditions") or ()}
    assert conditions.get("NonStructuralSchema") != "True", status
    return conditions.get("Established") == "True"
