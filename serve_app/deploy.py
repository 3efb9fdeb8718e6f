"""Starts Ray, Serve and the application in this process, the Ray driver. Used by `driver.py`."""

from __future__ import annotations

import logging
import os
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

import ray
from ray import serve
from ray.serve.schema import LoggingConfig

from serve_app.app import APP_NAME, build_application, grpc_options
from serve_app.cluster import DEPLOYED, NOT_REPLACED, RAY_STARTED, REPLACE, REPLACED, SERVE_STARTED
from voyager_llm.settings import Settings

_STORE_BYTES = 100 * 1024 * 1024


def run(config: Settings, commands: Iterator[str], report: Callable[[str], None]) -> None:
    """Start everything, then obey."""
    _start_ray()
    report(RAY_STARTED)
    serve.start(
        http_options={"host": config.replica_host, "port": config.http_port, "keep_alive_timeout_s": 75},
        grpc_options=grpc_options(config),
    )
    report(SERVE_STARTED)
    _deploy(config)
    report(DEPLOYED)
    for command in commands:
        if command == REPLACE:
            report(REPLACED if _replace(config) else NOT_REPLACED)


def _start_ray() -> None:
    ray.init(
        # A cluster of this run's own: without it Ray joins any that runs on the machine.
        address="local",
        # Logical: a replica takes a tenth of one.
        num_cpus=max(os.cpu_count() or 1, 4),
        include_dashboard=False,
        object_store_memory=_STORE_BYTES,
        _node_ip_address="127.0.0.1",
        # Beside the run's other files, so that it goes with them; Ray's own place is for all users to read.
        _temp_dir=str(Path(os.environ["VOYAGER_SCRATCH"]) / "ray"),
        logging_level=logging.ERROR,
        log_to_driver=os.environ.get("VOYAGER_VERBOSE") == "1",
    )
    logging.getLogger("ray.serve").setLevel(logging.ERROR)


def _deploy(config: Settings) -> None:
    """Deploy the application; over a running one, replace its replicas one after the other."""
    serve.run(
        build_application(config),
        name=APP_NAME,
        blocking=False,
        # A line for each request, formatted and written, costs more than our own work on it.
        logging_config=LoggingConfig(log_level="WARNING", enable_access_log=False),
    )


def _replace(config: Settings) -> bool:
    """Whether every replica was replaced; those that run go on where one was not."""
    try:
        _deploy(config)
    except Exception:
        traceback.print_exc()
        return False
    return True
