"""Starting and stopping: a stop loses nothing, a start that cannot succeed says why at once."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import httpx
import psutil
import pytest

from scripts.fake_provider.running import FakeProvider
from serve_app.claims import database_claimed, folder_claimed
from serve_app.drain import drain
from serve_app.environment import RUN_MARK, free_port
from serve_app.preflight import fewer_connections, refuse_missing_key, refuse_taken_ports
from serve_app.processes import FOLDER_PREFIX, Run, end_abandoned, lives, title
from serve_app.refusals import Refused
from tests.support.postgres import running_postgres
from tests.support.processes import pretend
from tests.support.running import (
    COMMAND,
    ROOT,
    START_SECONDS,
    RunningService,
    environment_of,
    run_to_its_end,
    until,
)
from tests.support.terminal import terminal
from voyager_llm.domain.model import SecretRef
from voyager_llm.settings import Settings

# A start that is refused needs no cluster. Alone it takes two seconds; tests share the machine.
AT_ONCE_S = 30.0
_HOLD = """
import pathlib, sys
from serve_app.claims import folder_claimed
from voyager_llm.domain.model import SecretRef
from voyager_llm.settings import Settings

with folder_claimed(Settings(data_dir=pathlib.Path(sys.argv[1])), "one"):
    print("held", flush=True)
    input()
"""
MESSAGES = [{"role": "user", "content": "hello"}]


def nothing_is_left(service: RunningService, scratch: Path) -> None:
    until(lambda: not service.processes(), "no process is left", 10)
    assert not scratch.exists()
    for port in (service.http_port, service.grpc_port):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", port))


def test_ctrl_c_under_make_says_little_and_a_second_one_ends_at_once(
    provider: FakeProvider, tmp_path: Path
) -> None:
    """As `make run` in a terminal: Ctrl-C reaches make, the launcher and all of their process group."""
    (tmp_path / "Makefile").write_text(f"run:\n\t@exec {' '.join(COMMAND)} --no-embedded-llm\n")
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    environment = environment_of(tmp_path, HTTP_PORT=port, GRPC_PORT=free_port(), TOPOLOGY="fused")
    with terminal(["make", "-f", str(tmp_path / "Makefile"), "run"], environment) as screen:
        screen.reads(f"ready: {url}", START_SECONDS)
        model = {"name": "hang", "provider": "custom", "model_name": "m"}
        endpoints = {"primary": provider.profile("stop-hang", hang=True)}
        defined = httpx.post(f"{url}/api/v1/models", json={**model, "endpoints": endpoints}, timeout=30)
        assert defined.status_code == 201
        with ThreadPoolExecutor() as pool:
            body = {"model": "hang", "messages": MESSAGES}
            pool.submit(httpx.post, f"{url}/v1/chat/completions", json=body, timeout=60)
            until(lambda: provider.seen("stop-hang")["ongoing"] == 1, "it is under way")
            screen.types("\x03")
            screen.reads("stopping:", 10)
            screen.types("\x03")
            screen.reads("stopped", 15)
            screen.ends(10)
    assert "***" not in screen.text
    assert "Traceback" not in screen.text


@pytest.mark.parametrize("step", ["starting Ray", "starting the application"])
def test_a_run_ends_with_its_launcher_however_far_it_is(step: str, tmp_path: Path) -> None:
    ports = {"HTTP_PORT": free_port(), "GRPC_PORT": free_port()}
    given = {**ports, "SECRET_A_CANARY__KEY": "canary-of-a-secret"}
    log = tmp_path / "up.log"
    with log.open("wb") as output:
        launcher = subprocess.Popen(
            [*COMMAND, "--no-embedded-llm"], cwd=ROOT, env=environment_of(tmp_path, **given),
            stdout=output, stderr=output, start_new_session=True,
        )  # fmt: skip
    until(lambda: step in log.read_text(), step, START_SECONDS)
    environment = psutil.Process(launcher.pid).environ()
    run = Run(environment["VOYAGER_RUN"], Path(environment["VOYAGER_SCRATCH"]))
    started = run.processes()
    assert started
    for process in started:
        with suppress(psutil.Error):
            assert "canary-of-a-secret" not in process.environ().values(), title(process)
    for supervisor in (process for process in started if "supervisor.py" in title(process)):
        supervisor.kill()  # nobody is left to end HAProxy when its cluster ends
    launcher.kill()
    launcher.wait()
    until(lambda: not any(lives(process) for process in [*started, *run.processes()]), "all are gone", 20)
    until(lambda: not run.scratch.exists(), "its folder is gone", 5)
    refuse_taken_ports(Settings(http_port=ports["HTTP_PORT"], grpc_port=ports["GRPC_PORT"]))


_LEADER = """
import os, subprocess, time
from serve_app.processes import Run

Run.of_this_process().keep_session()
child = subprocess.Popen(["sleep", "600"], env={})
print(child.pid, flush=True)
time.sleep(600)
"""


@pytest.mark.parametrize("orphaned", [False, True])
def test_what_has_lost_its_mark_is_ended_too(run: Run, orphaned: bool) -> None:
    """Some of Ray's processes write their titles over the environment that they started with."""
    scratch = {"VOYAGER_RUN": run.mark, "VOYAGER_SCRATCH": str(run.scratch)}
    leader = subprocess.Popen(
        [sys.executable, "-c", _LEADER], cwd=ROOT, env={**os.environ, **scratch},
        stdout=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    assert leader.stdout is not None
    unmarked = psutil.Process(int(leader.stdout.readline()))
    if orphaned:
        leader.kill()
        leader.wait()
    run.end()
    assert not lives(unmarked)
    assert not run.scratch.exists()


def test_a_run_without_a_driver_has_what_carries_its_mark_and_no_more(run: Run) -> None:
    """The kernel's own threads are in session 0, and so may be whatever started a container."""
    assert run.processes() == []


def test_a_stop_waits_no_longer_than_it_is_told(run: Run, tmp_path: Path) -> None:
    balancer = pretend(run, tmp_path, "haproxy", deaf_to="USR1")
    began = time.monotonic()
    assert not drain(run, 1.0, time.sleep)
    assert 1.0 <= time.monotonic() - began < 5.0
    assert balancer.is_running()


def test_what_would_start_a_balancer_anew_is_held_still(run: Run, tmp_path: Path) -> None:
    keeper = pretend(run, tmp_path, "ray::HAProxyManager")
    pretend(run, tmp_path, "haproxy")
    assert drain(run, 30.0, time.sleep)
    assert keeper.status() == psutil.STATUS_STOPPED


def test_what_a_killed_run_left_is_ended_by_the_next(tmp_path: Path) -> None:
    dead = subprocess.Popen(["true"])
    dead.wait()
    folder = Path(tempfile.mkdtemp(prefix=FOLDER_PREFIX))
    (folder / "lock").touch()
    orphan = pretend(Run(f"{folder.name}:{dead.pid}", folder), tmp_path, "haproxy")
    port = free_port()
    with socket.create_server(("127.0.0.1", port)):
        ended = run_to_its_end(tmp_path / "data", HTTP_PORT=port)
    assert not lives(orphan)
    assert not folder.exists()
    assert re.fullmatch(
        r"ended 1 processes that a killed run had left behind\n"
        rf"error: port {port} is taken by \S+ \(process {os.getpid()}\): stop what listens there, or set "
        r"VOYAGER_HTTP_PORT to another port\n",
        ended.output,
    ), ended.output
    assert ended.code == 2
    assert ended.seconds < AT_ONCE_S


def test_what_a_start_that_was_killed_left_is_removed_by_the_next(tmp_path: Path) -> None:
    """Before it held its folder: with a token in it, and without a lock."""
    given = environment_of(tmp_path, HTTP_PORT=free_port(), GRPC_PORT=free_port())
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    with subprocess.Popen(
        [*COMMAND, "--no-embedded-llm"], cwd=ROOT, env={**given, "TMPDIR": str(temporary)},
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
    ) as launcher:  # fmt: skip
        until(lambda: list(temporary.glob("*/ray-token")), "it has a token", START_SECONDS)
        launcher.kill()
    (folder,) = temporary.iterdir()
    (folder / "lock").unlink(missing_ok=True)  # should it have been that fast
    left = folder.rename(Path(tempfile.gettempdir()) / folder.name)
    end_abandoned()
    assert left.exists(), "it may be a start that is under way"
    os.utime(left, (0, 0))
    end_abandoned()
    assert not left.exists()


def test_the_folder_of_a_start_that_takes_long_is_let_be() -> None:
    folder = Path(tempfile.mkdtemp(prefix=FOLDER_PREFIX))
    os.utime(folder, (0, 0))
    launcher = ["sh", "-c", f"{RUN_MARK}={folder.name}:$$ exec sleep 600"]
    with subprocess.Popen(launcher) as starting:
        until(lambda: psutil.Process(starting.pid).name() == "sleep", "it has its mark")
        end_abandoned()
        assert folder.exists()
        starting.kill()
    end_abandoned()
    assert not folder.exists()


def test_a_living_run_is_let_be(run: Run, tmp_path: Path) -> None:
    """Not by its process alone: its lock may be seen where its processes are not."""
    with run.held():
        end_abandoned()
        assert run.scratch.exists()


def test_a_second_run_on_one_folder_is_refused_with_the_name_of_the_first(tmp_path: Path) -> None:
    with folder_claimed(Settings(data_dir=tmp_path), "voyager-llm http://127.0.0.1:8000 (process 1)"):
        ended = run_to_its_end(tmp_path)
    assert ended.output == (
        f"error: VOYAGER_DATA_DIR={tmp_path} is in use by voyager-llm http://127.0.0.1:8000 (process 1): "
        "stop that run, or give this one another\n"
    )
    assert ended.code == 2
    assert ended.seconds < AT_ONCE_S


def test_a_folder_is_free_again_when_its_run_is_killed(tmp_path: Path) -> None:
    holder = subprocess.Popen(
        [sys.executable, "-c", _HOLD, str(tmp_path)],
        cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    assert holder.stdout is not None
    assert holder.stdout.readline() == b"held\n"
    config = Settings(data_dir=tmp_path)
    with pytest.raises(Refused, match="in use by one"), folder_claimed(config, "two"):
        pass
    holder.kill()
    holder.wait()
    with folder_claimed(config, "three"):
        pass


def test_a_database_has_one_run(tmp_path: Path) -> None:
    with running_postgres(tmp_path / "postgres") as url:
        for store in ("", f"sqlite+aiosqlite:///{tmp_path / 'elsewhere' / 'one.db'}", url):
            one = Settings(data_dir=tmp_path / "one", database_url=store)
            two = Settings(data_dir=tmp_path / "two", database_url=one.store_url())
            with (
                database_claimed(one, "the first"),
                pytest.raises(Refused, match="in use by the first"),
                database_claimed(two, "the second"),
            ):
                pass
            with database_claimed(two, "the third"):
                pass


def test_a_folder_that_cannot_be_one_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with (
        pytest.raises(Refused, match=f"VOYAGER_DATA_DIR={tmp_path}/file/in-it cannot be used"),
        folder_claimed(Settings(data_dir=tmp_path / "file" / "in-it"), "a run"),
    ):
        pass


@pytest.mark.parametrize("setting", ["HTTP_PORT", "GRPC_PORT"])
@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0"])
def test_a_taken_port_is_named_with_its_setting(setting: str, host: str) -> None:
    ports = {"http_port": free_port(), "grpc_port": free_port()}
    port = ports[setting.lower()]
    with socket.create_server((host, port)), pytest.raises(Refused, match=f"port {port} .*VOYAGER_{setting}"):
        refuse_taken_ports(Settings(**ports))
    refuse_taken_ports(Settings(**ports))


@pytest.mark.parametrize("key", [None, ""])
def test_a_key_that_cannot_be_read_is_refused_with_its_places(key: str | None, tmp_path: Path) -> None:
    """Nobody could call such a service."""
    config = Settings(api_key=SecretRef(name="clients", key="key"), secrets_dir=tmp_path)
    path = tmp_path / "clients" / "key"
    path.parent.mkdir()
    if key is not None:
        path.write_text(key)
    with pytest.raises(Refused, match=rf"VOYAGER_API_KEY: .*{path}, or VOYAGER_SECRET_CLIENTS__KEY"):
        refuse_missing_key(config)
    path.write_text("a-key")
    refuse_missing_key(config)


def test_a_setting_that_is_none_is_refused_with_the_one_that_was_meant(tmp_path: Path) -> None:
    ended = run_to_its_end(tmp_path / "data", PORT=8000)
    assert ended.output == "VOYAGER_PORT is no setting: did you mean VOYAGER_HTTP_PORT?\n"
    assert ended.code == 2
    assert not (tmp_path / "data").exists()


def test_a_path_that_is_empty_is_refused_with_its_setting(tmp_path: Path) -> None:
    ended = run_to_its_end(tmp_path / "data", DATA_DIR="")
    assert ended.output == "VOYAGER_DATA_DIR: is empty: give a path, or unset it\n"
    assert ended.code == 2


def test_files_are_for_their_owner_alone(tmp_path: Path) -> None:
    """Whatever their folder is, and whoever could read them before."""
    tmp_path.chmod(0o755)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        assert run_to_its_end(tmp_path, HTTP_PORT=taken.getsockname()[1]).code == 2
    made = {path.name: path.stat().st_mode & 0o777 for path in tmp_path.iterdir()}
    assert made == {"launcher.lock": 0o600, "voyager-llm.log": 0o600}
    before = "voyager.db", "voyager.db-journal", "ray.log", "voyager-llm.log", "other"
    for name in before:
        (tmp_path / name).touch()
        (tmp_path / name).chmod(0o644)
    (tmp_path / "voyager.db").write_text("no database")
    assert run_to_its_end(tmp_path).code == 2  # by what it found in its files
    modes = {path.name: path.stat().st_mode & 0o777 for path in tmp_path.iterdir()}
    assert modes.pop("other") == 0o644
    assert modes.keys() >= {"voyager.db", "voyager.db.lock", "launcher.lock", "ray.log", "voyager-llm.log"}
    assert set(modes.values()) == {0o600}, modes


def test_fewer_connections_than_were_asked_for_are_told() -> None:
    assert not fewer_connections(Settings(max_connections=64))
    assert "ulimit -Hn" in fewer_connections(Settings(max_connections=1_000_000))
