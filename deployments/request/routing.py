"""Which endpoints may answer a request, in which order: a decision in memory over the pinned snapshot.

It runs inside the ingress replica and costs no hop. `plan` is used by `pipeline.py`.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from deployments.request.endpoints import EndpointTable
from voyager_llm.domain.completion import CompletionRequest
from voyager_llm.domain.endpoint import Endpoint
from voyager_llm.domain.health import EndpointHealth
from voyager_llm.domain.operation import Operation
from voyager_llm.domain.parameters import unknown
from voyager_llm.domain.policies import ORDERS, Candidate
from voyager_llm.domain.prompt import ModelRequirements, PromptDefinition
from voyager_llm.domain.request import RequestContext
from voyager_llm.domain.route import RouteDefinition
from voyager_llm.errors import FailedPrecondition, NotFound, RateLimited, Unavailable
from voyager_llm.settings import Settings
from voyager_llm.snapshot import CompiledModel, RuntimeConfig


@dataclass(frozen=True, slots=True)
class Option:
    """An endpoint that may be tried, what it would be asked for, and its health for that."""

    model: CompiledModel
    endpoint: Endpoint
    operation: Operation
    health: EndpointHealth


@dataclass(frozen=True, slots=True)
class Plan:
    """How to answer one request: options in order of preference, and the limits."""

    options: tuple[Option, ...]
    # Monotonic seconds.
    deadline: float
    max_attempts: int
    larger_context: tuple[Option, ...] = ()
    other_policy: tuple[Option, ...] = ()
    # Seconds after which a second attempt starts beside the first; 0: never.
    hedge_after_s: float = 0.0
    # Whether a call is made once at most.
    once: bool = False


class Routing:
    """Plans requests. Keeps nothing but the limits and a source of chance."""

    def __init__(self, endpoints: EndpointTable, settings: Settings) -> None:
        self._endpoints = endpoints
        self._settings = settings
        self._random = random.Random()

    def plan(
        self,
        config: RuntimeConfig,
        request: CompletionRequest,
        ctx: RequestContext,
        prompt: PromptDefinition | None,
        now: float,
    ) -> Plan:
        """Raises `NotFound` for an unknown destination, `FailedPrecondition` when no model fits the
        prompt, `InvalidArgument` for a parameter that none allows and for what none can be asked,
        `Unavailable` or `RateLimited` when none admits a call now."""
        require = prompt.model_requirements if prompt is not None else None
        named = config.destination(request.destination) if request.destination else None
        if isinstance(named, RouteDefinition):
            return self._of_route(config, named, request, ctx, require, now)
        if named is not None:
            models = [named]
            _refuse_unfit(named, require)
        else:
            models = self._fitting(config, require)
        return Plan(
            options=self._admitted(_taking(models, request), request, now),
            deadline=ctx.deadline or now + self._settings.request_timeout_s,
            max_attempts=self._settings.max_attempts,
            once=request.once,
        )

    def _of_route(
        self,
        config: RuntimeConfig,
        route: RouteDefinition,
        request: CompletionRequest,
        ctx: RequestContext,
        require: ModelRequirements | None,
        now: float,
    ) -> Plan:
        weights = {target.model: target.weight for target in route.targets}
        # A cluster may delete a model that a route still names: the others go on.
        chosen = _taking(config.known(weights), request)
        fitting = [m for m in chosen if m.satisfies(route.require) and (not require or m.satisfies(require))]
        if not fitting:
            raise FailedPrecondition(f"no target of route {route.name} offers what is required", "model")
        ordered = self._ordered(fitting, weights, route, request.operation, ctx.session, now)
        spare = [m for m in config.known(route.fallbacks) if m.takes(request.further)]
        options = self._admitted([*ordered, *spare], request, now)
        timeout_s = route.timeout_ms / 1000 or self._settings.request_timeout_s
        return Plan(
            options=options,
            deadline=ctx.deadline or now + timeout_s,
            max_attempts=route.max_attempts or max(self._settings.max_attempts, len(options)),
            larger_context=self._chain(config, route.context_window_fallbacks, request, now),
            other_policy=self._chain(config, route.content_policy_fallbacks, request, now),
            hedge_after_s=route.hedging.delay_ms / 1000 if route.hedging else 0.0,
        )

    def _ordered(
        self,
        models: Sequence[CompiledModel],
        weights: dict[str, float],
        route: RouteDefinition,
        operation: Operation,
        session: str,
        now: float,
    ) -> list[CompiledModel]:
        """By the route's policy; one alone needs none."""
        if len(models) == 1:
            return list(models)
        healths = {m.name: [self._endpoints.health(e, operation) for e in m.endpoints] for m in models}
        # A policy chooses among those that can answer: the others would take their share of the traffic.
        live = [m for m in models if any(h.admits(now) and not h.is_suspect(now) for h in healths[m.name])]
        by_name = {model.name: model for model in models}
        candidates = [
            Candidate(
                name=model.name,
                weight=weights[model.name],
                in_flight=sum(health.in_flight for health in healths[model.name]),
                load=min(health.load(now) for health in healths[model.name]),
                price=_per_token(model),
            )
            for model in live or models
        ]
        chosen = [by_name[c.name] for c in ORDERS[route.policy](candidates, session, self._random)]
        return chosen + [model for model in models if live and model not in live]

    def _fitting(self, config: RuntimeConfig, require: ModelRequirements | None) -> list[CompiledModel]:
        """Models that satisfy a prompt named without a model: the cheapest known price first."""
        needs = require or ModelRequirements()
        fitting = [model for model in config.models.values() if model.satisfies(needs)]
        if not fitting:
            raise FailedPrecondition("no model offers what the prompt requires", "model")
        fitting.sort(key=lambda m: (not m.has_price, _per_token(m)))
        return fitting[: self._settings.max_attempts]

    def _admitted(
        self, models: Iterable[CompiledModel], request: CompletionRequest, now: float
    ) -> tuple[Option, ...]:
        """The endpoints that may be asked, suspects last."""
        options: list[Option] = []
        suspects: list[Option] = []
        refused: list[EndpointHealth] = []
        for option in self._options(models, request):
            health = option.health
            if not health.admits(now):
                refused.append(health)
            elif health.is_suspect(now):
                suspects.append(option)
            else:
                options.append(option)
        if options or suspects:
            return (*options, *suspects)
        if not refused and request.endpoint:
            raise NotFound("the endpoint whose account holds this is no longer one of the model's", "id")
        if not refused and (obstacle := request.obstacle()) is not None:
            raise obstacle
        raise _refusal(refused, now)

    def _chain(
        self, config: RuntimeConfig, names: Iterable[str], request: CompletionRequest, now: float
    ) -> tuple[Option, ...]:
        models = (model for model in config.known(names) if model.takes(request.further))
        options = self._options(models, request)
        return tuple(option for option in options if option.health.admits(now))

    def _options(self, models: Iterable[CompiledModel], request: CompletionRequest) -> Iterable[Option]:
        for model in models:
            for endpoint in model.endpoints:
                if request.endpoint not in ("", endpoint.key):
                    continue
                operation = _asked(endpoint, request)
                if operation is not None:
                    yield Option(model, endpoint, operation, self._endpoints.health(endpoint, operation))


def _asked(endpoint: Endpoint, request: CompletionRequest) -> Operation | None:
    """What the client asked in its own words, where the endpoint speaks them; None: it cannot be asked."""
    original = request.original
    if original is not None and endpoint.speaks(original.operation):
        return original.operation
    return request.operation if request.obstacle() is None else None


def _per_token(model: CompiledModel) -> Decimal:
    """What models are compared by: a token of input and one of output."""
    price = model.current_price
    return price.input + price.output


def _refusal(refused: Sequence[EndpointHealth], now: float) -> RateLimited | Unavailable:
    wait = max(min((health.wait(now) for health in refused), default=1.0), 0.1)
    if all(health.cooldown_until > now for health in refused):
        return RateLimited("the provider asked to wait", "", wait)
    reason = next((health.message for health in refused if health.message), "it failed repeatedly")
    return Unavailable(f"no endpoint of the model is available: {reason}", "", wait)


def _taking(models: Sequence[CompiledModel], request: CompletionRequest) -> list[CompiledModel]:
    """Those that allow the parameters which no table knows. Raises `InvalidArgument` when none does."""
    taking = [model for model in models if model.takes(request.further)]
    if models and not taking:
        raise unknown(request.operation, min(request.further))
    return taking


def _refuse_unfit(model: CompiledModel, require: ModelRequirements | None) -> None:
    if require is not None and not model.satisfies(require):
        raise FailedPrecondition(f"model {model.name} does not offer what the prompt requires", "model")
