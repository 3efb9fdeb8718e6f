"""The routing stage: which models may answer a request, in which order, and how they fare.

A decision in memory over the pinned snapshot, so it runs inside the ingress replica and costs no hop.
Used by `pipeline.py`; health is fed by `attempts.py` and `prober.py`.
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from voyager_llm.domain.completion import CompletionRequest
from voyager_llm.domain.endpoint import Endpoint
from voyager_llm.domain.health import EndpointHealth
from voyager_llm.domain.parameters import unknown
from voyager_llm.domain.policies import ORDERS, Candidate
from voyager_llm.domain.prompt import ModelRequirements, PromptDefinition
from voyager_llm.domain.route import Policy, RouteDefinition
from voyager_llm.errors import FailedPrecondition, RateLimited, Unavailable
from voyager_llm.settings import Settings
from voyager_llm.snapshot import CompiledModel, RuntimeConfig


@dataclass(frozen=True, slots=True)
class Option:
    """An endpoint that may be tried."""

    model: CompiledModel
    endpoint: Endpoint


@dataclass(frozen=True, slots=True)
class Plan:
    """How to answer one request: options in order of preference, and the limits."""

    options: tuple[Option, ...]
    larger_context: tuple[Option, ...]
    other_policy: tuple[Option, ...]
    timeout_s: float
    max_attempts: int
    # Seconds after which a second attempt starts beside the first; 0: never.
    hedge_after_s: float


class Router:
    """Plans requests, and keeps the health of every endpoint as this replica sees it."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._health: dict[str, EndpointHealth] = {}
        self._random = random.Random()

    def health(self, endpoint: Endpoint) -> EndpointHealth:
        found = self._health.get(endpoint.key)
        if found is None:
            found = self._health[endpoint.key] = EndpointHealth()
        return found

    def forget(self, config: RuntimeConfig, changed: Iterable[str]) -> None:
        """Drop the health of endpoints that the ``changed`` models no longer have."""
        for name in changed:
            model = config.models.get(name)
            known = {endpoint.key for endpoint in model.endpoints} if model is not None else set[str]()
            for key in (name, f"{name}#backup"):
                if key not in known:
                    self._health.pop(key, None)

    def plan(
        self, config: RuntimeConfig, request: CompletionRequest, prompt: PromptDefinition | None
    ) -> Plan:
        """Raises `NotFound` for an unknown endpoint, `FailedPrecondition` when no model fits the
        prompt, `InvalidArgument` for a parameter that none allows, `Unavailable` or `RateLimited` when none
        admits a call now."""
        now = time.monotonic()
        require = prompt.model_requirements if prompt is not None else None
        route = config.routes.get(request.destination)
        if route is not None:
            return self._route_plan(config, route, request, require, now)
        if request.destination:
            models = [config.model(request.destination)]
            _refuse_unfit(models, require, request.destination)
        else:
            models = self._fitting(config, require)
        models = _taking(models, request)
        return Plan(
            options=self._admitted(models, now),
            larger_context=(),
            other_policy=(),
            timeout_s=request.timeout_s or self._settings.request_timeout_s,
            max_attempts=self._settings.max_attempts,
            hedge_after_s=0.0,
        )

    def _route_plan(
        self,
        config: RuntimeConfig,
        route: RouteDefinition,
        request: CompletionRequest,
        require: ModelRequirements | None,
        now: float,
    ) -> Plan:
        weights = {target.model: target.weight for target in route.targets}
        # A cluster may delete a model that a route still names: the others go on.
        chosen = _taking(config.known(weights), request)
        fitting = [m for m in chosen if m.satisfies(route.require) and (not require or m.satisfies(require))]
        if not fitting:
            raise FailedPrecondition(f"no target of route {route.name} offers what is required", "model")
        live = [m for m in fitting if any(self.health(t).admits(now) for t in m.endpoints)] or fitting
        ordered = self._ordered(live, weights, route.policy, request.session, now)
        spare = [m for m in config.known(route.fallbacks) if m.takes(request.further)]
        options = self._admitted([*ordered, *spare], now)
        return Plan(
            options=options,
            larger_context=self._spare(config, route.context_window_fallbacks, request, now),
            other_policy=self._spare(config, route.content_policy_fallbacks, request, now),
            timeout_s=request.timeout_s or route.timeout_ms / 1000 or self._settings.request_timeout_s,
            max_attempts=route.max_attempts or max(self._settings.max_attempts, len(options)),
            hedge_after_s=route.hedging.delay_ms / 1000 if route.hedging else 0.0,
        )

    def _ordered(
        self,
        models: Sequence[CompiledModel],
        weights: dict[str, float],
        policy: Policy,
        session: str,
        now: float,
    ) -> list[CompiledModel]:
        if len(models) == 1:
            return list(models)
        by_name = {model.name: model for model in models}
        candidates = [
            Candidate(
                name=model.name,
                weight=weights.get(model.name, 1.0),
                in_flight=sum(self.health(endpoint).in_flight for endpoint in model.endpoints),
                load=min(self.health(endpoint).load(now) for endpoint in model.endpoints),
                price=model.price.input + model.price.output,
            )
            for model in models
        ]
        return [by_name[c.name] for c in ORDERS[policy](candidates, session, self._random)]

    def _fitting(self, config: RuntimeConfig, require: ModelRequirements | None) -> list[CompiledModel]:
        """Models that satisfy a prompt named without a model: the cheapest known price first."""
        needs = require or ModelRequirements()
        fitting = [model for model in config.models.values() if model.satisfies(needs)]
        if not fitting:
            raise FailedPrecondition("no model offers what the prompt requires", "model")
        fitting.sort(key=lambda m: (not m.has_price, m.price.input + m.price.output))
        return fitting[: self._settings.max_attempts]

    def _admitted(self, models: Iterable[CompiledModel], now: float) -> tuple[Option, ...]:
        options: list[Option] = []
        refused: list[EndpointHealth] = []
        for model in models:
            for endpoint in model.endpoints:
                health = self.health(endpoint)
                if health.admits(now):
                    options.append(Option(model, endpoint))
                else:
                    refused.append(health)
        if options:
            return tuple(options)
        wait = max(min((health.wait(now) for health in refused), default=1.0), 0.1)
        if all(health.cooldown_until > now for health in refused):
            raise RateLimited("the provider asked to wait", "", wait)
        reason = next((health.message for health in refused if health.message), "it failed repeatedly")
        raise Unavailable(f"no endpoint of the model is available: {reason}", "", wait)

    def _spare(
        self, config: RuntimeConfig, names: Iterable[str], request: CompletionRequest, now: float
    ) -> tuple[Option, ...]:
        return tuple(
            Option(model, endpoint)
            for model in config.known(names)
            if model.takes(request.further)
            for endpoint in model.endpoints
            if self.health(endpoint).admits(now)
        )


def _taking(models: Sequence[CompiledModel], request: CompletionRequest) -> list[CompiledModel]:
    """Those that allow the parameters which no table knows. Raises `InvalidArgument` when none does."""
    taking = [model for model in models if model.takes(request.further)]
    if models and not taking:
        raise unknown(request.operation, min(request.further))
    return taking


def _refuse_unfit(models: Sequence[CompiledModel], require: ModelRequirements | None, name: str) -> None:
    if require is not None and not any(model.satisfies(require) for model in models):
        raise FailedPrecondition(f"model {name} does not offer what the prompt requires", "model")
