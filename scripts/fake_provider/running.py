"""The fake provider as a process, and a handle to it. Used by fixtures and benchmarks."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx

from serve_app.environment import free_port

ROOT = Path(__file__).resolve().parents[2]


class FakeProvider:
    """Starts the server; each profile is an endpoint of its own."""

    def __init__(self, *, fast: bool = False) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        arguments = [sys.executable, "-m", "scripts.fake_provider.server", str(self.port)]
        self._process = subprocess.Popen([*arguments, *(["--fast"] if fast else [])], cwd=ROOT)
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            try:
                httpx.get(f"{self.url}/none/models", timeout=1)
                return
            except httpx.HTTPError:
                time.sleep(0.05)
        raise RuntimeError("the fake provider did not start")

    def profile(self, name: str, **behaviour: Any) -> str:
        """Set a profile; returns its base URL in OpenAI's style."""
        httpx.put(f"{self.url}/_profiles/{name}", json=behaviour, timeout=5).raise_for_status()
        return f"{self.url}/{name}/v1"

    def seen(self, name: str) -> dict[str, Any]:
        """What was asked of a profile."""
        return httpx.get(f"{self.url}/_profiles/{name}", timeout=5).json()

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait(timeout=10)
