"""Ports that are bound later are given once, whoever asks."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from serve_app.environment import free_port, free_ports

ROOT = Path(__file__).resolve().parents[2]
_ASK = "from serve_app.environment import free_ports; print(*free_ports(300), flush=True); input()"


def test_ports_are_given_once() -> None:
    found = [*free_ports(200), *(free_port() for _ in range(200))]
    assert len(set(found)) == 400


def test_no_other_process_is_given_them() -> None:
    """A tenth of all ports each: without claims two processes would surely share some."""
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", _ASK], cwd=ROOT, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        for _ in range(3)
    ]
    try:
        lines = [process.stdout.readline() if process.stdout else "" for process in processes]
    finally:
        for process in processes:
            process.communicate("\n")
    found = [int(port) for line in lines for port in line.split()]
    assert len(found) == 900
    assert len(set(found)) == 900
