"""`voyager-llm up`: runs the service on this machine, watches it, and ends it. Read `main` downwards.

A process of its own that imports no Ray, so it survives whatever becomes of the cluster. `up.py` prepared its
environment. Exit codes: 0 stopped as asked, 1 something died, 2 something must be changed first.
"""

from __future__ import annotations

import logging
import os
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx

from serve_app.claims import database_claimed, folder_claimed
from serve_app.cluster import DEPLOYED, RAY_STARTED, REPLACED, SERVE_STARTED, Cluster
from serve_app.drain import drain
from serve_app.embedded_llm import SECRET_VARIABLE, EmbeddedLLM
from serve_app.environment import free_port
from serve_app.first_model import FIRST_MODEL, define_first_model
from serve_app.preflight import fewer_connections, open_store, refuse_missing_key, refuse_taken_ports
from serve_app.private_files import take_from_others
from serve_app.processes import Run, end_abandoned
from serve_app.ray_watch import RayWatch
from serve_app.refusals import Failed, Refused
from serve_app.signals import Signals, StopRequested
from serve_app.terminal import announce, say
from serve_app.watch import Watch
from voyager_llm import logs
from voyager_llm.definitions.store.database import only_existing
from voyager_llm.logs import keep_short
from voyager_llm.settings import Settings, keep_secret, settings

_READY_SECONDS = 120.0
_MODEL_SECONDS = 60.0
_POLL_SECONDS = 0.5
_START_POLL_SECONDS = 0.1
_LOCAL = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104
_DEFAULT_URL = "http://127.0.0.1:8000"


def main() -> int:
    """Run until SIGINT, SIGTERM or the end of the terminal. Returns the exit code."""
    signals = Signals()
    code = _outcome(signals)
    signals.ignore()
    return code


def _outcome(signals: Signals) -> int:
    """Prepare and run; say how it ended."""
    config = settings()
    run = Run.of_this_process()
    name = f"voyager-llm {_url(config)} (process {os.getpid()})"
    log_file = config.log_file or config.data_dir / "voyager-llm.log"
    os.environ["VOYAGER_LOG_FILE"] = str(log_file)  # for the replicas, which inherit it
    try:
        with run.held(), folder_claimed(config, name):
            if left := end_abandoned():
                say(f"ended {left} processes that a killed run had left behind")
            logging.raiseExceptions = False  # a log that cannot be written is no reason to fill the terminal
            keep_short(log_file)
            logs.configure(log_file)
            refuse_taken_ports(config)
            refuse_missing_key(config)
            with database_claimed(config, name):
                take_from_others(config, log_file)
                for reason in open_store(config):
                    say(f"left out until it is written anew: {reason}")
                _run(config, run, signals, log_file)
    except StopRequested:
        say("stopped")
        return 0
    except (Refused, OSError) as refusal:
        say(f"error: {refusal}")
        return 2
    except Failed as failure:
        say(f"error: {failure}; everything was ended (the logs: {log_file}, {config.data_dir / 'ray.log'})")
        return 1
    return 0


def _run(config: Settings, run: Run, signals: Signals, log_file: Path) -> None:
    """Start, announce and watch. Raises `StopRequested` in the end, or `Failed`."""
    say(f"starting the service ({config.topology}); details go to {log_file}")
    if why := fewer_connections(config):
        say(why)
    # A hub that starts again while the file is gone must not take an empty one for the definitions.
    os.environ["VOYAGER_DATABASE_URL"] = only_existing(config.store_url())
    with _embedded(config, run) as embedded:
        try:
            cluster = Cluster(config.data_dir / "ray.log")
            watch = _deployed(cluster, config, run, signals)
            _wait_until_ready(cluster, watch, config, signals)
            if embedded is not None:
                _define_first_model(config, embedded, signals)
            _announce(config, has_model=embedded is not None)
            _supervise(cluster, watch, signals)
        except StopRequested:
            say(
                f"stopping: what runs has {config.drain_timeout_s:.0f} s to finish; "
                "signal once more to end at once"
            )
            with suppress(StopRequested):
                if not drain(run, config.drain_timeout_s, signals.pause):
                    say("some requests took longer and are cut off")
            raise


@contextmanager
def _embedded(config: Settings, run: Run) -> Generator[EmbeddedLLM | None]:
    """The embedded model, where it is wanted."""
    if os.environ.get("VOYAGER_EMBEDDED_LLM", "1") != "1":
        yield None
        return
    with EmbeddedLLM(free_port(), config.data_dir / "embedded-llm.log") as embedded:
        keep_secret(run.scratch, SECRET_VARIABLE, embedded.key)
        yield embedded


def _deployed(cluster: Cluster, config: Settings, run: Run, signals: Signals) -> Watch:
    """Wait until the application is deployed, and say how far it is."""
    steps = {
        RAY_STARTED: "Ray has started; starting HAProxy …",
        SERVE_STARTED: "HAProxy listens; starting the application …",
        DEPLOYED: "",
    }
    say("starting Ray …")
    ray: RayWatch | None = None
    while True:
        for report in cluster.reports():
            if report == RAY_STARTED:
                ray = RayWatch(run)
            if report == DEPLOYED:
                return Watch(run, config.topology)
            say(steps[report])
        cluster.check()
        if ray is not None:
            ray.check()
        signals.pause(_START_POLL_SECONDS)


def _wait_until_ready(cluster: Cluster, watch: Watch, config: Settings, signals: Signals) -> None:
    deadline = time.monotonic() + _READY_SECONDS
    while time.monotonic() < deadline:
        with suppress(httpx.HTTPError):
            if httpx.get(f"{_url(config)}/readyz", timeout=2).status_code == 200:
                return
        cluster.check()
        watch.check()
        signals.pause(_START_POLL_SECONDS)
    raise Failed(f"the application did not become ready within {_READY_SECONDS:.0f} s")


def _define_first_model(config: Settings, embedded: EmbeddedLLM, signals: Signals) -> None:
    deadline = time.monotonic() + _MODEL_SECONDS
    if not embedded.answers():
        say("loading the embedded model …")
    while not embedded.answers() and time.monotonic() < deadline:
        signals.pause(_START_POLL_SECONDS)
    if why := define_first_model(config, _url(config), embedded):
        say(f"could not define the model {FIRST_MODEL}: {why}")


def _announce(config: Settings, *, has_model: bool) -> None:
    url = _url(config)
    say(f"Voyager LLM Services ({config.topology})")
    say(f"  HTTP   {url}      REST under /api/v1, OpenAI under /v1, docs at {url}/docs")
    say(f"  gRPC   {config.host}:{config.grpc_port}        voyager.llm.v1.ModelManager, with reflection")
    say(f"  data   {config.data_dir}")
    if has_model:
        at = "" if url == _DEFAULT_URL else f" --url {url}"
        say("Try, in another terminal:")
        say(f'  .venv/bin/voyager-llm{at} complete {FIRST_MODEL} "Write one sentence about the sea."')
    announce(f"ready: {url}")


def _supervise(cluster: Cluster, watch: Watch, signals: Signals) -> None:
    """Until told to stop. SIGHUP replaces every replica without losing a request, unless the terminal sent it
    (`signals.py`)."""
    while True:
        signals.pause(_POLL_SECONDS)
        cluster.check()
        watch.check()
        if signals.wants_replacement():
            say("replacing all replicas …")
            cluster.replace_replicas()
        for report in cluster.reports():
            say("replaced" if report == REPLACED else "some replicas could not be replaced; see the log")


def _url(config: Settings) -> str:
    """Where this machine reaches the service."""
    host = _LOCAL.get(config.host, config.host)
    return f"http://{f'[{host}]' if ':' in host else host}:{config.http_port}"


if __name__ == "__main__":
    sys.exit(main())
