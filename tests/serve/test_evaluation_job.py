"""Bulk evaluation as a job of its own beside the running service."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from scripts.fake_provider.running import FakeProvider
from tests.support.running import ROOT, RunningService

# The service asks again where a provider on a busy machine seems to have stopped.
ASKED_TWICE = 10


def define(running: RunningService, name: str, base: str, minimum: float) -> None:
    running.model(name, base)
    prompt = {"name": name, "version": "1.0.0", "template": "Say {{ word }}",
              "parameters": [{"name": "word", "required": True}]}  # fmt: skip
    assert running.http.post("/api/v1/prompts", json=prompt).status_code == 201
    evaluation = {
        "name": name, "model_ref": {"name": name}, "prompt_ref": {"name": name, "version": "1.0.0"},
        "metrics": [{"name": "coverage", "weight": 1, "measurement": "keyword_coverage"}],
        "thresholds": {"minimum_score": minimum, "warning_score": minimum, "target_score": 1},
    }  # fmt: skip
    assert running.http.post("/api/v1/evaluations", json=evaluation).status_code == 201


def run(running: RunningService, name: str, folder: Path) -> tuple[int, dict[str, Any], str]:
    command = [sys.executable, "-m", "evals.job", "--evaluation", name, "--url", running.url,
               "--dataset", str(folder / "set.jsonl"), "--out", str(folder / "out")]  # fmt: skip
    environment = {**os.environ, "RAY_ADDRESS": "local", "RAY_USAGE_STATS_ENABLED": "0"}
    result = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=150, check=False
    )
    summary = folder / "out" / "summary.json"
    return (
        result.returncode,
        json.loads(summary.read_text()) if summary.exists() else {},
        result.stdout + result.stderr,
    )


def dataset(folder: Path, rows: list[dict[str, Any]]) -> None:
    (folder / "set.jsonl").write_text("\n".join(json.dumps(row) for row in rows))


@pytest.mark.parametrize("running", ["fused"], indirect=True)
def test_a_job_scores_fails_and_goes_on(
    running: RunningService, provider: FakeProvider, tmp_path: Path
) -> None:
    name = "bulk"
    define(running, name, provider.profile(name), 0.9)
    good = [{"id": str(n), "variables": {"word": "hello"}, "reference": "Hello provider"} for n in range(150)]
    dataset(tmp_path, [*good, {"id": "wrong", "variables": {}, "reference": "x"}])
    code, summary, log = run(running, name, tmp_path)
    assert (code, summary["failed"], summary["examples"]) == (2, 1, 151), log
    assert summary["metrics"] == {"coverage": 1.0}
    asked = provider.seen(name)["requests"]
    assert 0 <= asked - 150 < ASKED_TWICE
    # The example is mended, and a line was cut short by a kill: only these two are asked for again.
    results = tmp_path / "out" / "results.jsonl"
    lines = results.read_text().splitlines()
    last = next(i for i, line in enumerate(lines) if '"scores"' in line)
    lines[last] = lines[last][:20]
    results.write_text("\n".join(lines) + "\n")
    dataset(tmp_path, [*good, {"id": "wrong", "variables": {"word": "x"}, "reference": "x"}])
    code, summary, log = run(running, name, tmp_path)
    assert (code, summary["failed"]) == (0, 0), log
    assert 2 <= provider.seen(name)["requests"] - asked < 2 + ASKED_TWICE


@pytest.mark.parametrize("running", ["fused"], indirect=True)
def test_a_score_below_the_minimum_fails_the_job(
    running: RunningService, provider: FakeProvider, tmp_path: Path
) -> None:
    name = "below"
    define(running, name, provider.profile(name), 0.9)
    dataset(tmp_path, [{"output": "nothing of it", "reference": "Hello provider"}])
    code, summary, log = run(running, name, tmp_path)
    assert (code, summary["score"]) == (1, 0.0), log
    assert run(running, "nobody", tmp_path)[0] == 2
