"""Metrics of several replicas in one text: nothing lost, nothing counted twice, readable by Prometheus."""

from __future__ import annotations

import time

from prometheus_client.parser import text_string_to_metric_families

from deployments.ingress.metrics import merged
from deployments.request.endpoints import EndpointTable
from deployments.request.meter import Meter
from voyager_llm.domain.completion import Account
from voyager_llm.domain.request import Principal, RequestContext, Trace
from voyager_llm.domain.usage import Usage

CONTEXT = RequestContext(Principal("me"), Trace("t"))


def meter(model: str, times: int) -> bytes:
    counting = Meter(EndpointTable(), time.monotonic)
    for _ in range(times):
        usage = Usage(input_tokens=3, output_tokens=5)
        counting.ended(CONTEXT, Account("ok", model=model, model_used="fake", usage=usage, duration_s=0.2))
    return counting.text()


def samples(text: bytes) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text.decode())
        for sample in family.samples
    }


def test_every_sample_of_every_replica_is_there_with_its_name() -> None:
    texts = [("one", meter("m", 2)), ("two", meter("m", 3)), ("three", meter('a{"\\ b', 1))]
    expected = {
        (name, labels | {("replica", replica)}): value
        for replica, text in texts
        for (name, labels), value in samples(text).items()
    }
    assert samples(merged(texts)) == expected


def test_a_family_is_described_once_and_stands_together() -> None:
    lines = merged([("one", meter("m", 1)), ("two", meter("n", 1))]).decode().splitlines()
    heads = [line for line in lines if line.startswith("#")]
    assert len(heads) == len(set(heads))
    first = lines.index("# TYPE voyager_completions_total counter")
    assert all(line.startswith("voyager_completions_total{replica=") for line in lines[first + 1 : first + 3])
    assert lines[first + 3].startswith("# HELP")
