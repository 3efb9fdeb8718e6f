"""A Ray cluster on this machine, with Serve's REST API: where a RayService's configuration is submitted to.

Used by tests and by the demo, through `kuberay.py`.
"""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from controller.serve_config import load_base
from serve_app.environment import RUN_MARK, free_port, serve_environment
from serve_app.processes import Run
from voyager_llm.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
_READY_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class RayCluster:
    """Addresses of a running cluster; nothing listens at the service's ports before it is deployed."""

    dashboard: str
    token: str
    http_port: int
    grpc_port: int
    process: subprocess.Popen[bytes]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.http_port}"

    def serve_config(self) -> dict[str, Any]:
        """The base configuration that ships, on this machine's ports."""
        base = load_base()
        base["http_options"] |= {"host": "127.0.0.1", "port": self.http_port}
        base["grpc_options"]["port"] = self.grpc_port
        return base


@contextmanager
def ray_cluster(folder: Path, settings: Mapping[str, str], token: str = "") -> Generator[RayCluster]:
    """Run one. ``settings``: `VOYAGER_*` variables of the service's replicas. ``token``: what its dashboard
    wants; by default a new one."""
    folder.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix="voyager-llm-"))
    dashboard, token = free_port(), token or secrets.token_hex(16)
    (folder / "ray-token").write_text(token)
    environment = {
        **os.environ,
        **serve_environment(Settings(), scratch, ""),  # pyright: ignore[reportCallIssue]
        **settings,
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN_PATH": str(folder / "ray-token"),
        "PYTHONPATH": str(ROOT),
    }
    with (folder / "ray.log").open("wb") as log:
        process = subprocess.Popen(
            # The mark of a run ends with the id of its first process, which exec keeps.
            ["sh", "-c", f'{RUN_MARK}={scratch.name}:$$ exec "$@"', "sh",
             sys.executable, "-m", "scripts.kubernetes.ray_head", str(dashboard)],
            cwd=ROOT, env=environment, stdout=log, stderr=log,
        )  # fmt: skip
    cluster = RayCluster(f"http://127.0.0.1:{dashboard}", token, free_port(), free_port(), process)
    try:
        _wait(cluster, folder / "ray.log")
        yield cluster
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            process.kill()
        Run(f"{scratch.name}:{process.pid}", scratch).end()


def _wait(cluster: RayCluster, log: Path) -> None:
    deadline = time.monotonic() + _READY_SECONDS
    headers = {"authorization": f"Bearer {cluster.token}"}
    while time.monotonic() < deadline and cluster.process.poll() is None:
        try:
            answer = httpx.get(f"{cluster.dashboard}/api/serve/applications/", headers=headers, timeout=5)
            if answer.status_code == 200:
                return
        except httpx.HTTPError:
            pass
        time.sleep(0.2)
    raise RuntimeError(f"Ray did not start:\n{log.read_text()[-4000:]}")
