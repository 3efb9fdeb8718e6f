"""Results into a table and a plot. Used by `run.py`."""

from __future__ import annotations

import os
import platform
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure

from benchmarks.streams import DELAY_S, TOKENS
from benchmarks.subjects import LITELLM, PORTKEY

mpl.use("svg")

_NAMES = {
    "bare": "bare uvicorn + aiohttp proxy (the floor)",
    "fused": "**Voyager, `fused`**",
    "split": "**Voyager, `split`**",
    "litellm": f"LiteLLM proxy ({LITELLM.split('==')[1]}, 1 worker)",
    "portkey": f"Portkey gateway ({PORTKEY.rsplit('@', 1)[1]})",
}


# Where the time goes in what has been missed, by profile, and by runs on several machines.
_CAUSES = {
    "adapter lane (`fused`, Anthropic upstream), at most 1 ms": "LiteLLM's translation takes 0.35 to 0.45 ms, most of "
    "it building and validating its own types for each answer; the rest is what every request costs.",
}
_STREAMS_MISSED = (
    "- streams: HAProxy takes 16 to 19 µs of each chunk, to read and check it takes 10, and a hop 10 more; the same code "
    "measured +37 and +24 µs in `fused`, +34 and +30 µs in `split` in another run: chunks that come in one turn of the "
    "loop are written together, and how many do depends on the machine's other work."
)
# Above the floor, a chunk.
_STREAM_LIMITS_US = {"bare": 0, "fused": 30, "split": 45}


def write_report(results: dict[str, Any], folder: Path) -> None:
    """Write `RESULTS.md` and `results.svg`."""
    parts = [_head(), _chat(results), _targets(results), _streams(results), _memory(results)]
    (folder / "RESULTS.md").write_text("\n".join(part for part in parts if part))
    if "chat" in results:
        _plot(results["chat"], folder / "results.svg")


def _head() -> str:
    when = datetime.now(UTC).strftime("%Y-%m-%d")
    ray, litellm = version("ray"), version("litellm")
    return f"""# Results

Written by `make bench` on {when}: {os.cpu_count()} cores ({platform.machine()}), Python
{platform.python_version()}, Ray {ray}, LiteLLM {litellm}. Everything ran on this one machine: the load
generator (wrk), the fake provider, and the subjects, all started at once and measured in turns. Absolute
figures depend on the machine; read the ratios. CPU is that of the subject's whole process tree (HAProxy,
Ray and all replicas included), at 32 connections against an instant provider. Voyager has 1,000 models
defined, and model lookup, rate limits, cost and metrics are on. LiteLLM has one model and no database.
"""


def _chat(results: dict[str, Any]) -> str:
    if "chat" not in results:
        return ""
    rows = results["chat"]
    floor, alone = rows["bare"]["cpu_ms"], rows["bare"]["sequential_cpu_ms"]
    lines = [
        "## Chat completions\n",
        "| subject | CPU ms/request | × floor | × floor at 1 | requests/s | p50 / p99 ms at 32 | p50 / p99 ms at 1 | memory MB |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for name, row in rows.items():
        lines.append(
            f"| {_NAMES[name]} | {row['cpu_ms']:.2f} | {row['cpu_ms'] / floor:.1f} | "
            f"{row['sequential_cpu_ms'] / alone:.1f} | {row['rate']:.0f} | "
            f"{row['p50_ms']:.1f} / {row['p99_ms']:.1f} | "
            f"{row['sequential_p50_ms']:.2f} / {row['sequential_p99_ms']:.2f} | {row['memory_mb']:.0f} |"
        )
    failures = sum(row["failures"] for row in rows.values())
    lines.append(
        f"\nDirectly to the provider: p50 {results['direct']['p50_ms']:.2f} ms at 1 connection. "
        f"Failed requests: {failures}.\n\n![CPU per request](results.svg)\n"
    )
    return "\n".join(lines)


def _targets(results: dict[str, Any]) -> str:
    rows: list[tuple[str, str, bool]] = []
    if "chat" in results:
        chat = results["chat"]
        cpu = {name: row["cpu_ms"] for name, row in chat.items()}
        alone = {name: row["sequential_cpu_ms"] for name, row in chat.items()}
        rows += [
            _row("`split` to the floor, at most 4.5 ×", cpu["split"] / cpu["bare"], 4.5),
            _row("`split` to the floor at 1 connection, at most 6 ×", alone["split"] / alone["bare"], 6),
            _row("LiteLLM to `split`, at least 14 ×", cpu["litellm"] / cpu["split"], 14, least=True),
            _row("`split` to Portkey, below 1 ×", cpu["split"] / cpu["portkey"], 1),
            _row("`fused` to the floor, at most 2.5 ×", cpu["fused"] / cpu["bare"], 2.5),
        ]
        if "ours" in results:
            prompt = results["ours"]["split-prompt"]["cpu_ms"]
            adapter = results["ours"]["fused-adapter"]["cpu_ms"]
            rows += [
                _row("`split` rendered prompt to the floor, at most 5.5 ×", prompt / cpu["bare"], 5.5),
                _row("adapter lane (`fused`, Anthropic upstream), at most 1 ms", adapter, 1),
            ]
    for name, row in results.get("streams", {}).items():
        subject, count = name.rsplit("-", 1)
        if limit := _STREAM_LIMITS_US[subject]:
            text = f"{count} streams, `{subject}`: at most +{limit} µs a chunk above the floor"
            rows.append(_row(text, _above_floor(results, row), limit))
    if "growth" in results:
        small, large = list(results["growth"].values())
        sizes = " and ".join(f"{int(size):,}" for size in results["growth"])
        rows.append(
            _row(f"CPU with {sizes} models differs by less than 10 %", abs(large / small - 1) * 100, 10)
        )
    if not rows:
        return ""
    lines = ["## Targets\n", "| target | measured | met |", "| --- | ---: | --- |"]
    lines += [f"| {text} | {value} | {'yes' if met else '**no**'} |" for text, value, met in rows]
    missed = [f"- {text}: {_CAUSES[text]}" for text, _, met in rows if not met and text in _CAUSES]
    if any(not met and "streams" in text for text, _, met in rows):
        missed.append(_STREAMS_MISSED)
    if missed:
        lines += ["\nWhy what is missed is missed:\n", *missed]
    return "\n".join(lines) + "\n"


def _row(text: str, value: float, limit: float, *, least: bool = False) -> tuple[str, str, bool]:
    return text, f"{value:.2f}", value >= limit if least else value <= limit


def _streams(results: dict[str, Any]) -> str:
    if "streams" not in results:
        return ""
    lines = [
        "## Streams\n",
        f"Each of {TOKENS} tokens, one every {DELAY_S * 1000:.0f} ms, all opened at once. CPU is net of what the subject uses when idle.\n",
        "| subject, streams | TTFT p50 / p99 ms | added to a pause, ms | CPU µs/chunk | above the floor | idle CPU | broken |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for name, row in results["streams"].items():
        lines.append(
            f"| {name.rpartition('-')[0]}, {row['streams']} | {row['ttft_p50_ms']:.0f} / {row['ttft_p99_ms']:.0f} | "
            f"{row['gap_overhead_ms']:.1f} | {row['cpu_us_per_chunk']:.0f} | "
            f"{_above_floor(results, row):+.0f} | {row['idle_cpu_percent']:.0f} % | {row['broken']} |"
        )
    return "\n".join(lines) + "\n"


def _above_floor(results: dict[str, Any], row: dict[str, Any]) -> float:
    """CPU µs a chunk more than the floor takes, with as many streams."""
    floor: float = results["streams"][f"bare-{row['streams']}"]["cpu_us_per_chunk"]
    return row["cpu_us_per_chunk"] - floor


def _memory(results: dict[str, Any]) -> str:
    if "memory" not in results:
        return ""
    row = results["memory"]
    series = row["series_mb"]
    # The first ten seconds fill caches and pools.
    return (
        f"## Memory\n\n`fused`, {row['requests']:,} requests: {series[0]:.0f} MB before, "
        f"{series[1]:.0f} MB after the first ten seconds, {series[-1]:.0f} MB at the end "
        f"({row['failures']} failed).\n"
    )


def _plot(chat: dict[str, Any], path: Path) -> None:
    figure = Figure(figsize=(7, 2.6), layout="constrained")
    axes = figure.subplots()
    names = list(reversed(chat))
    values = [chat[name]["cpu_ms"] for name in names]
    bars = axes.barh(
        names, values, color=["#2b6cb0" if n in ("fused", "split") else "#a0aec0" for n in names]
    )
    axes.bar_label(bars, fmt="%.2f", padding=3)
    axes.set_xscale("log")
    axes.set_xlabel("CPU ms per request (logarithmic)")
    axes.spines[["top", "right"]].set_visible(False)
    axes.margins(x=0.15)
    figure.savefig(path, metadata={"Date": None})
