"""Killed processes: what is restarted comes back, and what is not ends the run within seconds."""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import psutil
import pytest

from deployments.health.readiness import Readiness
from scripts.fake_provider.running import FakeProvider
from serve_app.cluster import Cluster
from serve_app.processes import Run, lives
from serve_app.refusals import Failed
from serve_app.watch import Watch
from tests.hostile.test_runs import nothing_is_left
from tests.support.processes import pretend
from tests.support.running import ROOT, RunningService, until

NOTICED_S = 15.0
# Three silences of five seconds; the rest as above.
MISSED_S = 15.0 + NOTICED_S


@pytest.fixture(scope="module", params=["split", "fused"])
def service(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, provider: FakeProvider
) -> Iterator[RunningService]:
    """The tests on it run in their order; the last one ends it."""
    running = RunningService(tmp_path_factory.mktemp(request.param), topology=request.param)
    running.model("steady", provider.profile("steady"))
    yield running
    running.stop()


def test_a_database_that_fails_is_told_and_reads_go_on(service: RunningService) -> None:
    file = service.data / "voyager.db"
    model = {"name": "new", "provider": "openai", "model_name": "m"}
    with closing(sqlite3.connect(file)) as other:
        other.execute("BEGIN EXCLUSIVE")
        locked = service.http.post("/api/v1/models", json=model)
    aside = file.rename(file.with_name("aside"))
    moved = service.http.post("/api/v1/models", json=model)
    for answer, reason in ((locked, "locked by another process"), (moved, "removed or replaced")):
        assert answer.status_code == 503
        assert reason in answer.json()["message"]
        assert service.chat("steady").status_code == 200
        assert service.http.get("/api/v1/models/new").status_code == 404
    aside.rename(file)
    assert service.http.post("/api/v1/models", json=model).status_code == 201


def test_a_hub_that_is_held_still_is_replaced_and_loses_nothing(
    service: RunningService, figures: Callable[[str], None]
) -> None:
    (hub,) = service.processes("ServeReplica:voyager:ConfigHub")
    model = {"name": "acknowledged", "provider": "openai", "model_name": "m"}
    assert service.http.post("/api/v1/models", json=model).status_code == 201
    hub.suspend()
    began = time.monotonic()
    assert service.chat("steady").status_code == 200, "nobody needs it to answer"
    until(lambda: writes(service), "definitions can be written again", 60)
    figures(f"config hub held still: {time.monotonic() - began:.1f} s")
    assert time.monotonic() - began < MISSED_S + NOTICED_S  # by Serve's defaults it takes 100 s
    assert service.http.get("/api/v1/models/acknowledged").status_code == 200
    until(lambda: not lives(hub), "the one that was held still is gone", 10)
    log = (service.data / "voyager-llm.log").read_text()
    assert log.count("going on with the definitions that are known: the config hub does not answer") == 1
    until(
        lambda: "the config hub answers again" in (service.data / "voyager-llm.log").read_text(), "it is told"
    )


def test_what_serve_restarts_comes_back(service: RunningService, figures: Callable[[str], None]) -> None:
    for part in ("ray::ServeController", "ServeReplica:voyager:ConfigHub"):
        (process,) = service.processes(part)
        process.kill()
        assert service.chat("steady").status_code == 200, "nobody needs it to answer"
    began = time.monotonic()
    until(lambda: writes(service), "definitions can be written again", 60)
    figures(f"Serve's controller and the config hub killed: {time.monotonic() - began:.1f} s")
    assert service.process.poll() is None


def writes(service: RunningService) -> bool:
    change = {"parameters": {"max_tokens": time.monotonic_ns() % 1000 + 1}}
    answer = service.http.patch("/api/v1/models/steady", json=change)
    assert answer.status_code in (200, 503), answer.text
    return answer.status_code == 200


def test_readiness_knows_the_stages(service: RunningService) -> None:
    """Held still, a caller answers nobody, and is replaced; in the router's process it is as well as that."""
    callers = [psutil.Process(pid) for pid in service.replicas("LiteLLMCaller")]
    if not callers:
        assert service.http.get("/readyz").status_code == 200
        return
    for process in callers:
        process.suspend()
    until(lambda: service.http.get("/readyz").status_code == 503, "it is not ready", 30)
    until(lambda: service.http.get("/readyz").status_code == 200, "it is ready again", MISSED_S + NOTICED_S)
    assert service.chat("steady").status_code == 200
    until(lambda: not any(lives(process) for process in callers), "those that were held still are gone", 10)


@pytest.mark.timeout(120)
def test_the_run_ends_with_what_nobody_restarts(service: RunningService) -> None:
    """With Ray's own processes; dead, or held still."""
    is_split = bool(service.replicas("LiteLLMCaller"))
    scratch = service.scratch
    for supervisor in service.processes("supervisor.py"):
        supervisor.kill()  # HAProxy has nobody left but the launcher
    process = service.processes("raylet/raylet" if is_split else "gcs_server")[0]
    what = f"Ray's {'raylet' if is_split else 'control store'} (process {process.pid})"
    began = time.monotonic()
    if is_split:
        process.suspend()
    else:
        process.kill()
    assert service.ended() == 1
    assert time.monotonic() - began < (MISSED_S if is_split else NOTICED_S)
    assert (
        f"error: {what} {'does not answer' if is_split else 'died'}; everything was ended" in service.output
    )
    nothing_is_left(service, scratch)


def test_a_driver_that_dies_is_noticed_with_what_it_said(
    tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VOYAGER_RUN", run.mark)
    monkeypatch.setenv("VOYAGER_SCRATCH", str(run.scratch))
    monkeypatch.setenv("RAY_ADDRESS", "")
    monkeypatch.setenv("VOYAGER_HTTP_PORT", "none")  # its settings are refused
    cluster = Cluster(tmp_path / "log")

    def ended() -> str:
        try:
            cluster.check()
        except Failed as failure:
            return str(failure)
        return ""

    until(ended, "its end is noticed", 60)
    assert ended().startswith("Ray's driver ended with code 1: ")
    assert "ended with code 1: it said nothing" not in ended()


@pytest.fixture
def parts(run: Run, tmp_path: Path) -> dict[str, psutil.Process]:
    """What a run consists of, by the names that people know it by."""
    return {
        "raylet": pretend(run, tmp_path, "raylet"),
        "control store": pretend(run, tmp_path, "gcs_server"),
        "controller": pretend(run, tmp_path, "other", title="ray::ServeController.listen"),
        "HAProxy": pretend(run, tmp_path, "haproxy"),
        "hub": pretend(run, tmp_path, "other", title="ray::ServeReplica:voyager:ConfigHub"),
        "router": pretend(run, tmp_path, "other", title="ray::ServeReplica:voyager:ModelRouter"),
        "caller": pretend(run, tmp_path, "other", title="ray::ServeReplica:voyager:LiteLLMCaller"),
        "renderer": pretend(run, tmp_path, "other", title="ray::ServeReplica:voyager:PromptRenderer"),
    }


@pytest.mark.parametrize("part", ["raylet", "control store"])
def test_what_nobody_restarts_is_missed_at_once(
    part: str, run: Run, parts: dict[str, psutil.Process]
) -> None:
    watch = Watch(run, "split")
    watch.check()
    parts[part].kill()
    until(lambda: fails(watch, part), f"the {part} is missed", 2)


@pytest.mark.parametrize("part", ["controller", "HAProxy", "caller"])
def test_what_is_restarted_is_missed_when_it_stays_away(
    part: str, run: Run, parts: dict[str, psutil.Process]
) -> None:
    watch = Watch(run, "split", away_s=4.0)
    parts[part].kill()
    watch.check()
    until(lambda: fails(watch, part), f"the {part} is missed", 15)


def test_what_comes_back_in_time_is_not_missed(
    run: Run, parts: dict[str, psutil.Process], tmp_path: Path
) -> None:
    watch = Watch(run, "fused", away_s=6.0)
    for part in ("hub", "caller", "renderer"):  # the last two have no process of their own here
        parts[part].kill()
    began = time.monotonic()
    pretend(run, tmp_path, "other", title="ray::ServeReplica:voyager:ConfigHub")
    while time.monotonic() - began < 10.0:
        watch.check()
        time.sleep(0.2)


def fails(watch: Watch, part: str) -> bool:
    try:
        watch.check()
    except Failed as failure:
        return part in str(failure)
    return False


_ROUTER = """
import sys
from deployments.health.readiness import Readiness

readiness = Readiness([])
for _ in sys.stdin:
    print(readiness.holds(), flush=True)
"""


def test_a_router_without_its_raylet_is_not_ready() -> None:
    """What starts a router's process dies: the router lives on, and knows."""
    raylet = subprocess.Popen(
        ["sh", "-c", 'exec 3<&0; "$0" -c "$1" <&3 & echo $!; wait', sys.executable, _ROUTER],
        cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1,
    )  # fmt: skip
    assert raylet.stdin is not None
    assert raylet.stdout is not None
    router = int(raylet.stdout.readline())
    try:
        raylet.stdin.write("\n")
        assert raylet.stdout.readline() == "True\n"
        raylet.kill()
        raylet.wait()
        raylet.stdin.write("\n")
        assert raylet.stdout.readline() == "False\n"
    finally:
        os.kill(router, signal.SIGKILL)


async def test_a_stage_that_was_never_heard_of_is_not_there() -> None:
    async def silent() -> None:
        raise RuntimeError("no replica")

    async def well() -> None:
        """Answers."""

    for pings, ready in (([silent], False), ([well, silent], False), ([well, well], True), ([], True)):
        readiness = Readiness(pings)
        watching = asyncio.create_task(readiness.watch())
        await asyncio.sleep(0.1)
        assert readiness.holds() is ready
        watching.cancel()
