"""`voyager-llm up`: starts Ray, the application and the embedded model, and stops them cleanly.

Runs as a process of its own, whose environment `cli.py` prepared (`environment.py`).
"""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
import signal
import sys
import threading
import time

import httpx
import ray
from ray import serve
from ray.serve.schema import LoggingConfig
from rich.console import Console

from serve_app import processes
from serve_app.app import APP_NAME, build_application, grpc_options
from serve_app.embedded_llm import CONTEXT_TOKENS, MODEL_NAME, EmbeddedLLM
from serve_app.environment import RUN_MARK, free_port
from voyager_llm.settings import Settings, settings

console = Console(stderr=True, highlight=False, soft_wrap=True)

_READY_SECONDS = 120.0
_POLL_SECONDS = 0.5
FIRST_MODEL = "local"


def main() -> int:
    """Run until SIGINT or SIGTERM. Returns the exit code."""
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    config = settings()
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    roll = threading.Event()
    signal.signal(signal.SIGHUP, lambda *_: roll.set())
    leftovers = processes.abandoned()
    if leftovers:
        console.print(f"ending {len(leftovers)} processes that a killed run left behind")
        processes.end(leftovers)
    config.data_dir.mkdir(parents=True, exist_ok=True)
    embedded = EmbeddedLLM(free_port(), config.data_dir / "embedded-llm.log")
    wants_model = os.environ.get("VOYAGER_EMBEDDED_LLM", "1") == "1"
    try:
        if wants_model:
            embedded.start()
        _start(config, stop)
        if not stop.is_set() and wants_model:
            _define_first_model(config, embedded)
        if not stop.is_set():
            _announce(config, wants_model)
            _serve(config, stop, roll)
        return 0
    finally:
        _shut_down(embedded)


def _start(config: Settings, stop: threading.Event) -> None:
    with console.status("starting Ray …"):
        ray.init(
            # A cluster of this run's own: without it Ray joins any that runs on the machine.
            address="local",
            # Logical: a replica takes a tenth of one.
            num_cpus=max(os.cpu_count() or 1, 4),
            include_dashboard=False,
            object_store_memory=100 * 1024 * 1024,
            _node_ip_address="127.0.0.1",
            logging_level=logging.ERROR,
            log_to_driver=os.environ.get("VOYAGER_VERBOSE") == "1",
        )
        logging.getLogger("ray.serve").setLevel(logging.ERROR)
        serve.start(
            http_options={"host": config.replica_host, "port": config.http_port, "keep_alive_timeout_s": 75},
            grpc_options=grpc_options(config),
        )
    with console.status(f"starting the application ({config.topology}) …"):
        _deploy(config)
        _wait_until_ready(config, stop)


def _deploy(config: Settings) -> None:
    """Deploy the application; over a running one, replace its replicas one after the other."""
    serve.run(
        build_application(config),
        name=APP_NAME,
        blocking=False,
        # A line for each request, formatted and written, costs more than our own work on it.
        logging_config=LoggingConfig(log_level="WARNING", enable_access_log=False),
    )


def _serve(config: Settings, stop: threading.Event, roll: threading.Event) -> None:
    """Until told to stop. SIGHUP replaces every replica without losing a request."""
    while not stop.wait(_POLL_SECONDS):
        if roll.is_set():
            roll.clear()
            console.print("replacing all replicas …")
            _deploy(config)
            console.print("replaced")


def _wait_until_ready(config: Settings, stop: threading.Event) -> None:
    deadline = time.monotonic() + _READY_SECONDS
    while time.monotonic() < deadline and not stop.is_set():
        with contextlib.suppress(httpx.HTTPError):
            if httpx.get(f"{_url(config)}/readyz", timeout=2).status_code == 200:
                return
        time.sleep(0.1)
    if not stop.is_set():
        sys.exit(f"the application did not become ready within {_READY_SECONDS:.0f} s")


def _define_first_model(config: Settings, embedded: EmbeddedLLM) -> None:
    """`local`, so that there is something to ask. Its port changes with every start."""
    with console.status("loading the embedded model …"):
        if not embedded.wait_until_ready(60):
            console.print("the embedded model is still loading; `local` answers once it is there")
    model = {
        "name": FIRST_MODEL,
        "provider": "custom",
        "model_name": MODEL_NAME,
        "capabilities": ["text_generation"],
        "parameters": {"max_tokens": 256},
        "cost": {"input_token_cost": 0, "output_token_cost": 0},
        "context_length": CONTEXT_TOKENS,
        "endpoints": {"primary": embedded.url},
    }
    headers = {"x-voyager-user": "voyager-llm", **_authorization()}
    with httpx.Client(base_url=_url(config), headers=headers, timeout=10) as client:
        answer = client.post("/api/v1/models", json=model)
        if answer.status_code == 409:
            change = {"endpoints": model["endpoints"]}
            answer = client.patch(f"/api/v1/models/{FIRST_MODEL}", json=change)
        if answer.is_error:
            console.print(f"could not define the model {FIRST_MODEL}: {answer.text}")


def _authorization() -> dict[str, str]:
    key = os.environ.get("VOYAGER_CLIENT_KEY", "")
    return {"authorization": f"Bearer {key}"} if key else {}


def _announce(config: Settings, has_model: bool) -> None:
    url = _url(config)
    console.print(f"[bold]Voyager LLM Services[/bold] ({config.topology})")
    console.print(f"  HTTP   {url}      REST under /api/v1, OpenAI under /v1, docs at {url}/docs")
    address = f"{config.host}:{config.grpc_port}"
    console.print(f"  gRPC   {address}        voyager.llm.v1.ModelManager, with reflection")
    console.print(f"  data   {config.data_dir}")
    if has_model:
        console.print("Try, in another terminal:")
        console.print(f'  .venv/bin/voyager-llm complete {FIRST_MODEL} "Write one sentence about the sea."')
    # The one line that scripts wait for, on standard output.
    print(f"ready: {url}", flush=True)  # noqa: T201


def _url(config: Settings) -> str:
    host = f"[{config.host}]" if ":" in config.host else config.host
    return f"http://{host}:{config.http_port}"


def _shut_down(embedded: EmbeddedLLM) -> None:
    console.print("stopping …")
    # A second Ctrl-C must not leave half of it running.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    embedded.stop()
    with contextlib.suppress(Exception):
        serve.shutdown()
    with contextlib.suppress(Exception):
        ray.shutdown()
    processes.end(processes.of_run(os.environ.get(RUN_MARK, "")))
    shutil.rmtree(os.environ.get("VOYAGER_SCRATCH", ""), ignore_errors=True)


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    sys.exit(code)
