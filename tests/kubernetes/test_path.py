"""From `kubectl apply` to a completion and back, with every process real but kubelets."""

from __future__ import annotations

import asyncio
import signal
import time
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

import grpc
import httpx
import psutil
import pytest

from scripts.fake_provider.running import FakeProvider
from scripts.kubernetes.platform import RAY_SERVICES, Platform, eventually, install_roles, manifests, path_of
from tests.support.running import ROOT
from voyager_llm.definitions.crd.manifests import AUTHOR
from voyager_llm.definitions.crd.resources import BY_KIND
from voyager_llm.definitions.kube import client as kube
from voyager_llm.domain.definition import Kind
from voyager_llm.v1 import models_pb2 as pb
from voyager_llm.v1.model_manager_pb2_grpc import ModelManagerStub


@pytest.fixture
async def api(running: Platform) -> AsyncIterator[kube.KubeApi]:
    opened = running.admin()
    yield opened
    await opened.close()


@pytest.fixture
async def http(running: Platform) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=running.ray.url, timeout=30) as client:
        yield client


def fresh(prefix: str) -> str:
    return f"{prefix}-{uuid4().hex[:8]}"


def manifest(kind: Kind, name: str, **spec: Any) -> dict[str, Any]:
    head = {"apiVersion": "llm.voyager.io/v1", "kind": BY_KIND[kind].kind}
    return {**head, "metadata": {"name": name}, "spec": spec}


async def apply(api: kube.KubeApi, kind: Kind, name: str, **spec: Any) -> None:
    await api.apply(path_of(kind), manifest(kind, name, **spec), "kubectl")


async def model(api: kube.KubeApi, name: str, base: str, **spec: Any) -> None:
    spec = {"provider": "custom", "model_name": "fake", "endpoints": {"primary": base}, **spec}
    await apply(api, Kind.MODEL, name, **spec)


async def chat(http: httpx.AsyncClient, name: str) -> httpx.Response:
    messages = [{"role": "user", "content": "hello"}]
    return await http.post("/v1/chat/completions", json={"model": name, "messages": messages})


async def condition(api: kube.KubeApi, kind: Kind, name: str, type_: str) -> str:
    status = (await api.get(path_of(kind), name)).get("status") or {}
    found = {c["type"]: c["status"] for c in status.get("conditions") or ()}
    return found.get(type_, "")


async def ready(api: kube.KubeApi, kind: Kind, name: str, seconds: float = 40.0) -> None:
    async def holds() -> bool:
        return await condition(api, kind, name, "Ready") == "True"

    await eventually(holds, seconds)


def replicas(running: Platform) -> set[int]:
    """The processes of the service's replicas."""
    found: set[int] = set()
    for process in psutil.Process(running.ray.process.pid).children(recursive=True):
        try:
            if "ServeReplica:voyager" in " ".join(process.cmdline()):
                found.add(process.pid)
        except psutil.Error:
            continue
    return found


@asynccontextmanager
async def undisturbed_load(
    running: Platform, http: httpx.AsyncClient, name: str
) -> AsyncGenerator[Counter[int]]:
    """Requests all the while, of which none may fail, by replicas of which none may be replaced. Yields their
    statuses so far."""
    before = replicas(running)
    outcomes: Counter[int] = Counter()
    done = asyncio.Event()

    async def load() -> None:
        while not done.is_set():
            outcomes[(await chat(http, name)).status_code] += 1

    workers = [asyncio.create_task(load()) for _ in range(4)]
    try:
        yield outcomes
    finally:
        done.set()
        await asyncio.gather(*workers)
    assert set(outcomes) == {200}, outcomes
    assert replicas(running) == before


async def test_kubectl_apply_becomes_a_completion(
    running: Platform, api: kube.KubeApi, http: httpx.AsyncClient, provider: FakeProvider
) -> None:
    name = fresh("applied")
    await model(api, name, provider.profile(name))
    await apply(api, Kind.PROMPT, f"{name}-p", version="1.0.0", template="Say hello.")
    await ready(api, Kind.MODEL, name)
    await ready(api, Kind.PROMPT, f"{name}-p")
    assert (await chat(http, name)).status_code == 200
    answer = await http.post("/v1/chat/completions", json={"model": f"prompt:{name}-p", "target": name})
    assert answer.status_code == 200, answer.text
    with grpc.insecure_channel(f"127.0.0.1:{running.ray.grpc_port}") as channel:
        found = ModelManagerStub(channel).GetModel(pb.GetModelRequest(name=name))
    assert found.model.author == "kubectl"

    async def counted() -> bool:
        status = (await api.get(path_of(Kind.MODEL), name))["status"]
        return status.get("phase") == "Ready" and "availability" in status

    await eventually(counted)


async def test_the_specification_applies(api: kube.KubeApi, running: Platform) -> None:
    for kind in (Kind.MODEL, Kind.PROMPT, Kind.ROUTE, Kind.EVALUATION):
        (document,) = manifests(ROOT / "examples" / f"{kind}.yaml")
        await api.apply(path_of(kind), document, "kubectl")

    async def accepted() -> bool:
        return await condition(api, Kind.EVALUATION, "gpt-4-process-generation-eval", "Ready") == "True"

    await eventually(accepted)

    async def missing_key() -> bool:
        return await condition(api, Kind.MODEL, "gpt-4-production", "ResolvedRefs") == "False"

    await eventually(missing_key)  # it is not mounted here, and the status says so
    for kind, name in (
        (Kind.EVALUATION, "gpt-4-process-generation-eval"), (Kind.PROMPT, "process-suggestion-prompt"),
        (Kind.ROUTE, "process-design"), (Kind.MODEL, "gpt-4-production"),
    ):  # fmt: skip
        await api.delete(path_of(kind), name)


async def test_a_route_is_an_object_like_the_others(
    api: kube.KubeApi, http: httpx.AsyncClient, provider: FakeProvider
) -> None:
    """Before its model, by an alias, changed over the API, and gone with its object."""
    name = fresh("routed")
    target, alias = f"{name}-m", f"openrouter/{name}:free"
    await apply(api, Kind.ROUTE, name, targets=[{"model": target}], aliases=[alias])

    async def unresolved() -> bool:
        return await condition(api, Kind.ROUTE, name, "ResolvedRefs") == "False"

    await eventually(unresolved)
    await model(api, target, provider.profile(name))
    await ready(api, Kind.ROUTE, name)
    status = (await api.get(path_of(Kind.ROUTE), name))["status"]
    assert (status["targets"], status["available_targets"]) == (1, 1)
    assert await condition(api, Kind.ROUTE, name, "AliasesGranted") == "True"
    for called in (name, alias):
        answer = await chat(http, called)
        assert answer.status_code == 200, answer.text
        assert answer.headers["x-voyager-model"] == target
    patched = await http.patch(f"/api/v1/routes/{name}", json={"policy": "sticky"})
    assert patched.status_code == 200, patched.text
    assert (await api.get(path_of(Kind.ROUTE), name))["spec"]["policy"] == "sticky"
    await api.delete(path_of(Kind.ROUTE), name)

    async def gone() -> bool:
        return (await chat(http, alias)).status_code == 404

    await eventually(gone)
    await api.delete(path_of(Kind.MODEL), target)


async def test_what_the_api_creates_is_in_the_cluster(
    api: kube.KubeApi, http: httpx.AsyncClient, provider: FakeProvider
) -> None:
    name = fresh("created_by_api")
    document = {
        "name": name, "provider": "custom", "model_name": "fake", "cost": {"input_token_cost": 0.00003},
        "endpoints": {"primary": provider.profile(name)},
    }  # fmt: skip
    created = await http.post("/api/v1/models", json=document, headers={"x-voyager-user": "ada"})
    assert created.status_code == 201, created.text
    stored = await api.get(path_of(Kind.MODEL), name.replace("_", "-"))
    assert stored["metadata"]["annotations"][AUTHOR] == "ada"
    assert stored["spec"]["cost"]["input_token_cost"] == 0.00003
    assert (await chat(http, name)).status_code == 200
    await ready(api, Kind.MODEL, name.replace("_", "-"))
    assert (await chat(http, name)).status_code == 200  # no publication undid it
    changed = await http.patch(f"/api/v1/models/{name}", json={"parameters": {"max_tokens": 9}})
    assert changed.status_code == 200, changed.text
    stored = await api.get(path_of(Kind.MODEL), name.replace("_", "-"))
    assert stored["spec"]["parameters"] == {"max_tokens": 9}
    history = (await http.get(f"/api/v1/models/{name}/versions")).json()["versions"]
    assert [version["revision"] for version in history] == [2, 1]
    assert (await http.delete(f"/api/v1/models/{name}")).status_code == 200
    with pytest.raises(kube.KubeError):
        await api.get(path_of(Kind.MODEL), name.replace("_", "-"))
    assert (await chat(http, name)).status_code == 404


async def test_definitions_are_read_and_written_while_the_controller_is_away(
    running: Platform, api: kube.KubeApi, http: httpx.AsyncClient, provider: FakeProvider
) -> None:
    """What was applied is there at once; it serves requests when it is published, or changed by the API."""
    name = fresh("unwatched")
    controller = running.controllers[0]
    controller.send_signal(signal.SIGSTOP)
    try:
        await model(api, name, provider.profile(name))

        async def read() -> bool:
            return (await http.get(f"/api/v1/models/{name}")).status_code == 200

        await eventually(read, 5)
        listed = (await http.get("/api/v1/models", params={"page_size": 1000})).json()["models"]
        assert name in {found["name"] for found in listed}
        assert (await chat(http, name)).status_code == 404
        await model(api, name, provider.profile(name), capabilities=["json"])

        async def changed() -> bool:
            return "json" in (await http.get(f"/api/v1/models/{name}")).text

        await eventually(changed, 5)
        patched = await http.patch(f"/api/v1/models/{name}", json={"parameters": {"max_tokens": 9}})
        assert patched.status_code == 200, patched.text
        assert (await api.get(path_of(Kind.MODEL), name))["spec"]["capabilities"] == ["json"]
        assert (await chat(http, name)).status_code == 200
    finally:
        controller.send_signal(signal.SIGCONT)
    await ready(api, Kind.MODEL, name)


async def test_the_clusters_rules_hold_for_the_api(http: httpx.AsyncClient) -> None:
    document = {"name": fresh("http"), "provider": "openai", "model_name": "m",
                "endpoints": {"primary": "http://api.openai.com/v1"}}  # fmt: skip
    refused = await http.post("/api/v1/models", json=document)
    assert refused.status_code == 400
    assert "endpoints must use https when provider is openai" in refused.json()["message"]


async def test_a_deleted_object_is_gone(
    api: kube.KubeApi, http: httpx.AsyncClient, provider: FakeProvider
) -> None:
    name = fresh("deleted")
    await model(api, name, provider.profile(name))
    await ready(api, Kind.MODEL, name)
    await api.delete(path_of(Kind.MODEL), name)

    async def gone() -> bool:
        return (await chat(http, name)).status_code == 404

    await eventually(gone)


async def test_changes_under_load_fail_no_request(
    running: Platform, api: kube.KubeApi, http: httpx.AsyncClient, provider: FakeProvider
) -> None:
    """Thirty objects change while requests run: none fails, and no replica is replaced."""
    name = fresh("steady")
    await model(api, name, provider.profile(name))
    await ready(api, Kind.MODEL, name)
    async with undisturbed_load(running, http, name) as outcomes:
        for i in range(30):
            await model(api, f"{name}-{i % 5}", provider.profile(name), parameters={"max_tokens": i + 1})
            await asyncio.sleep(0.2)
        for i in range(5):
            await ready(api, Kind.MODEL, f"{name}-{i}")
    assert outcomes[200] > 100


SECRETS = kube.Path("/api/v1", "secrets", "llm")


@pytest.mark.parametrize("place", ["mounted", "named"])
async def test_a_key_is_rotated_under_load(
    running: Platform, api: kube.KubeApi, http: httpx.AsyncClient, provider: FakeProvider, place: str
) -> None:
    """Old and new key overlap at the provider; the secret changes; the old one is revoked: nobody notices.
    The secret is a mounted file, or a Secret that the service's role lets it read by name."""
    name = fresh("rotated")
    secret = name if place == "mounted" else "gemini-api-key"
    if place == "named":
        await install_roles(api, ROOT / "kuberay" / "secrets" / "named.yaml")

    async def keep(value: str) -> None:
        if place == "mounted":
            file = running.secrets / secret / "token"
            await asyncio.to_thread(file.parent.mkdir, parents=True, exist_ok=True)
            await asyncio.to_thread(file.write_text, value)
        else:
            body = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": secret}}
            await api.apply(SECRETS, {**body, "stringData": {"token": value}}, "vault", force=True)

    await keep("canary-first-key")
    base = provider.profile(name, keys=["canary-first-key"])
    reference = {"type": "bearer_token", "secret_ref": {"name": secret, "key": "token"}, "rotation_days": 90}
    await model(api, name, base, authentication=reference)
    await ready(api, Kind.MODEL, name)
    async with undisturbed_load(running, http, name):
        provider.profile(name, keys=["canary-first-key", "canary-second-key"])
        await keep("canary-second-key")
        await asyncio.sleep(1)
        provider.profile(name, keys=["canary-second-key"])
        await asyncio.sleep(2)
    assert await condition(api, Kind.MODEL, name, "RotationDue") == "False"

    async def noticed() -> bool:
        status = (await api.get(path_of(Kind.MODEL), name))["status"]
        return status.get("key", {}).get("age_days") == 0

    await eventually(noticed)


async def test_no_secret_is_anywhere(running: Platform, api: kube.KubeApi, http: httpx.AsyncClient) -> None:
    """The canary keys of the test before are looked for wherever they must not be."""
    paths = [path_of(kind) for kind in BY_KIND]
    paths.append(kube.Path("/apis/ray.io/v1", "rayservices", "llm"))
    paths.append(kube.Path("/apis/events.k8s.io/v1", "events", "llm"))
    pages = ("/statusz", "/metrics", "/api/v1/models", "/v1/models")
    texts = [repr(await api.list(path)) for path in paths] + [(await http.get(page)).text for page in pages]
    files = [file for file in running.folder.rglob("*") if file.is_file() and "secrets" not in file.parts]
    texts += [file.read_bytes().decode("latin-1") for file in files if "etcd" not in file.parts]
    assert len(texts) > 10
    assert not any("canary" in text for text in texts)


async def test_kuberay_takes_a_change_in_place(
    running: Platform, api: kube.KubeApi, http: httpx.AsyncClient, provider: FakeProvider
) -> None:
    """Its own operator: pods that a restricted namespace admits, one Ray cluster whatever is defined, and a
    status that keeps up, which the controller reads back."""
    clusters = kube.Path("/apis/ray.io/v1", "rayclusters", "llm")
    pods = kube.Path("/api/v1", "pods", "llm")
    services = kube.Path("/api/v1", "services", "llm")
    before = [found["metadata"]["name"] for found in (await api.list(clusters))[0]]
    assert len(before) == 1
    groups = Counter(pod["metadata"]["labels"]["ray.io/node-type"] for pod in (await api.list(pods))[0])
    assert groups == {"head": 1, "worker": 2}
    names = {found["metadata"]["name"] for found in (await api.list(services))[0]}
    assert "voyager-serve-svc" in names  # where the controller and the gateway look for the service
    name = fresh("in-place")
    await model(api, name, provider.profile(name))
    await ready(api, Kind.MODEL, name)
    service = await api.get(RAY_SERVICES, "voyager")
    assert service["status"]["observedGeneration"] == service["metadata"]["generation"]
    assert (await chat(http, name)).status_code == 200
    assert [found["metadata"]["name"] for found in (await api.list(clusters))[0]] == before


async def test_kuberay_dies_under_load(
    running: Platform, api: kube.KubeApi, http: httpx.AsyncClient, provider: FakeProvider
) -> None:
    """-9. It remembers nothing of what it submitted, and does so again: no request fails, no replica is
    replaced, and what was defined meanwhile arrives."""
    name = fresh("orphaned")
    await model(api, name, provider.profile(name))
    await ready(api, Kind.MODEL, name)
    async with undisturbed_load(running, http, name):
        running.operator.kill()
        await model(api, f"{name}-2", provider.profile(name))
        await asyncio.sleep(3)
        running.operator.start()
        await ready(api, Kind.MODEL, f"{name}-2", 60)


async def test_the_path_takes_seconds(
    api: kube.KubeApi, http: httpx.AsyncClient, provider: FakeProvider
) -> None:
    """Not a benchmark: a path that needed a resync or a time-out anywhere would take far longer."""
    name = fresh("quick")
    started = time.monotonic()
    await model(api, name, provider.profile(name))

    async def answers() -> bool:
        return (await chat(http, name)).status_code == 200

    await eventually(answers)
    assert time.monotonic() - started < 20
