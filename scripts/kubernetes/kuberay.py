"""KubeRay's own operator, as a process, for a cluster whose nodes `nodes.py` stands in for.

It makes pods, services and the token as in any cluster, and submits a RayService's configuration to the Ray
cluster of this machine, which it takes for the head pod's. Used by `platform.py`.
"""

from __future__ import annotations

import asyncio
import base64
import os
import subprocess
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path as FilePath
from urllib.parse import urlsplit

from scripts.kubernetes.binaries import OPERATOR, binary
from scripts.kubernetes.nodes import Kubelets, Network
from scripts.kubernetes.ray_cluster import RayCluster
from voyager_llm.definitions.kube.client import KubeApi, Path

_DASHBOARD, _SERVE = 8265, 8000
_TOKEN_SECONDS = 60.0


class KubeRay:
    """The operator, and the network through which it sees the cluster."""

    def __init__(self, api: KubeApi, network: Network, environment: Mapping[str, str], log: FilePath) -> None:
        self._api = api
        self._network = network
        self._environment = environment
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self._log.open("ab") as output:
            self._process = subprocess.Popen(
                [
                    binary(OPERATOR), f"--watch-namespace={self._api.namespace}",
                    "--enable-leader-election=false", "--metrics-addr=0", "--health-probe-bind-address=0",
                ],
                env=self._environment, stdout=output, stderr=output,
            )  # fmt: skip

    def kill(self) -> None:
        """-9."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    async def token(self, service: str) -> str:
        """The token that KubeRay made for the Ray cluster of a RayService. Raises `TimeoutError`."""
        async with asyncio.timeout(_TOKEN_SECONDS):
            while True:
                secrets, _ = await self._api.list(Path("/api/v1", "secrets", self._api.namespace))
                for secret in secrets:
                    token = secret["data"].get("auth_token")
                    if token and secret["metadata"]["name"].startswith(f"{service}-"):
                        return base64.b64decode(token).decode()
                await asyncio.sleep(0.2)

    def give(self, ray: RayCluster) -> None:
        """This is what the head pod runs."""
        dashboard = urlsplit(ray.dashboard).port
        assert dashboard is not None
        self._network.routes = {_DASHBOARD: dashboard, _SERVE: ray.http_port}


@asynccontextmanager
async def kuberay(api: KubeApi, kubeconfig: FilePath, log: FilePath) -> AsyncGenerator[KubeRay]:
    """Run the operator in the namespace of ``api`` (as administrator) under the account of ``kubeconfig``."""
    network = Network()
    proxy = await network.start()
    kubelets = asyncio.create_task(Kubelets(api).run())
    environment = {**os.environ, "KUBECONFIG": str(kubeconfig), "HTTP_PROXY": proxy, "NO_PROXY": "127.0.0.1"}
    running = KubeRay(api, network, environment, log)
    await asyncio.to_thread(running.start)
    try:
        yield running
    finally:
        running.kill()
        kubelets.cancel()
        with suppress(asyncio.CancelledError):
            await kubelets
        await network.stop()
