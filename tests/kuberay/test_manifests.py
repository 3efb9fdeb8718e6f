"""Every rendered manifest is accepted: strictly, by server-side dry run, in a `restricted` namespace, and a
warning counts as a refusal."""

from __future__ import annotations

import re
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from controller.serve_config import load_base
from scripts.kubernetes import foreign
from scripts.kubernetes.binaries import HELM, KUSTOMIZE, binary
from scripts.kubernetes.control_plane import ControlPlane, control_plane
from scripts.kubernetes.platform import NAMESPACE, ROOT, admin, establish, install_crds, manifests
from serve_app.environment import serve_environment
from voyager_llm.definitions.crd.resources import RESOURCES
from voyager_llm.settings import Settings

KUBERAY = ROOT / "kuberay"
_SOURCES = (foreign.KUBERAY, foreign.EXTERNAL_SECRETS, foreign.VAULT_SECRETS, foreign.PROMETHEUS)
_RESTRICTED = {f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "warn", "audit")}


@pytest.fixture(scope="module")
async def plane(tmp_path_factory: pytest.TempPathFactory) -> Any:
    with control_plane(tmp_path_factory.mktemp("plane")) as running:
        api = admin(running)
        await install_crds(api)
        await establish(api, [crd for source in _SOURCES for crd in foreign.crds(source)])
        await api.close()
        yield running


@pytest.fixture(scope="module")
def server(plane: ControlPlane) -> Iterator[Server]:
    running = Server(plane)
    running.restrict()
    yield running
    running.close()


class Server:
    """Dry runs, as `kubectl apply --server-side --dry-run=server --validate=strict`."""

    def __init__(self, plane: ControlPlane) -> None:
        self._client = httpx.Client(
            base_url=plane.url,
            headers={"authorization": f"Bearer {plane.tokens['admin']}"},
            verify=ssl.create_default_context(cafile=str(plane.ca)),
            timeout=30,
        )
        self._paths: dict[tuple[str, str], tuple[str, bool]] = {}

    def close(self) -> None:
        self._client.close()

    def restrict(self) -> None:
        patch = {"metadata": {"labels": _RESTRICTED}}
        answer = self._client.patch(
            f"/api/v1/namespaces/{NAMESPACE}",
            json=patch,
            headers={"content-type": "application/merge-patch+json"},
        )
        answer.raise_for_status()

    def fault(self, manifest: dict[str, Any]) -> str:
        """What the server says against a manifest; empty: nothing, not even a warning."""
        path, namespaced = self._where(manifest["apiVersion"], manifest["kind"])
        name = manifest["metadata"]["name"]
        place = (
            f"{path.rsplit('/', 1)[0]}/namespaces/{NAMESPACE}/{path.rsplit('/', 1)[1]}"
            if namespaced
            else path
        )
        answer = self._client.patch(
            f"{place}/{name}",
            params={"dryRun": "All", "fieldValidation": "Strict", "fieldManager": "test", "force": "true"},
            content=yaml.safe_dump(manifest),
            headers={"content-type": "application/apply-patch+yaml"},
        )
        if answer.is_error:
            return f"{manifest['kind']} {name}: {answer.json()['message']}"
        return "; ".join(answer.headers.get_list("warning"))

    def _where(self, version: str, kind: str) -> tuple[str, bool]:
        if (version, kind) not in self._paths:
            prefix = f"/api/{version}" if "/" not in version else f"/apis/{version}"
            for entry in self._client.get(prefix).raise_for_status().json()["resources"]:
                if "/" not in entry["name"]:
                    self._paths[version, entry["kind"]] = (f"{prefix}/{entry['name']}", entry["namespaced"])
        return self._paths[version, kind]


def rendered(*command: str) -> list[dict[str, Any]]:
    output = subprocess.run(command, capture_output=True, text=True, check=False)
    assert output.returncode == 0, output.stderr
    return [document for document in yaml.safe_load_all(output.stdout) if document]


def kustomized(overlay: str) -> list[dict[str, Any]]:
    return rendered(str(binary(KUSTOMIZE)), "build", str(KUBERAY / "overlays" / overlay))


def charted(chart: str = "voyager-llm", *options: str) -> list[dict[str, Any]]:
    return rendered(str(binary(HELM)), "template", "voyager", str(KUBERAY / "charts" / chart), *options)


@pytest.mark.parametrize("overlay", ["dev", "prod"])
def test_overlays_are_accepted(server: Server, overlay: str) -> None:
    documents = kustomized(overlay)
    assert len(documents) > 20
    assert [fault for document in documents if (fault := server.fault(document))] == []


@pytest.mark.parametrize("options", [(), ("--set", "phoenix.enabled=false,monitoring.enabled=false")])
def test_the_chart_is_accepted(server: Server, options: tuple[str, ...]) -> None:
    documents = charted("voyager-llm", "--namespace", NAMESPACE, *options)
    assert [fault for document in documents if (fault := server.fault(document))] == []
    kinds = {document["kind"] for document in documents}
    assert ("ServiceMonitor" in kinds) == (not options)


def test_the_services_pods_are_one_target_that_answers_for_all_replicas() -> None:
    (monitor,) = [document for document in kustomized("dev") if document["kind"] == "ServiceMonitor"]
    (endpoint,) = monitor["spec"]["endpoints"]
    assert endpoint["params"] == {"replicas": ["all"]}
    assert endpoint["honorLabels"] is True
    targets = [relabelled(endpoint["relabelings"], discovered(f"10.0.0.{i}", f"head-{i}")) for i in (1, 2)]
    assert targets[0] == targets[1]
    assert targets[0]["__address__"] == "voyager-serve-svc.llm.svc:8000"
    other = {**discovered("10.0.1.1", "head-1"), "__meta_kubernetes_namespace": "other", "namespace": "other"}
    assert relabelled(endpoint["relabelings"], other) != targets[0]


def discovered(address: str, pod: str) -> dict[str, str]:
    """A pod behind the Service as the Prometheus Operator's own rules leave it, before ours."""
    return {
        "__address__": f"{address}:8000",
        "__meta_kubernetes_service_name": "voyager-serve-svc",
        "__meta_kubernetes_namespace": "llm",
        "__meta_kubernetes_pod_ip": address,
        "namespace": "llm", "service": "voyager-serve-svc", "job": "voyager-serve-svc", "endpoint": "serve",
        "pod": pod, "container": "ray", "node": f"node-of-{pod}",
    }  # fmt: skip


def relabelled(rules: list[dict[str, Any]], labels: dict[str, str]) -> dict[str, str]:
    """What Prometheus makes of a target's labels, as far as our rules need it."""
    for rule in rules:
        pattern = re.compile(rule["regex"])
        if rule["action"] == "labeldrop":
            labels = {name: value for name, value in labels.items() if not pattern.fullmatch(name)}
            continue
        assert rule["action"] == "replace"
        source = rule["separator"].join(labels.get(name, "") for name in rule["sourceLabels"])
        if found := pattern.fullmatch(source):
            value = found.expand(rule["replacement"].replace("$1", r"\1"))
            labels = {**labels, rule["targetLabel"]: value}
    return {name: value for name, value in labels.items() if not name.startswith("__meta_")}


def test_the_chart_of_crds_is_accepted(server: Server) -> None:
    documents = charted("voyager-llm-crds")
    assert len(documents) == len(RESOURCES)
    assert [fault for document in documents if (fault := server.fault(document))] == []
    assert all(d["metadata"]["annotations"]["helm.sh/resource-policy"] == "keep" for d in documents)


_OTHERS = sorted([*(KUBERAY / "secrets").glob("*.yaml"), *(KUBERAY / "reference").glob("*.yaml")])


@pytest.mark.parametrize("file", _OTHERS, ids=lambda path: path.stem)
def test_secrets_and_references_are_accepted(server: Server, file: Path) -> None:
    documents = manifests(file)
    assert documents
    assert [fault for document in documents if (fault := server.fault(document))] == []


def test_a_typing_error_would_be_found(server: Server) -> None:
    """The dry run is strict: a field that nobody knows is a refusal."""
    (service,) = [document for document in kustomized("dev") if document["kind"] == "RayService"]
    service["spec"]["rayClusterConfig"]["headGroupSpec"]["rayStartParam"] = {}
    assert "rayStartParam" in server.fault(service)


def test_ray_pods_may_run_where_all_is_restricted(server: Server) -> None:
    """No admission sees the pods inside a RayService, so each template is tried as a pod."""
    (service,) = [document for document in kustomized("prod") if document["kind"] == "RayService"]
    cluster = service["spec"]["rayClusterConfig"]
    for group in (cluster["headGroupSpec"], *cluster["workerGroupSpecs"]):
        pod = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": "tried"},
            "spec": group["template"]["spec"],
        }
        assert server.fault(pod) == ""
    cluster["headGroupSpec"]["template"]["spec"]["containers"][0]["securityContext"] = {}
    pod["spec"] = cluster["headGroupSpec"]["template"]["spec"]
    assert "violates PodSecurity" in server.fault(pod)


def test_the_cluster_has_the_environment_that_the_launcher_sets(tmp_path: Path) -> None:
    """What Serve reads at import must be the same wherever it runs; ports and folders are a machine's own."""
    (service,) = [document for document in kustomized("prod") if document["kind"] == "RayService"]
    cluster = service["spec"]["rayClusterConfig"]
    own = serve_environment(Settings(), tmp_path, "run")
    local = ("PORT", "PATH", "LOC", "SOCKET", "SERVER_STATE", "NBTHREAD", "LOG", "DRAINING", "VOYAGER")
    # One machine alone, and its token; here there are many, and KubeRay hands out the token.
    local += ("OSX_CLUSTER", "AUTH_MODE")
    callback = "RAY_SERVE_HTTP_PROXY_CALLBACK_IMPORT_PATH"
    shared = {name: value for name, value in own.items() if not any(part in name for part in local)}
    for group in (cluster["headGroupSpec"], *cluster["workerGroupSpecs"]):
        given = {e["name"]: e.get("value") for e in group["template"]["spec"]["containers"][0]["env"]}
        assert {name: given.get(name) for name in shared} == shared
        assert given[callback] == own[callback]
        assert given["RAY_SERVE_HAPROXY_BINARY_PATH"].endswith("/serve_app/haproxy.sh")


def test_the_rayservice_leaves_the_configuration_to_the_controller() -> None:
    for documents in (kustomized("dev"), charted()):
        (service,) = [document for document in documents if document["kind"] == "RayService"]
        assert "serveConfigV2" not in service["spec"]
    load_base()


def test_the_dashboard_is_for_kuberay_alone() -> None:
    policies = [document for document in kustomized("prod") if document["kind"] == "NetworkPolicy"]
    opening = [
        rule["from"]
        for policy in policies
        for rule in policy["spec"].get("ingress") or ()
        if any(port["port"] == 8265 for port in rule.get("ports") or ())
    ]
    assert opening == [
        [
            {
                "namespaceSelector": {},
                "podSelector": {"matchLabels": {"app.kubernetes.io/name": "kuberay-operator"}},
            }
        ]
    ]
    deny = next(p for p in policies if p["metadata"]["name"] == "voyager-llm-default-deny")
    assert set(deny["spec"]["policyTypes"]) == {"Ingress", "Egress"}
    assert "ingress" not in deny["spec"]


def test_no_secret_stands_in_a_manifest() -> None:
    for documents in (kustomized("dev"), kustomized("prod"), charted()):
        assert not [document for document in documents if document["kind"] == "Secret"]
