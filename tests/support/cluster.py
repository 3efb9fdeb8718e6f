"""A real control plane with our CRDs, for tests."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

import yaml

from scripts.kubernetes.control_plane import ControlPlane
from tests.support.running import ROOT
from voyager_llm.crd.resources import BY_KIND, GROUP, RESOURCES, VERSION
from voyager_llm.domain.definition import Kind
from voyager_llm.kube import client as kube

NAMESPACE = "llm"
CRDS = kube.Path("/apis/apiextensions.k8s.io/v1", "customresourcedefinitions")
NAMESPACES = kube.Path("/api/v1", "namespaces")


def path_of(kind: Kind) -> kube.Path:
    return kube.Path(f"/apis/{GROUP}/{VERSION}", BY_KIND[kind].plural, NAMESPACE)


def manifests(path: Path) -> list[dict[str, Any]]:
    return [document for document in yaml.safe_load_all(path.read_text()) if document]


def admin(plane: ControlPlane) -> kube.KubeApi:
    return kube.connect(NAMESPACE, str(plane.kubeconfig()))


async def install_crds(api: kube.KubeApi) -> None:
    """Create the namespace and the CRDs, and wait until they are served."""
    await api.create(NAMESPACES, {"metadata": {"name": NAMESPACE}})
    for resource in RESOURCES:
        (crd,) = manifests(ROOT / "crds" / f"{resource.plural}.yaml")
        await api.create(CRDS, crd)
    deadline = time.monotonic() + 30
    for resource in RESOURCES:
        while not await _established(api, f"{resource.plural}.{GROUP}"):
            assert time.monotonic() < deadline, f"{resource.plural} never became established"
            await asyncio.sleep(0.05)
    # Established is said a moment before every path is served.
    for resource in RESOURCES:
        while True:
            try:
                await api.list(path_of(resource.definition))
                break
            except kube.KubeError as error:
                if error.status != 404 or time.monotonic() > deadline:
                    raise
            await asyncio.sleep(0.05)


async def _established(api: kube.KubeApi, name: str) -> bool:
    status = (await api.get(CRDS, name)).get("status") or {}
    conditions = {c["type"]: c["status"] for c in status.get("conditions") or ()}
    assert conditions.get("NonStructuralSchema") != "True", status
    return conditions.get("Established") == "True"
