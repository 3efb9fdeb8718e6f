"""Starting and stopping: a stop loses nothing, a start that cannot succeed says why at once."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import httpx
import psutil
import pytest

from serve_app.claims import database_claimed, folder_claimed
from serve_app.drain import drain
from serve_app.environment import free_port
from serve_app.preflight import refuse_taken_ports
from serve_app.processes import FOLDER_PREFIX, Run, end_abandoned, lives
from serve_app.refusals import Refused
from tests.fake_provider.running import FakeProvider
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
from voyager_llm.settings import Settings
from voyager_llm.v1 import completions_pb2 as completions
from voyager_llm.v1.model_manager_pb2_grpc import ModelManagerStub

# A start that is refused needs no cluster. Alone it takes two seconds; tests share the machine.
AT_ONCE_S = 30.0
_HOLD = """
import pathlib, sys
from serve_app.claims import folder_claimed
from voyager_llm.settings import Settings

with folder_claimed(Settings(data_dir=pathlib.Path(sys.argv[1])), "one"):
    print("held", flush=True)
    input()
"""
MESSAGES = [{"role": "user", "content": "hello"}]


def streamed(service: RunningService, model: str) -> str:
    body = {"model": model, "messages": MESSAGES, "stream": True}
    with service.http.stream("POST", "/v1/chat/completions", json=body) as answer:
        return list(answer.iter_lines())[-2]


def streamed_over_grpc(service: RunningService, model: str) -> int:
    request = completions.GenerateCompletionRequest(model_name=model, prompt="hello")
    with grpc.insecure_channel(f"127.0.0.1:{service.grpc_port}") as channel:
        return sum(bool(m.delta) for m in ModelManagerStub(channel).StreamCompletion(request, timeout=60))


def nothing_is_left(service: RunningService, scratch: Path) -> None:
    until(lambda: not service.processes(), "no process is left", 10)
    assert not scratch.exists()
    for port in (service.http_port, service.grpc_port):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", port))


@pytest.mark.parametrize(("topology", "number"), [("split", signal.SIGTERM), ("fused", signal.SIGINT)])
def test_a_stop_finishes_what_runs(
    topology: str, number: signal.Signals, provider: FakeProvider, tmp_path: Path
) -> None:
    service = RunningService(tmp_path, topology=topology)
    scratch = service.scratch
    service.model("slow", provider.profile("stop-slow", latency_s=10))
    service.model("stream", provider.profile("stop-stream", tokens=50, token_delay_s=0.2))
    with ThreadPoolExecutor() as pool:
        under_way: list[Future[Any]] = [
            pool.submit(service.chat, "slow"),
            pool.submit(streamed, service, "stream"),
            pool.submit(streamed_over_grpc, service, "stream"),
        ]
        asked = ("stop-slow", 1), ("stop-stream", 2)
        until(lambda: all(provider.seen(name)["ongoing"] == n for name, n in asked), "all are under way")
        service.process.send_signal(number)
        until(lambda: refuses(service.url), "new connections are refused", 5)
        assert not any(work.done() for work in under_way)
        slow, last_event, tokens = (work.result() for work in under_way)
    assert slow.status_code == 200
    assert last_event == "data: [DONE]"
    assert tokens == 50
    assert service.ended() == 0
    nothing_is_left(service, scratch)
    _, _, after = service.output.partition(f"ready: {service.url}\n")
    assert [line.partition(":")[0] for line in after.splitlines()] == ["stopping", "stopped"]


def refuses(url: str) -> bool:
    try:
        httpx.get(f"{url}/healthz", timeout=1)
    except httpx.ConnectError:
        return True
    except httpx.HTTPError:
        return False
    return False


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


def test_a_run_ends_with_its_launcher(tmp_path: Path) -> None:
    service = RunningService(tmp_path, topology="fused")
    scratch = service.scratch
    service.process.kill()
    service.process.wait()
    until(lambda: not service.processes(), "no process is left")
    nothing_is_left(service, scratch)


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


def test_one_port_for_both_is_refused() -> None:
    with pytest.raises(Refused, match="are both 8000"):
        refuse_taken_ports(Settings(http_port=8000, grpc_port=8000))
