"""How every endpoint fares, as Prometheus series made when they are asked for. Used by `meter.py`."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from deployments.request.endpoints import EndpointTable
from voyager_llm import telemetry as names
from voyager_llm.clock import Clock
from voyager_llm.domain.health import EndpointHealth

_OF = ["endpoint", "operation"]
READY, SUSPECT, WAITS, DOWN = 0, 1, 2, 3


class EndpointSeries(Collector):
    """State, calls in flight and latency of every endpoint that is known."""

    def __init__(self, endpoints: EndpointTable, clock: Clock) -> None:
        self._endpoints = endpoints
        self._clock = clock

    def describe(self) -> Iterator[Metric]:
        yield from self._families()

    def collect(self) -> Iterator[Metric]:
        state, in_flight, latency = self._families()
        now = self._clock()
        for endpoint, operation, health in self._endpoints:
            labels = [endpoint, operation.name.lower()]
            state.add_metric(labels, _state(health, now))
            in_flight.add_metric(labels, health.in_flight)
            if health.latency_s:
                latency.add_metric(labels, health.latency_s)
        yield from (state, in_flight, latency)

    @staticmethod
    def _families() -> tuple[GaugeMetricFamily, GaugeMetricFamily, GaugeMetricFamily]:
        return (
            GaugeMetricFamily(
                names.ENDPOINT_STATE,
                "0: ready, 1: asked after the others, 2: asked to wait, 3: no connection can be made.",
                labels=_OF,
            ),
            GaugeMetricFamily(names.ENDPOINT_IN_FLIGHT, "Calls under way.", labels=_OF),
            GaugeMetricFamily(names.ENDPOINT_LATENCY, "Peak EWMA of the time to an answer.", labels=_OF),
        )


def _state(health: EndpointHealth, now: float) -> int:
    if now < health.cooldown_until:
        return WAITS
    if not health.admits(now):
        return DOWN
    return SUSPECT if health.is_suspect(now) else READY
