"""The service as a user runs it: `voyager-llm up` as a process, on ports of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil

from serve_app.environment import RUN_MARK, free_port

ROOT = Path(__file__).resolve().parents[2]
START_SECONDS = 150.0
COMMAND = (sys.executable, "-m", "serve_app.cli", "up")


def environment_of(data: Path, **settings: Any) -> dict[str, str]:
    """The environment of a run with this data folder. ``settings`` become ``VOYAGER_*`` variables."""
    values = {"DATA_DIR": data, "FAST_DRAIN": 1, "SECRETS_DIR": data / "secrets", **settings}
    given = {f"VOYAGER_{name.upper()}": str(value) for name, value in values.items()}
    return {**os.environ, **given, RUN_MARK: ""}


@dataclass(frozen=True, slots=True)
class Ended:
    """A run that ended by itself."""

    code: int
    output: str
    seconds: float


def run_to_its_end(data: Path, **settings: Any) -> Ended:
    """`up` where it is not expected to start: what it said, and how long that took."""
    began = time.monotonic()
    values = {"HTTP_PORT": free_port(), "GRPC_PORT": free_port(), **settings}
    done = subprocess.run(
        [*COMMAND, "--no-embedded-llm"],
        cwd=ROOT, env=environment_of(data, **values), timeout=START_SECONDS, check=False,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True,
    )  # fmt: skip
    return Ended(done.returncode, done.stdout, time.monotonic() - began)


def until(true: Callable[[], Any], what: str, timeout_s: float = 30.0) -> None:
    """Poll. Fails with ``what`` when it does not become true in time."""
    deadline = time.monotonic() + timeout_s
    while not true():
        assert time.monotonic() < deadline, f"not within {timeout_s} s: {what}"
        time.sleep(0.1)


class RunningService:
    """One run of the service. ``settings`` become ``VOYAGER_*`` variables."""

    def __init__(
        self, data: Path, *, embedded_llm: bool = False, command: Sequence[str] = COMMAND, **settings: Any
    ) -> None:
        """``command``: what starts it in the process that is to be its launcher."""
        self.http_port, self.grpc_port = free_port(), free_port()
        host = settings.get("host", "127.0.0.1").replace("0.0.0.0", "127.0.0.1")
        self.url = f"http://{f'[{host}]' if ':' in host else host}:{self.http_port}"
        self.data = data
        self.log = data / "up.log"
        ports = {"HTTP_PORT": self.http_port, "GRPC_PORT": self.grpc_port}
        flag = "--embedded-llm" if embedded_llm else "--no-embedded-llm"
        with self.log.open("wb") as output:
            self.process = subprocess.Popen(
                [*command, flag],
                cwd=ROOT,
                env=environment_of(data, **ports, **settings),
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._wait()
        self.http = httpx.Client(base_url=self.url, timeout=60)

    def _wait(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if f"ready: {self.url}" in self.output:
                return
            if self.process.poll() is not None:
                break
            time.sleep(0.2)
        self.stop()
        raise RuntimeError(f"the service did not start:\n{self.output[-4000:]}")

    @property
    def output(self) -> str:
        """What its user has read so far."""
        return self.log.read_text()

    @property
    def scratch(self) -> Path:
        """The folder that the run keeps its sockets in."""
        return Path(psutil.Process(self.process.pid).environ()["VOYAGER_SCRATCH"])

    def processes(self, part: str = "", *, name: str = "") -> list[psutil.Process]:
        """Processes of this run whose title contains ``part``, of this name where one is asked for."""
        found: list[psutil.Process] = []
        for process in psutil.process_iter():
            try:
                mark = process.environ().get(RUN_MARK, "")
                title = " ".join(process.cmdline())
                named = not name or process.name() == name
            except (psutil.Error, OSError):
                continue
            if mark.endswith(f":{self.process.pid}") and part in title and named:
                found.append(process)
        return found

    def replicas(self, deployment: str) -> set[int]:
        return {process.pid for process in self.processes(f"ServeReplica:voyager:{deployment}")}

    def model(self, name: str, base: str, **fields: Any) -> None:
        document = {"name": name, "provider": "custom", "model_name": "fake", **fields}
        document["endpoints"] = {"primary": base}
        answer = self.http.post("/api/v1/models", json=document)
        assert answer.status_code == 201, answer.text

    def chat(self, model: str) -> httpx.Response:
        """A completion of this model."""
        body = {"model": model, "messages": [{"role": "user", "content": "hello"}]}
        return self.http.post("/v1/chat/completions", json=body)

    def stop(self, number: signal.Signals = signal.SIGINT) -> int:
        """Ctrl-C, as a user would, or another signal. Returns the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.ended()

    def ended(self) -> int:
        """Wait until it has ended. Returns the exit code."""
        try:
            return self.process.wait(timeout=60)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            raise
