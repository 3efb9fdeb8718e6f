"""Many streams at once: time to the first token, lost or merged events, CPU a chunk. Used by `run.py`."""

from __future__ import annotations

import asyncio
import itertools
import json
import statistics
import time
from dataclasses import dataclass

import aiohttp

from benchmarks.measure import cpu_seconds
from benchmarks.subjects import Subject, body_of
from scripts.fake_provider.formats import WORDS
from scripts.fake_provider.running import FakeProvider

TOKENS = 60
DELAY_S = 0.05
# How long a subject is watched doing nothing.
IDLE_S = 8.0


@dataclass(frozen=True, slots=True)
class StreamLoad:
    """One run: ``streams`` at once, each of ``TOKENS`` tokens."""

    streams: int
    chunks: int
    broken: int
    ttft_p50_ms: float
    ttft_p99_ms: float
    # How much longer than the provider's own delay a pause between two tokens was, at the median.
    gap_overhead_ms: float
    # Without what the subject uses when nothing is asked of it.
    cpu_us_per_chunk: float
    idle_cpu_percent: float


def run(subject: Subject, provider: FakeProvider, profile: str, streams: int) -> StreamLoad:
    """Open ``streams`` streams at once and read them to their end."""
    provider.profile(profile, tokens=TOKENS, token_delay_s=DELAY_S)
    return asyncio.run(_run(subject, streams))


async def _run(subject: Subject, streams: int) -> StreamLoad:
    body = body_of(subject, stream=True)
    connector = aiohttp.TCPConnector(limit=0)
    resting = cpu_seconds(subject.name)
    await asyncio.sleep(IDLE_S)
    async with aiohttp.ClientSession(connector=connector) as session:
        before = cpu_seconds(subject.name)
        started = time.monotonic()
        results = await asyncio.gather(*(_one(session, subject, body) for _ in range(streams)))
        seconds = time.monotonic() - started
        after = cpu_seconds(subject.name)
    idle = (before - resting) / IDLE_S
    firsts = sorted(first for first, _, _, _ in results)
    gaps = [gap for _, gap, _, _ in results]
    chunks = sum(count for _, _, count, _ in results)
    return StreamLoad(
        streams=streams,
        chunks=chunks,
        broken=sum(not whole for _, _, _, whole in results),
        ttft_p50_ms=firsts[len(firsts) // 2] * 1000,
        ttft_p99_ms=firsts[int(len(firsts) * 0.99)] * 1000,
        gap_overhead_ms=(statistics.median(gaps) - DELAY_S) * 1000,
        cpu_us_per_chunk=(after - before - idle * seconds) * 1e6 / max(1, chunks),
        idle_cpu_percent=idle * 100,
    )


async def _one(session: aiohttp.ClientSession, subject: Subject, body: str) -> tuple[float, float, int, bool]:
    """(seconds to the first token, median pause, events, whether all came whole and in order)."""
    started = time.monotonic()
    first = 0.0
    arrivals: list[float] = []
    text = ""
    events = 0
    done = False
    headers = {"content-type": "application/json", **subject.headers}
    url = subject.url + "/v1/chat/completions"
    async with session.post(url, data=body, headers=headers) as answer:
        async for line in answer.content:
            if not line.startswith(b"data: "):
                continue
            now = time.monotonic()
            first = first or now - started
            if line.strip() == b"data: [DONE]":
                done = True
                break
            events += 1
            chunk = json.loads(line[6:])
            for choice in chunk["choices"]:
                text += choice["delta"].get("content") or ""
            arrivals.append(now)
    pauses = [later - earlier for earlier, later in itertools.pairwise(arrivals)]
    expected = "".join(WORDS[i % len(WORDS)] for i in range(TOKENS))
    return first, statistics.mean(pauses) if pauses else 0.0, events, done and text == expected
