"""Stands in for what only nodes have: kubelets, which run pods, and the network between pods.

Pods are declared running and ready without being run. Requests to the names and addresses of the cluster
arrive at what runs on this machine instead; `kuberay.py` sends KubeRay's operator here. Used by
`platform.py`.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from voyager_llm.definitions.kube.client import KubeApi, KubeError, Path

log = logging.getLogger(__name__)

_POLL_S = 0.3
_MAX_HEAD = 64 * 1024


class Kubelets:
    """Declares every pod of a namespace running."""

    def __init__(self, api: KubeApi) -> None:
        self._api = api
        self._pods = Path("/api/v1", "pods", api.namespace)
        self._addresses = 0

    async def run(self) -> None:
        """For ever; cancel to stop."""
        while True:
            with suppress(KubeError):
                for pod in (await self._api.list(self._pods))[0]:
                    if not (pod.get("status") or {}).get("podIP"):
                        await self._start(pod)
            await asyncio.sleep(_POLL_S)

    async def _start(self, pod: dict[str, Any]) -> None:
        self._addresses += 1
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        address = f"10.1.{self._addresses // 250}.{self._addresses % 250 + 1}"
        conditions = ("PodScheduled", "Initialized", "ContainersReady", "Ready")
        status = {
            "phase": "Running",
            "podIP": address,
            "podIPs": [{"ip": address}],
            "startTime": now,
            "conditions": [
                {"type": type_, "status": "True", "lastTransitionTime": now} for type_ in conditions
            ],
            "containerStatuses": [
                {
                    "name": container["name"], "ready": True, "started": True, "restartCount": 0,
                    "image": container["image"], "imageID": "", "state": {"running": {"startedAt": now}},
                }
                for container in pod["spec"]["containers"]
            ],
        }  # fmt: skip
        await self._api.merge(self._pods, pod["metadata"]["name"], {"status": status}, "status")


class Network:
    """An HTTP proxy whose world is the cluster: a port of any host leads to a port of this machine."""

    def __init__(self) -> None:
        # Port in the cluster → port here.
        self.routes: dict[int, int] = {}
        self._server: asyncio.Server | None = None

    async def start(self) -> str:
        """The proxy's URL."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, limit=_MAX_HEAD)
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One request a connection; whoever asks opens another one for the next."""
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            line, headers = head.split(b"\r\n", 1)
            method, target, version = line.decode().split(" ")
            url = urlsplit(target)
            here = self.routes.get(url.port or 80)
            if here is None:
                writer.write(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
                return
            path = url.path + (f"?{url.query}" if url.query else "")
            inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", here)
            inner_writer.write(f"{method} {path} {version}\r\nConnection: close\r\n".encode() + headers)
            await asyncio.gather(_relay(reader, inner_writer), _relay(inner_reader, writer))
        except (OSError, ValueError, asyncio.IncompleteReadError, asyncio.LimitOverrunError) as error:
            log.info("a request through the cluster's network failed: %s", error)
        finally:
            writer.close()


async def _relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while piece := await reader.read(65536):
            writer.write(piece)
            await writer.drain()
    writer.close()
