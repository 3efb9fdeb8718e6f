"""Prometheus metrics of one replica. Counting is a few dictionary look-ups; nothing is written.

Names stand in `voyager_llm/telemetry.py`. Used by `pipeline.py` and `attempts.py`; `/metrics` shows them.
"""

from __future__ import annotations

from collections import Counter
from functools import lru_cache

import prometheus_client as prometheus
from prometheus_client import CollectorRegistry, Gauge, Histogram
from prometheus_client.exposition import generate_latest

from voyager_llm import telemetry as names
from voyager_llm.domain.completion import Completion

_LATENCY_BUCKETS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120)


class Meter:
    """Counts completions and attempts."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        on = self.registry
        self._completions = prometheus.Counter(
            names.COMPLETIONS, "Completions by outcome.", ["model", "outcome"], registry=on
        )
        self._latency = Histogram(
            names.DURATION, "Time of a completion.", ["model"], buckets=_LATENCY_BUCKETS, registry=on
        )
        self._first = Histogram(
            names.TIME_TO_FIRST, "Time to the first token of a stream.", ["model"],
            buckets=_LATENCY_BUCKETS, registry=on,
        )  # fmt: skip
        self._tokens = prometheus.Counter(
            names.TOKENS, "Tokens by direction.", ["model", "direction"], registry=on
        )
        self._cost = prometheus.Counter(names.COST, "Cost in the model's currency.", ["model"], registry=on)
        self._estimated = prometheus.Counter(
            names.ESTIMATED, "Completions whose provider reported no usage.", ["model"], registry=on
        )
        self._attempts = prometheus.Counter(
            names.ATTEMPTS, "Provider calls by outcome.", ["endpoint", "outcome"], registry=on
        )
        self.ongoing = Gauge(names.ONGOING, "Completions under way.", registry=on)
        self.config_version = Gauge(names.CONFIG_VERSION, "Version of the configuration in use.", registry=on)
        # Completions by prompt; the configuration bounds how many names there are.
        self.prompt_uses: Counter[str] = Counter()
        # `labels()` takes a lock and builds a key; its results are kept instead. Bounded, because
        # models come and go.
        self._for_model = lru_cache(maxsize=16_384)(self._model_series)
        self._for_attempt = lru_cache(maxsize=65_536)(self._attempts.labels)
        self._for_outcome = lru_cache(maxsize=65_536)(self._completions.labels)

    def _model_series(
        self, model: str
    ) -> tuple[Histogram, prometheus.Counter, prometheus.Counter, prometheus.Counter]:
        return (
            self._latency.labels(model),
            self._tokens.labels(model, "input"),
            self._tokens.labels(model, "output"),
            self._cost.labels(model),
        )

    def completed(self, completion: Completion, outcome: str = "ok") -> None:
        latency, tokens_in, tokens_out, cost = self._for_model(completion.model)
        self._for_outcome(completion.model, outcome).inc()
        latency.observe(completion.duration_s)
        tokens_in.inc(completion.usage.input_tokens)
        tokens_out.inc(completion.usage.output_tokens)
        if completion.cost:
            cost.inc(float(completion.cost))
        if completion.prompt_name:
            self.prompt_uses[completion.prompt_name] += 1
        if completion.usage.estimated:
            self._estimated.labels(completion.model).inc()

    def failed(self, target: str, code: str) -> None:
        self._for_outcome(target, code).inc()

    def first_token(self, model: str, seconds: float) -> None:
        self._first.labels(model).observe(seconds)

    def attempt(self, endpoint: str, outcome: str) -> None:
        self._for_attempt(endpoint, outcome).inc()

    def text(self) -> bytes:
        """All series in Prometheus' text format."""
        return generate_latest(self.registry)
