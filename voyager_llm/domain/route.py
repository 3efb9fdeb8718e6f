"""A route: a name that stands for several models, with a policy and fallbacks.

Used by the store, the compiler and the codecs.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Self

from pydantic import Field, model_validator

from voyager_llm.domain.alias import Aliases
from voyager_llm.domain.definition import Frozen, Name
from voyager_llm.domain.prompt import ModelRequirements


class Policy(StrEnum):
    """How a target is chosen among those that can answer."""

    WEIGHTED = "weighted"
    LEAST_IN_FLIGHT = "least_in_flight"
    PEAK_EWMA = "peak_ewma"
    CHEAPEST = "cheapest"
    STICKY = "sticky"


class RouteTarget(Frozen):
    """A model and its share of the traffic."""

    model: Name
    weight: Annotated[float, Field(gt=0, le=1_000_000)] = 1.0


class Hedging(Frozen):
    """A second attempt starts beside the first when it has not answered after ``delay_ms``."""

    delay_ms: Annotated[int, Field(ge=1, le=600_000)]


class RouteFields(Frozen):
    """What a route consists of, whoever gives it its name: weighted targets, fallbacks for each cause, and
    the limits of one request."""

    targets: tuple[RouteTarget, ...] = Field(min_length=1, max_length=256)
    fallbacks: tuple[Name, ...] = Field(default=(), max_length=32)
    context_window_fallbacks: tuple[Name, ...] = Field(default=(), max_length=32)
    content_policy_fallbacks: tuple[Name, ...] = Field(default=(), max_length=32)
    policy: Policy = Policy.WEIGHTED
    require: ModelRequirements = ModelRequirements()
    timeout_ms: Annotated[int, Field(ge=0, le=3_600_000)] = 0
    max_attempts: Annotated[int, Field(ge=0, le=16)] = 0
    hedging: Hedging | None = None
    aliases: Aliases = ()

    @model_validator(mode="after")
    def _targets_differ(self) -> Self:
        names = [target.model for target in self.targets]
        if len(names) != len(set(names)):
            raise ValueError("targets must name different models")
        return self

    def references(self) -> set[str]:
        """Names of the models that the route needs."""
        return {target.model for target in self.targets} | {
            *self.fallbacks,
            *self.context_window_fallbacks,
            *self.content_policy_fallbacks,
        }


class RouteDefinition(RouteFields):
    """A route under a name of ours."""

    name: Name
