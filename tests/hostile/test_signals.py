"""What is asked of the launcher by signals: by Ctrl-C, by `kill -HUP`, by a terminal that is closed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from serve_app.environment import RUN_MARK, free_port
from serve_app.preflight import refuse_taken_ports
from serve_app.processes import Run
from tests.support.running import COMMAND, START_SECONDS, environment_of, until
from tests.support.terminal import terminal
from voyager_llm.settings import Settings

# As the launcher does, without a service: waits for requests, says what it was asked, and ends.
_LAUNCHER = """
import pathlib, sys
from serve_app.signals import Signals, StopRequested
from serve_app.terminal import say

signals = Signals()
pathlib.Path(sys.argv[1]).write_text("waits")
try:
    while True:
        signals.pause(0.1)
        if signals.wants_replacement():
            pathlib.Path(sys.argv[1]).write_text("replaces")
except StopRequested:
    say("stopped")
signals.ignore()
"""
# As `up.py` does, until SIGHUP has come.
_HELD_BACK = """
import pathlib, signal, sys, time

signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGHUP])
pathlib.Path(sys.argv[1]).write_text("holds SIGHUP back")
while signal.SIGHUP not in signal.sigpending():
    time.sleep(0.05)
"""


@pytest.fixture
def told(tmp_path: Path) -> Path:
    """Where the pretended launcher says how far it is; the terminal may be gone."""
    return tmp_path / "told"


def says(told: Path, what: str) -> None:
    until(lambda: told.exists() and told.read_text() == what, f"it {what}")


def launcher(told: Path, code: str = _LAUNCHER) -> list[str]:
    return [sys.executable, "-c", code, str(told)]


def test_a_terminal_that_is_closed_stops_the_run(told: Path) -> None:
    """Exit code 0: what cannot be printed any more is no failure."""
    with terminal(launcher(told), dict(os.environ)) as screen:
        says(told, "waits")
        screen.closes()
        assert screen.ends(10) == 0
    assert told.read_text() == "waits"


def test_a_terminal_that_is_closed_before_it_is_listened_for_stops_the_run(told: Path) -> None:
    with terminal(launcher(told, _HELD_BACK + _LAUNCHER), dict(os.environ)) as screen:
        says(told, "holds SIGHUP back")
        screen.closes()
        assert screen.ends(10) == 0


def test_sighup_replaces_while_the_terminal_is_there(told: Path) -> None:
    with terminal(launcher(told), dict(os.environ)) as screen:
        says(told, "waits")
        os.kill(screen.process, signal.SIGHUP)
        says(told, "replaces")
        screen.closes()
        assert screen.ends(10) == 0


def test_nohup_outlives_its_terminal_and_can_be_told_to_replace(told: Path) -> None:
    with terminal(["sh", "-c", 'trap "" HUP; exec "$@"', "-", *launcher(told)], dict(os.environ)) as screen:
        says(told, "waits")
        process = psutil.Process(screen.process)
        screen.closes()
        until(lambda: process.terminal() is None, "its terminal is gone")
        until(lambda: asked_again(process, told), "it is told to replace", 20)
        process.send_signal(signal.SIGTERM)
        assert screen.ends(10) == 0


def asked_again(process: psutil.Process, told: Path) -> bool:
    """SIGHUP is the terminal's for some seconds."""
    process.send_signal(signal.SIGHUP)
    return told.read_text() == "replaces"


def test_signals_that_come_until_it_has_ended_do_not_become_the_exit_code(told: Path) -> None:
    with subprocess.Popen(launcher(told)) as process:
        says(told, "waits")
        while process.poll() is None:
            process.send_signal(signal.SIGINT)
    assert process.returncode == 0


def test_a_terminal_that_is_closed_during_the_start_leaves_nothing(tmp_path: Path) -> None:
    ports = {"HTTP_PORT": free_port(), "GRPC_PORT": free_port()}
    command = [*COMMAND, "--no-embedded-llm"]
    with terminal(command, environment_of(tmp_path, **ports)) as screen:
        screen.reads("starting Ray", START_SECONDS)
        environment = psutil.Process(screen.process).environ()
        run = Run(environment[RUN_MARK], Path(environment["VOYAGER_SCRATCH"]))
        until(run.processes, "something was started")
        screen.closes()
        assert screen.ends(30) == 0
    assert run.processes() == []
    assert not run.scratch.exists()
    refuse_taken_ports(Settings(http_port=ports["HTTP_PORT"], grpc_port=ports["GRPC_PORT"]))


def test_ctrl_c_again_and_again_stops_the_start_in_order(tmp_path: Path) -> None:
    ports = {"HTTP_PORT": free_port(), "GRPC_PORT": free_port()}
    command = [*COMMAND, "--no-embedded-llm"]
    with terminal(command, environment_of(tmp_path, **ports)) as screen:
        screen.reads("starting Ray", START_SECONDS)
        screen.types("\x03")
        for key in "\x03\x03":
            screen.reads("stopping", 10)
            screen.types(key)
        assert screen.ends(30) == 0
    assert screen.text.count("stopped") == 1
