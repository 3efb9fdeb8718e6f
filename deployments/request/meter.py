"""Prometheus metrics of one replica. Counting is a few dictionary look-ups; nothing is written.

Names stand in `voyager_llm/telemetry.py`. An observer of `accounts.py`; `/metrics` shows them.
"""

from __future__ import annotations

from collections import Counter
from functools import lru_cache

import prometheus_client as prometheus
from prometheus_client import CollectorRegistry, Gauge, Histogram
from prometheus_client.exposition import generate_latest

from deployments.request.endpoint_series import EndpointSeries
from deployments.request.endpoints import EndpointTable
from voyager_llm import telemetry as names
from voyager_llm.clock import Clock
from voyager_llm.domain.completion import Account
from voyager_llm.domain.request import RequestContext
from voyager_llm.domain.usage import UNITS

# A time beside each counter would double the series, and says what nobody asks.
prometheus.disable_created_metrics()

_LATENCY_BUCKETS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120)
_OF = ["route", "model"]


class Meter:
    """Counts completions and attempts, each by route *and* model; either may be empty."""

    def __init__(self, endpoints: EndpointTable, clock: Clock) -> None:
        self.registry = CollectorRegistry()
        self.registry.register(EndpointSeries(endpoints, clock))
        on = self.registry
        self._completions = prometheus.Counter(
            names.COMPLETIONS, "Completions by outcome.", [*_OF, "outcome"], registry=on
        )
        self._latency = Histogram(
            names.DURATION, "Time of a completion.", _OF, buckets=_LATENCY_BUCKETS, registry=on
        )
        self._first = Histogram(
            names.TIME_TO_FIRST, "Time to the first token of a stream.", _OF,
            buckets=_LATENCY_BUCKETS, registry=on,
        )  # fmt: skip
        self._tokens = prometheus.Counter(
            names.TOKENS, "Tokens by direction.", [*_OF, "direction"], registry=on
        )
        self._units = prometheus.Counter(
            names.UNITS, "What is paid for beside tokens, such as images and seconds of sound.",
            [*_OF, "unit"], registry=on,
        )  # fmt: skip
        self._cost = prometheus.Counter(names.COST, "Cost in the model's currency.", _OF, registry=on)
        self._estimated = prometheus.Counter(
            names.ESTIMATED, "Completions whose provider reported no usage.", _OF, registry=on
        )
        self._attempts = prometheus.Counter(
            names.ATTEMPTS, "Provider calls by reason (first, repeat, fallback, hedge) and outcome.",
            ["route", "endpoint", "reason", "outcome"], registry=on,
        )  # fmt: skip
        self._refusals = prometheus.Counter(
            names.REFUSALS, "Completions that were sent nowhere, by the error's code.", [*_OF, "outcome"],
            registry=on,
        )  # fmt: skip
        self._prompts = prometheus.Counter(
            names.PROMPTS, "Answered completions by prompt.", ["prompt"], registry=on
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
        self, route: str, model: str
    ) -> tuple[Histogram, prometheus.Counter, prometheus.Counter, prometheus.Counter]:
        return (
            self._latency.labels(route, model),
            self._tokens.labels(route, model, "input"),
            self._tokens.labels(route, model, "output"),
            self._cost.labels(route, model),
        )

    def ended(self, ctx: RequestContext, account: Account) -> None:
        """A request is over."""
        route, model = account.route, account.model
        self._for_outcome(route, model, account.outcome).inc()
        for tried in account.attempts:
            self._for_attempt(route, tried.endpoint, tried.reason, tried.outcome).inc()
        if not account.attempts and account.outcome != "cancelled":
            self._refusals.labels(route, model, account.outcome).inc()
        if not account.model_used:
            return  # nobody answered
        latency, tokens_in, tokens_out, cost = self._for_model(route, model)
        latency.observe(account.duration_s)
        tokens_in.inc(account.usage.input_tokens)
        tokens_out.inc(account.usage.output_tokens)
        for unit in UNITS:
            if units := getattr(account.usage, unit):
                self._units.labels(route, model, unit).inc(units)
        if account.cost:
            cost.inc(float(account.cost))
        if account.first_block_s:
            self._first.labels(route, model).observe(account.first_block_s)
        if account.prompt_name:
            self.prompt_uses[account.prompt_name] += 1
            self._prompts.labels(account.prompt_name).inc()
        if account.usage.estimated:
            self._estimated.labels(route, model).inc()

    def text(self) -> bytes:
        """All series in Prometheus' text format."""
        return generate_latest(self.registry)
