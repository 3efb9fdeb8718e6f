"""Where secrets are kept: one contract for files, the environment and an API server under our role."""

from __future__ import annotations

import asyncio
import base64
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from uuid import uuid4

import pytest

from deployments.secrets.cluster import ClusterSecrets
from deployments.secrets.places import EnvironmentVariables, MountedFiles
from deployments.secrets.source import Secret, SecretPlace, Secrets
from scripts.kubernetes.control_plane import ControlPlane
from scripts.kubernetes.platform import NAMESPACE, ROOT, SERVICE, eventually, install_roles
from voyager_llm.definitions.kube import client as kube
from voyager_llm.domain.model import SecretRef
from voyager_llm.errors import UpstreamMisconfigured, UpstreamUnavailable

SECRETS = kube.Path("/api/v1", "secrets", NAMESPACE)
# The role of kuberay/secrets/named.yaml names it.
NAMED = "openai-api-key"
NOW = 0.0
READS = 'resource="secrets".*verb="GET"'

Put = Callable[[SecretRef, str], Awaitable[None]]


async def put(api: kube.KubeApi, name: str, **values: str) -> None:
    """Create or change a Secret."""
    data = {key: base64.b64encode(value.encode()).decode() for key, value in values.items()}
    body = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "data": data}
    await api.apply(SECRETS, body, "external-secrets", force=True)


@pytest.fixture(scope="module")
async def allowed(plane: ControlPlane, cluster: kube.KubeApi) -> kube.KubeApi:
    """As administrator; the service may read what the role names."""
    await install_roles(cluster, ROOT / "kuberay" / "secrets" / "named.yaml")
    await put(cluster, NAMED, ready="yes")
    place = _place(plane)

    async def permitted() -> bool:
        return await place.read(SecretRef(name=NAMED, key="ready"), NOW) is not None

    await eventually(permitted)  # the server takes a moment to see a new role
    await place.close()
    return cluster


@pytest.fixture
async def in_cluster(plane: ControlPlane, allowed: kube.KubeApi) -> AsyncIterator[ClusterSecrets]:
    place = _place(plane)
    yield place
    await place.close()


def _place(plane: ControlPlane) -> ClusterSecrets:
    """Under the service's own account."""
    return ClusterSecrets(lambda: kube.connect(NAMESPACE, str(plane.kubeconfig(SERVICE))))


@pytest.fixture(params=["files", "environment", "cluster"])
def place(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> tuple[SecretPlace, Put]:
    """A place, and how to put a secret there."""
    if request.param == "files":

        async def mount(reference: SecretRef, value: str) -> None:
            path = tmp_path / reference.name / reference.key
            await asyncio.to_thread(path.parent.mkdir, exist_ok=True)
            await asyncio.to_thread(path.write_text, value)

        return MountedFiles(tmp_path), mount
    if request.param == "environment":

        async def export(reference: SecretRef, value: str) -> None:
            name = f"{reference.name}__{reference.key}".upper().replace("-", "_")
            monkeypatch.setenv(f"VOYAGER_SECRET_{name}", value)

        return EnvironmentVariables(), export
    api: kube.KubeApi = request.getfixturevalue("allowed")

    async def store(reference: SecretRef, value: str) -> None:
        await put(api, reference.name, **{reference.key: value})

    return request.getfixturevalue("in_cluster"), store


async def test_a_place_has_it_or_not(place: tuple[SecretPlace, Put]) -> None:
    kept, put_there = place
    reference = SecretRef(name=NAMED, key=f"key-{uuid4().hex[:8]}")
    assert await kept.read(reference, NOW) is None
    for value in ("first", "second"):
        await put_there(reference, f"{value}\n")  # as an editor leaves it
        found = await kept.read(reference, NOW)
        assert found is not None
        assert found.value == value
        assert value not in repr(found)
    assert await kept.read(SecretRef(name=NAMED, key="other"), NOW) is None


async def test_what_the_role_does_not_name_is_not_there(
    allowed: kube.KubeApi, in_cluster: ClusterSecrets
) -> None:
    await put(allowed, "payroll", token="canary")
    reference = SecretRef(name="payroll", key="token")
    assert await in_cluster.read(reference, NOW) is None
    with pytest.raises(
        UpstreamMisconfigured, match="secret payroll, key token: not found; mount it, let the"
    ):
        await Secrets(in_cluster).get(reference)


async def test_it_says_when_the_secret_was_written(allowed: kube.KubeApi, in_cluster: ClusterSecrets) -> None:
    before = time.time()
    await put(allowed, NAMED, dated="one")
    found = await in_cluster.read(SecretRef(name=NAMED, key="dated"), NOW)
    assert found is not None
    assert before - 2 < found.written < before + 30


async def test_many_calls_ask_once(
    plane: ControlPlane, allowed: kube.KubeApi, in_cluster: ClusterSecrets
) -> None:
    """Whether it is there or not: a missing key must not flood the API server."""
    await put(allowed, NAMED, busy="key")
    before = plane.requests(READS)
    secrets = Secrets(in_cluster)
    there, missing = SecretRef(name=NAMED, key="busy"), SecretRef(name="nobody", key="x")
    assert set(await asyncio.gather(*(secrets.get(there) for _ in range(200)))) == {"key"}
    for _ in range(20):
        results = await asyncio.gather(*(secrets.get(missing) for _ in range(20)), return_exceptions=True)
        assert {type(result) for result in results} == {UpstreamMisconfigured}
    assert plane.requests(READS) - before <= 4


async def test_a_key_that_was_read_outlives_the_api_server(
    plane: ControlPlane, allowed: kube.KubeApi, in_cluster: ClusterSecrets
) -> None:
    await put(allowed, NAMED, kept="key")
    secrets = Secrets(in_cluster)
    reference = SecretRef(name=NAMED, key="kept")
    assert await secrets.get(reference) == "key"
    plane.stop("kube-apiserver", signal.SIGKILL)
    try:
        assert await secrets.get(reference) == "key"
        assert await secrets.newer(reference, "key") is None  # refused, but there is no other
        with pytest.raises(UpstreamUnavailable, match="the cluster's API server does not answer"):
            await Secrets(in_cluster).get(SecretRef(name="never-read", key="x"))
    finally:
        plane.start_server()
        await asyncio.to_thread(plane.wait_until_ready)


async def test_only_a_refused_key_is_read_again() -> None:
    place = _Scripted("one")
    secrets = Secrets(place)
    reference = SecretRef(name="s", key="k")
    assert [await secrets.get(reference) for _ in range(3)] == ["one"] * 3
    assert place.reads == 1
    assert await secrets.newer(reference, "one") is None  # the provider is wrong, or revoked too early
    place.value = "two"
    assert await secrets.newer(reference, "one") == "two"
    reads = place.reads
    assert await secrets.newer(reference, "one") == "two"  # a call that was refused beside it
    assert place.reads == reads
    assert await secrets.get(reference) == "two"


async def test_the_first_place_goes_first() -> None:
    reference = SecretRef(name="s", key="k")
    assert await Secrets(_Scripted(""), _Scripted("second"), _Scripted("third")).get(reference) == "second"


@pytest.mark.parametrize("value", ["two\nlines", "snow \u2603"])
async def test_what_no_header_may_carry_is_refused(value: str) -> None:
    with pytest.raises(UpstreamMisconfigured, match="characters that no header may carry"):
        await Secrets(_Scripted(value)).get(SecretRef(name="s", key="k"))


class _Scripted:
    """A place that says what it is told to."""

    def __init__(self, value: str) -> None:
        self.value = value
        self.reads = 0

    async def read(self, reference: SecretRef, max_age_s: float) -> Secret | None:
        self.reads += 1
        return Secret(self.value)
