"""The service as a user runs it: `voyager-llm up` as a process, on ports of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx
import psutil

from serve_app.environment import RUN_MARK, free_port

ROOT = Path(__file__).resolve().parents[2]
START_SECONDS = 150.0


class RunningService:
    """One run of the service. ``settings`` become ``VOYAGER_*`` variables."""

    def __init__(self, data: Path, *, embedded_llm: bool = False, **settings: Any) -> None:
        self.http_port, self.grpc_port = free_port(), free_port()
        host = settings.get("host", "127.0.0.1")
        self.url = f"http://{f'[{host}]' if ':' in host else host}:{self.http_port}"
        self.log = data / "up.log"
        values = {
            "DATA_DIR": data, "HTTP_PORT": self.http_port, "GRPC_PORT": self.grpc_port,
            "FAST_DRAIN": 1, "SECRETS_DIR": data / "secrets", **settings,
        }  # fmt: skip
        environment = {**os.environ, **{f"VOYAGER_{k.upper()}": str(v) for k, v in values.items()}}
        environment.pop(RUN_MARK, None)
        flag = "--embedded-llm" if embedded_llm else "--no-embedded-llm"
        with self.log.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "serve_app.cli", "up", flag],
                cwd=ROOT,
                env=environment,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._wait()
        self.http = httpx.Client(base_url=self.url, timeout=60)

    def _wait(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if f"ready: {self.url}" in self.log.read_text():
                return
            if self.process.poll() is not None:
                break
            time.sleep(0.2)
        self.stop()
        raise RuntimeError(f"the service did not start:\n{self.log.read_text()[-4000:]}")

    def processes(self, part: str = "") -> list[psutil.Process]:
        """Processes of this run whose title contains ``part``."""
        found: list[psutil.Process] = []
        for process in psutil.process_iter():
            try:
                mark = process.environ().get(RUN_MARK, "")
                title = " ".join(process.cmdline())
            except (psutil.Error, OSError):
                continue
            if mark.endswith(f":{self.process.pid}") and part in title:
                found.append(process)
        return found

    def replicas(self, deployment: str) -> set[int]:
        return {process.pid for process in self.processes(f"ServeReplica:voyager:{deployment}")}

    def model(self, name: str, base: str, **fields: Any) -> None:
        document = {"name": name, "provider": "custom", "model_name": "fake", **fields}
        document["endpoints"] = {"primary": base}
        answer = self.http.post("/api/v1/models", json=document)
        assert answer.status_code == 201, answer.text

    def stop(self) -> int:
        """Ctrl-C, as a user would. Returns the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        try:
            return self.process.wait(timeout=60)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            raise
