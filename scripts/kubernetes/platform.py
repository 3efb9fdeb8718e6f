"""The product on one machine as a cluster runs it: API server, Ray, controller, our CRDs and roles.

KubeRay's operator runs, too; only nodes are stood in for. `make demo-k8s` and `tests/kubernetes/` run this.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from scripts.kubernetes import foreign
from scripts.kubernetes.control_plane import ControlPlane, control_plane
from scripts.kubernetes.kuberay import KubeRay, kuberay
from scripts.kubernetes.ray_cluster import ROOT, RayCluster, ray_cluster
from voyager_llm.definitions.crd.resources import BY_KIND, GROUP, RESOURCES, VERSION
from voyager_llm.definitions.kube import client as kube
from voyager_llm.domain.definition import Kind

NAMESPACE = "llm"
RAY_SERVICES = kube.Path("/apis/ray.io/v1", "rayservices", NAMESPACE)
CONTROLLER = f"system:serviceaccount:{NAMESPACE}:voyager-llm-controller"
SERVICE = f"system:serviceaccount:{NAMESPACE}:voyager-llm-service"
KUBERAY = "system:serviceaccount:kuberay:kuberay-operator"
USERS: dict[str, str] = dict.fromkeys((CONTROLLER, SERVICE, KUBERAY), "system:serviceaccounts")

_ROLES = ROOT / "kuberay" / "base" / "rbac.yaml"
_ADMITTED = ROOT / "kuberay" / "base" / "admission.yaml"
_CRDS = kube.Path("/apis/apiextensions.k8s.io/v1", "customresourcedefinitions")
_NAMESPACES = kube.Path("/api/v1", "namespaces")
_RBAC = "/apis/rbac.authorization.k8s.io/v1"
_ADMISSION = "/apis/admissionregistration.k8s.io/v1"
# Where each kind of a manifest is created; another kind fails loudly.
_PATHS = {
    "ServiceAccount": kube.Path("/api/v1", "serviceaccounts", NAMESPACE),
    "Role": kube.Path(_RBAC, "roles", NAMESPACE),
    "RoleBinding": kube.Path(_RBAC, "rolebindings", NAMESPACE),
    "ClusterRole": kube.Path(_RBAC, "clusterroles"),
    "ClusterRoleBinding": kube.Path(_RBAC, "clusterrolebindings"),
    "ValidatingAdmissionPolicy": kube.Path(_ADMISSION, "validatingadmissionpolicies"),
    "ValidatingAdmissionPolicyBinding": kube.Path(_ADMISSION, "validatingadmissionpolicybindings"),
}


@dataclass(slots=True)
class Platform:
    """What runs, and where."""

    folder: Path
    plane: ControlPlane
    ray: RayCluster
    operator: KubeRay
    controllers: list[subprocess.Popen[bytes]] = field(default_factory=list[subprocess.Popen[bytes]])

    @property
    def secrets(self) -> Path:
        """Where secrets are mounted: ``NAME/KEY``."""
        return self.folder / "secrets"

    def admin(self) -> kube.KubeApi:
        """A client of the API server for the caller's event loop."""
        return admin(self.plane)

    def start_controller(self) -> None:
        base = self.folder / "serve-config.yaml"
        base.write_text(yaml.safe_dump(self.ray.serve_config()))
        environment = {
            **os.environ,
            "KUBECONFIG": str(self.plane.kubeconfig(CONTROLLER, NAMESPACE)),
            "VOYAGER_CONTROLLER_NAMESPACE": NAMESPACE,
            "VOYAGER_CONTROLLER_DATAPLANE_URL": self.ray.url,
            "VOYAGER_CONTROLLER_SERVE_CONFIG": str(base),
            "VOYAGER_CONTROLLER_HEALTH_PORT": "0",
        }
        with (self.folder / "controller.log").open("ab") as log:
            self.controllers.append(
                subprocess.Popen(
                    [sys.executable, "-m", "controller.operator"],
                    cwd=ROOT, env=environment, stdout=log, stderr=log,
                )
            )  # fmt: skip

    def stop_controllers(self) -> None:
        for process in self.controllers:
            process.terminate()
        for process in self.controllers:
            process.wait(timeout=30)


@asynccontextmanager
async def platform(
    folder: Path, settings: Mapping[str, str] | None = None, say: Callable[[str], object] = lambda _: None
) -> AsyncGenerator[Platform]:
    """Start everything, and wait until the service answers. ``say`` hears of each step."""
    (folder / "secrets").mkdir(parents=True, exist_ok=True)
    say("starting the API server …")
    with control_plane(folder / "plane", USERS) as plane:
        api = admin(plane)
        try:
            for install in (
                install_crds,
                install_roles,
                install_admission,
                install_kuberay,
                install_rayservice,
            ):
                await install(api)
            say("starting KubeRay and Ray …")
            operator_config = plane.kubeconfig(KUBERAY, NAMESPACE)
            async with kuberay(api, operator_config, folder / "kuberay.log") as operator:
                service = {**_service_settings(folder, plane), **(settings or {})}
                with ray_cluster(folder / "ray", service, await operator.token("voyager")) as ray:
                    operator.give(ray)
                    running = Platform(folder, plane, ray, operator)
                    say("starting the controller; it deploys the service …")
                    running.start_controller()
                    try:
                        await eventually(lambda: _ready(api), 180)
                        yield running
                    finally:
                        running.stop_controllers()
        finally:
            await api.close()


def _service_settings(folder: Path, plane: ControlPlane) -> dict[str, str]:
    return {
        "VOYAGER_NAMESPACE": NAMESPACE,
        "VOYAGER_KUBECONFIG": str(plane.kubeconfig(SERVICE, NAMESPACE)),
        "VOYAGER_DATA_DIR": str(folder / "data"),
        "VOYAGER_SECRETS_DIR": str(folder / "secrets"),
        "VOYAGER_FAST_DRAIN": "1",
        "VOYAGER_PROBE_INTERVAL_S": "3",
    }


async def _ready(api: kube.KubeApi) -> bool:
    status = (await api.get(RAY_SERVICES, "voyager")).get("status") or {}
    applications = (status.get("activeServiceStatus") or {}).get("applicationStatuses") or {}
    return (applications.get("voyager") or {}).get("status") == "RUNNING"


def admin(plane: ControlPlane) -> kube.KubeApi:
    """The API server as its administrator."""
    return kube.connect(NAMESPACE, str(plane.kubeconfig(namespace=NAMESPACE)))


def path_of(kind: Kind) -> kube.Path:
    """Where objects of a kind are."""
    return kube.Path(f"/apis/{GROUP}/{VERSION}", BY_KIND[kind].plural, NAMESPACE)


def manifests(path: Path) -> list[dict[str, Any]]:
    """All documents of a YAML file."""
    return [document for document in yaml.safe_load_all(path.read_text()) if document]


async def eventually(holds: Callable[[], Awaitable[bool]], seconds: float = 30.0) -> None:
    """Wait until something holds; an error of the API server means: not yet. Raises `TimeoutError`."""
    deadline = time.monotonic() + seconds
    while True:
        with suppress(kube.KubeError):
            if await holds():
                return
        if time.monotonic() > deadline:
            raise TimeoutError("what was waited for never happened")
        await asyncio.sleep(0.1)


async def install_crds(api: kube.KubeApi) -> None:
    """Create the namespace and our CRDs, and wait until they are served."""
    await api.create(_NAMESPACES, {"metadata": {"name": NAMESPACE}})
    files = [manifests(ROOT / "crds" / f"{resource.plural}.yaml") for resource in RESOURCES]
    await establish(api, [crd for documents in files for crd in documents])


async def establish(api: kube.KubeApi, crds: Iterable[Mapping[str, Any]]) -> None:
    """Create CRDs, and wait until every path of theirs is served."""
    found = list(crds)
    for crd in found:
        await api.create(_CRDS, crd)
    for crd in found:
        await eventually(lambda crd=crd: _established(api, crd))
        # Established is said a moment before the path is served.
        await eventually(lambda crd=crd: _served(api, crd))


async def install_roles(api: kube.KubeApi, file: Path = _ROLES) -> None:
    """The roles that we ship, for the accounts that we ship."""
    for document in manifests(file):
        if document["kind"] == "RoleBinding":
            for subject in document["subjects"]:
                subject["namespace"] = NAMESPACE
        await api.create(_PATHS[document["kind"]], document)


async def install_admission(api: kube.KubeApi) -> None:
    """What roles cannot say, as we ship it."""
    await install_roles(api, _ADMITTED)


async def install_kuberay(api: kube.KubeApi) -> None:
    """KubeRay's own role for its operator, and a namespace that refuses pods which may do too much."""
    role = foreign.documents(foreign.KUBERAY, "config/rbac/role.yaml")
    subject = {"kind": "ServiceAccount", "name": "kuberay-operator", "namespace": "kuberay"}
    for document in role:
        await api.create(_PATHS[document["kind"]], document)
    name = role[0]["metadata"]["name"]
    reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": name}
    binding = {"metadata": {"name": name}, "roleRef": reference, "subjects": [subject]}
    await api.create(_PATHS["ClusterRoleBinding"], binding)
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    await api.merge(_NAMESPACES, NAMESPACE, {"metadata": {"labels": labels}})


async def install_rayservice(api: kube.KubeApi) -> None:
    """KubeRay's CRDs, and the RayService that we ship, which has no configuration yet."""
    await establish(api, foreign.crds(foreign.KUBERAY))
    documents = manifests(ROOT / "kuberay" / "base" / "rayservice.yaml")
    await api.create(RAY_SERVICES, next(d for d in documents if d["kind"] == "RayService"))


async def _established(api: kube.KubeApi, crd: Mapping[str, Any]) -> bool:
    status = (await api.get(_CRDS, crd["metadata"]["name"])).get("status") or {}
    conditions = {c["type"]: c["status"] for c in status.get("conditions") or ()}
    if conditions.get("NonStructuralSchema") == "True":
        raise RuntimeError(f"{crd['metadata']['name']} has no structural schema: {status}")
    return conditions.get("Established") == "True"


async def _served(api: kube.KubeApi, crd: Mapping[str, Any]) -> bool:
    spec = crd["spec"]
    version = next(entry["name"] for entry in spec["versions"] if entry["served"])
    await api.list(kube.Path(f"/apis/{spec['group']}/{version}", spec["names"]["plural"]))
    return True
