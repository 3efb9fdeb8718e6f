"""`make bench`: every scenario against every subject, alternately, in one run.

Writes `benchmarks/results.json`, the table `benchmarks/RESULTS.md` and the plot `benchmarks/results.svg`.
`--quick` takes a few seconds a measurement, to see that it works.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import sys
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks import streams, subjects
from benchmarks.measure import Load, memory_mb, wrk
from benchmarks.report import write_report
from benchmarks.subjects import Subject, body_of
from scripts.fake_provider.running import FakeProvider

HERE = Path(__file__).resolve().parent
WORK = HERE / ".work"
Starter = Callable[[FakeProvider, Path], Subject]

PEERS: dict[str, Starter] = {
    "bare": subjects.bare,
    "split": subjects.voyager("split"),
    "fused": subjects.voyager("fused"),
    "litellm": subjects.litellm_proxy,
    "portkey": subjects.portkey,
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--only", nargs="*", choices=["chat", "ours", "streams", "growth", "memory"])
    options = parser.parse_args()
    if shutil.which("wrk") is None:
        sys.exit("wrk is needed to make the load: apt-get install wrk")
    seconds, rounds = (2.0, 1) if options.quick else (6.0, 3)
    wanted = set(options.only or ["chat", "ours", "streams", "growth", "memory"])
    shutil.rmtree(WORK, ignore_errors=True)
    path = HERE / "results.json"
    results: dict[str, Any] = json.loads(path.read_text()) if options.only and path.exists() else {}
    with ExitStack() as stack:
        provider = FakeProvider(fast=True)
        stack.callback(provider.stop)
        slow = FakeProvider()
        stack.callback(slow.stop)
        if wanted & {"chat", "ours", "memory"}:
            running = _start(stack, provider, list(PEERS) if "chat" in wanted else ["bare", "split", "fused"])
            results["direct"] = _direct(provider, seconds)
            if "chat" in wanted:
                results["chat"] = _chat(running, seconds, rounds)
            if "ours" in wanted:
                results["ours"] = _ours(running, seconds, rounds)
            if "memory" in wanted:
                results["memory"] = _memory(running["fused"], 20_000 if options.quick else 200_000)
    if "streams" in wanted:
        results["streams"] = _streams(50 if options.quick else 200, 100 if options.quick else 500, rounds)
    if "growth" in wanted:
        results["growth"] = _growth(seconds, rounds, 500 if options.quick else 10_000)
    path.write_text(json.dumps(results, indent=2) + "\n")
    write_report(results, HERE)
    print((HERE / "RESULTS.md").read_text())
    return 0


def _start(stack: ExitStack, provider: FakeProvider, names: list[str]) -> dict[str, Subject]:
    running: dict[str, Subject] = {}
    for name in names:
        print(f"starting {name} …", flush=True)
        running[name] = PEERS[name](provider, WORK)
        stack.callback(running[name].stop)
    return running


def _load(subject: Subject, body: str, connections: int, seconds: float) -> Load:
    url = subject.url + "/v1/chat/completions"
    return wrk(url, body, subject.name, connections=connections, seconds=seconds, headers=subject.headers)


def _direct(provider: FakeProvider, seconds: float) -> dict[str, float]:
    """The provider itself, without anything between."""
    body = json.dumps({"model": "fake", "messages": subjects.MESSAGES, "max_tokens": 50})
    url = f"{provider.url}/direct/v1/chat/completions"
    load = wrk(url, body, "none", connections=1, seconds=seconds, headers={})
    return {"p50_ms": load.p50_ms, "p99_ms": load.p99_ms}


def _chat(running: dict[str, Subject], seconds: float, rounds: int) -> dict[str, Any]:
    """Raw chat at 32 connections and at 1, the subjects taking turns."""
    taken: dict[str, list[tuple[Load, Load, float]]] = {name: [] for name in running}
    for subject in running.values():
        _load(subject, body_of(subject), 32, seconds / 2)  # warm
    for turn in range(rounds):
        for name, subject in running.items():
            print(f"chat, round {turn + 1}: {name}", flush=True)
            many = _load(subject, body_of(subject), 32, seconds)
            one = _load(subject, body_of(subject), 1, seconds / 2)
            taken[name].append((many, one, memory_mb(name)))
    return {name: _summary(rows) for name, rows in taken.items()}


def _summary(rows: list[tuple[Load, Load, float]]) -> dict[str, Any]:
    many = [row[0] for row in rows]
    one = [row[1] for row in rows]
    return {
        "cpu_ms": statistics.median(load.cpu_ms for load in many),
        "cpu_ms_rounds": [load.cpu_ms for load in many],
        "rate": statistics.median(load.rate for load in many),
        "p50_ms": statistics.median(load.p50_ms for load in many),
        "p99_ms": statistics.median(load.p99_ms for load in many),
        "sequential_cpu_ms": statistics.median(load.cpu_ms for load in one),
        "sequential_p50_ms": statistics.median(load.p50_ms for load in one),
        "sequential_p99_ms": statistics.median(load.p99_ms for load in one),
        "memory_mb": rows[-1][2],
        "failures": sum(load.failures for load in many + one),
    }


def _ours(running: dict[str, Subject], seconds: float, rounds: int) -> dict[str, Any]:
    """A rendered prompt, and the adapter lane (Anthropic's protocol upstream), beside raw chat."""
    prompt = {"model": "prompt:greet", "target": "model-0", "variables": {"who": "the world"}}
    adapter = {"model": "adapter", "messages": subjects.MESSAGES, "max_tokens": 50}
    results: dict[str, Any] = {}
    for name in ("split", "fused"):
        subject = running[name]
        for scenario, body in (("prompt", prompt), ("adapter", adapter)):
            print(f"{scenario}: {name}", flush=True)
            _load(subject, json.dumps(body), 32, seconds / 3)
            loads = [_load(subject, json.dumps(body), 32, seconds) for _ in range(rounds)]
            results[f"{name}-{scenario}"] = {
                "cpu_ms": statistics.median(load.cpu_ms for load in loads),
                "rate": statistics.median(load.rate for load in loads),
                "failures": sum(load.failures for load in loads),
            }
    return results


def _memory(subject: Subject, requests: int) -> dict[str, Any]:
    """Memory before and after many requests."""
    print(f"memory over {requests} requests", flush=True)
    before = memory_mb(subject.name)
    done = failures = 0
    series = [before]
    while done < requests:
        load = _load(subject, body_of(subject), 32, 10)
        done += load.requests
        failures += load.failures
        series.append(memory_mb(subject.name))
    return {"requests": done, "failures": failures, "series_mb": series}


def _streams(streams_at_once: int, most: int, rounds: int) -> dict[str, Any]:
    """Of each number of streams the run that took the median of CPU."""
    results: dict[str, Any] = {}
    for name in ("bare", "split", "fused"):
        provider = FakeProvider()
        subject = PEERS[name](provider, WORK / "streams")
        try:
            for count in (streams_at_once, most):
                print(f"{count} streams: {name}", flush=True)
                runs = [asdict(streams.run(subject, provider, name, count)) for _ in range(rounds)]
                runs.sort(key=lambda run: run["cpu_us_per_chunk"])
                results[f"{name}-{count}"] = {**runs[rounds // 2], "broken": sum(r["broken"] for r in runs)}
        finally:
            subject.stop()
            provider.stop()
    return results


def _growth(seconds: float, rounds: int, most: int) -> dict[str, Any]:
    """CPU a request with few and with many models defined, taking turns."""
    provider = FakeProvider(fast=True)
    sizes = (10, most)
    with ExitStack() as stack:
        stack.callback(provider.stop)
        running: dict[int, Subject] = {}
        for size in sizes:
            print(f"starting fused with {size} models …", flush=True)
            running[size] = subjects.voyager("fused", size)(provider, WORK)
            stack.callback(running[size].stop)
        loads: dict[int, list[float]] = {size: [] for size in sizes}
        for size in sizes:
            _load(running[size], body_of(running[size]), 32, seconds)
        for _ in range(rounds * 2):
            for size in sizes:
                loads[size].append(_load(running[size], body_of(running[size]), 32, seconds).cpu_ms)
        return {str(size): statistics.median(values) for size, values in loads.items()}


if __name__ == "__main__":
    sys.exit(main())
