"""Templates are bounded in time and memory, whatever they do: when they are defined and when they are
rendered. Every attack runs under limits of the kernel, in a process of its own kind (`child.py`)."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.hostile.attacks import ATTACKS

# Measured: 0.16 s and 20 MB at most. A busy machine and an allocator that keeps memory need some room.
CPU_SECONDS = 1.0
MEGABYTES = 64

_ROOT = Path(__file__).parents[2]
_NAMES = list(ATTACKS)


@pytest.fixture(scope="module")
def results() -> dict[str, Any]:
    """What each attack took; one that ended its process is missing."""
    found: dict[str, Any] = {}
    first = 0
    while first < len(_NAMES):
        command = [sys.executable, "-m", "tests.hostile.child", str(first)]
        child = subprocess.run(command, cwd=_ROOT, capture_output=True, text=True, timeout=150, check=False)
        told = [json.loads(line) for line in child.stdout.splitlines()]
        found.update((result["name"], result) for result in told)
        first += len(told)
        if first < len(_NAMES):
            found[_NAMES[first]] = f"ended its process: {child.returncode} {child.stderr[-500:]}"
            first += 1
    return found


@pytest.mark.parametrize("name", _NAMES)
def test_an_attack_ends_within_its_bounds(name: str, results: dict[str, Any]) -> None:
    result = results[name]
    assert isinstance(result, dict), result
    for step in ("define", "render"):
        took = result[step]
        # "!" marks an error that a client would see as an internal one.
        assert not took["outcome"].startswith("!"), (step, took)
        assert "MemoryError" not in took["outcome"], (step, took)
        assert len(took["outcome"]) < 1500, (step, took)
        assert took["seconds"] < CPU_SECONDS, (step, took)
        assert took["megabytes"] < MEGABYTES, (step, took)


def test_the_worst_attacks(results: dict[str, Any], figures: Callable[[str], None]) -> None:
    for step in ("define", "render"):
        for unit in ("seconds", "megabytes"):
            worst = max(results.values(), key=lambda result: result[step][unit])
            figures(
                f"{len(results)} attacks, to {step}: at most {worst[step][unit]:.3f} {unit} ({worst['name']})"
            )


def test_random_templates_are_bounded_and_raise_our_errors_alone() -> None:
    command = [sys.executable, "-m", "tests.hostile.fuzz"]
    child = subprocess.run(command, cwd=_ROOT, capture_output=True, text=True, timeout=150, check=False)
    assert child.returncode == 0, child.stderr[-4000:]
