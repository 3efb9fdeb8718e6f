"""`make demo-k8s`: the whole path on one machine, told as it happens.

A real API server, the controller, KubeRay, Ray Serve and Envoy; nodes are stood in for, and so is a provider.
Applies the specification's YAML, completes through Envoy, and rotates a key under load.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

import httpx
import yaml

from scripts.fake_provider.running import FakeProvider
from scripts.kubernetes.binaries import KUBECTL, binary
from scripts.kubernetes.gateway import Gateway, gateway
from scripts.kubernetes.platform import Platform, eventually, path_of, platform
from scripts.kubernetes.ray_cluster import ROOT
from voyager_llm.definitions.kube.client import KubeApi
from voyager_llm.domain.definition import Kind


def say(text: str = "") -> None:
    print(text, flush=True)


def kubectl(running: Platform, *arguments: str) -> None:
    """Run kubectl, and show the command and what it prints."""
    say(f"$ kubectl {' '.join(arguments)}")
    command = [str(binary(KUBECTL)), "--kubeconfig", str(running.plane.kubeconfig()), *arguments]
    say(subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout)


async def main() -> int:
    provider = FakeProvider()
    try:
        with tempfile.TemporaryDirectory(prefix="voyager-demo-") as folder:
            async with platform(Path(folder), say=say) as running:
                say("starting Envoy …\n")
                with gateway(Path(folder) / "envoy", running.ray.http_port, running.ray.grpc_port) as envoy:
                    await show(running, envoy, provider)
    finally:
        provider.stop()
    return 0


async def show(running: Platform, envoy: Gateway, provider: FakeProvider) -> None:
    """The session."""
    api = running.admin()
    say("The specification's own YAML:")
    kubectl(running, "apply", "-f", "examples/")
    say("A model at a provider of this machine, with a key that is mounted as a file:")
    base = provider.profile("demo", keys=["first-key"])
    write_key(running, "first-key")
    manifest = Path(running.folder) / "demo.yaml"
    manifest.write_text(yaml.safe_dump(demo_model(base)))
    say(manifest.read_text())
    kubectl(running, "apply", "-f", str(manifest))
    await eventually(lambda: is_ready(api, "demo"), 60)
    kubectl(running, "get", "mdef,pdef,rdef,meval")
    await complete(envoy)
    await rotate(running, envoy, provider)
    kubectl(running, "get", "mdef", "demo", "-o", "jsonpath={.status.key}")
    say("And the other way: what the API creates is a resource.")
    async with envoy.client("ada") as client:
        document = {"name": "from_the_api", "provider": "openai", "model_name": "gpt-4o-mini"}
        created = await client.post("/api/v1/models", json=document)
        say(f"POST /api/v1/models → {created.status_code} {created.text}")
    kubectl(running, "get", "mdef", "from-the-api", "-o", "jsonpath={.metadata.annotations}")
    await api.close()


async def complete(envoy: Gateway) -> None:
    say("A completion through Envoy: REST with a JWT outside, gRPC inside.")
    async with envoy.client("ada") as client:
        answer = await client.post(
            "/api/v1/models/demo/completions",
            json={"prompt": "Say hello.", "parameters": {"max_tokens": "20"}, "metadata": {"user_id": "ada"}},
        )
        say(f"POST {envoy.url}/api/v1/models/demo/completions → {answer.status_code}\n{answer.text}\n")


async def rotate(running: Platform, envoy: Gateway, provider: FakeProvider) -> None:
    say("The key is rotated while requests run: both are valid for a second, then the old one is not.")
    outcomes: Counter[int] = Counter()
    done = asyncio.Event()
    async with envoy.client("load") as client:
        workers = [asyncio.create_task(load(client, outcomes, done)) for _ in range(4)]
        await asyncio.sleep(1)
        provider.profile("demo", keys=["first-key", "second-key"])
        write_key(running, "second-key")
        await asyncio.sleep(1)
        provider.profile("demo", keys=["second-key"])
        await asyncio.sleep(2)
        done.set()
        await asyncio.gather(*workers)
    say(f"{outcomes.total()} requests meanwhile, by status: {dict(outcomes)}\n")


async def load(client: httpx.AsyncClient, outcomes: Counter[int], done: asyncio.Event) -> None:
    body = {"model": "demo", "messages": [{"role": "user", "content": "hello"}]}
    while not done.is_set():
        outcomes[(await client.post("/v1/chat/completions", json=body)).status_code] += 1


async def is_ready(api: KubeApi, name: str) -> bool:
    status = (await api.get(path_of(Kind.MODEL), name)).get("status") or {}
    return status.get("phase") == "Ready"


def write_key(running: Platform, key: str) -> None:
    """As a kubelet writes a mounted secret."""
    path = running.secrets / "demo-key" / "token"
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_suffix(".new")
    fresh.write_text(key)
    fresh.replace(path)


def demo_model(base: str) -> dict[str, object]:
    return {
        "apiVersion": "llm.voyager.io/v1",
        "kind": "ModelDefinition",
        "metadata": {"name": "demo"},
        "spec": {
            "provider": "custom",
            "model_name": "any",
            "cost": {"input_token_cost": 0.00003, "output_token_cost": 0.00006},
            "endpoints": {"primary": base},
            "authentication": {
                "type": "bearer_token",
                "secret_ref": {"name": "demo-key", "key": "token"},
                "rotation_days": 90,
            },
        },
    }


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
