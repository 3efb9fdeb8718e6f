"""The direct path as Prometheus series, made when they are asked for. For `model_router.py`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from deployments.hop.peers import Peers
from voyager_llm import telemetry as names

_OF = ["deployment"]


class HopSeries(Collector):
    """Replicas that are connected, and calls that went over Serve's handle instead."""

    def __init__(self, peers: Sequence[Peers]) -> None:
        self._peers = peers

    def describe(self) -> Iterator[Metric]:
        yield from self._families()

    def collect(self) -> Iterator[Metric]:
        connected, passed_on = self._families()
        for peers in self._peers:
            connected.add_metric([peers.deployment], peers.connected)
            passed_on.add_metric([peers.deployment], peers.passed_on)
        yield from (connected, passed_on)

    @staticmethod
    def _families() -> tuple[GaugeMetricFamily, CounterMetricFamily]:
        return (
            GaugeMetricFamily(names.HOP_CONNECTED, "Replicas that this router calls directly.", labels=_OF),
            CounterMetricFamily(
                names.HOP_PASSED_ON, "Calls that went over Serve's handle, ten times as dear.", labels=_OF
            ),
        )
