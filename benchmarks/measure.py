"""What a subject costs: CPU time and memory of its whole process tree, and latency under load.

A subject's processes are found by a mark in their environment, so nothing that it starts escapes,
whatever its parent. Used by the scenarios.
"""

from __future__ import annotations

import math
import re
import subprocess
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

MARK = "VOYAGER_BENCH"

_UNITS = {"us": 1e-3, "ms": 1.0, "s": 1000.0, "m": 60_000.0}


@dataclass(frozen=True, slots=True)
class Load:
    """One load run: times in milliseconds."""

    requests: int
    seconds: float
    failures: int
    p50_ms: float
    p99_ms: float
    cpu_ms: float

    @property
    def rate(self) -> float:
        return self.requests / self.seconds


def tree(mark: str) -> list[psutil.Process]:
    """Every process that carries the mark."""
    found: list[psutil.Process] = []
    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):
            if process.environ().get(MARK) == mark:
                found.append(process)
    return found


def cpu_seconds(mark: str) -> float:
    """CPU time of all processes of a subject since they started; those that ended are lost."""
    total = 0.0
    for process in tree(mark):
        with suppress(psutil.Error):
            times = process.cpu_times()
            total += times.user + times.system
    return total


def memory_mb(mark: str) -> float:
    """Memory of a subject: proportional set size, which counts shared pages once."""
    total = 0
    for process in tree(mark):
        with suppress(psutil.Error):
            total += process.memory_full_info().pss
    return total / 1e6


def wrk(
    url: str, body: str, mark: str, *, connections: int, seconds: float, headers: Mapping[str, str]
) -> Load:
    """Load from wrk, one thread. Raises `RuntimeError` when it cannot be read."""
    lines = [f"wrk.headers['{name}']='{value}'" for name, value in headers.items()]
    script = "\n".join(
        [
            "wrk.method='POST'",
            "wrk.headers['Content-Type']='application/json'",
            f"wrk.body=[==[{body}]==]",
            *lines,
        ]
    )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "post.lua"
        path.write_text(script)
        before = cpu_seconds(mark)
        arguments = [
            "wrk",
            "-t1",
            f"-c{connections}",
            f"-d{math.ceil(seconds)}s",
            "--latency",
            "-s",
            str(path),
            url,
        ]
        output = subprocess.run(arguments, capture_output=True, text=True, check=True).stdout
        after = cpu_seconds(mark)
    counted = re.search(r"(\d+) requests in ([\d.]+)(\w+)", output)
    if counted is None:
        raise RuntimeError(output)
    requests = int(counted[1])
    failed = re.search(r"Non-2xx or 3xx responses: (\d+)", output)
    return Load(
        requests=requests,
        seconds=float(counted[2]) * _UNITS[counted[3]] / 1000,
        failures=int(failed[1]) if failed else 0,
        p50_ms=_latency(output, "50%"),
        p99_ms=_latency(output, "99%"),
        cpu_ms=(after - before) * 1000 / max(1, requests),
    )


def _latency(output: str, percentile: str) -> float:
    found = re.search(rf"{percentile}\s+([\d.]+)(\w+)", output)
    return float(found[1]) * _UNITS[found[2]] if found else float("nan")
