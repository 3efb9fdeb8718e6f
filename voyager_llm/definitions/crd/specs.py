"""What a person writes under `spec`, and what the controller writes under `status`, of each resource.

A spec is the definition of `voyager_llm/domain/` without its name, which Kubernetes' metadata gives, and
with the rules that hold in a cluster alone. Fields of a status are the specification's, and those every
Kubernetes resource has. Used by `resources.py` and `controller/`.
"""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema, model_validator

from voyager_llm.definitions.crd.conditions import Conditions, Timestamp
from voyager_llm.definitions.crd.rules import OPEN_PROVIDERS
from voyager_llm.domain.evaluation import EvaluationFields, Metric
from voyager_llm.domain.model import ModelFields
from voyager_llm.domain.prompt import PromptFields, PromptParameter
from voyager_llm.domain.route import RouteFields, RouteTarget

# A list that the server keeps unique by name, and merges by it.
_ByName = Field(json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"]})

_ByModel = Field(json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["model"]})

_IntOrString = WithJsonSchema({"x-kubernetes-int-or-string": True})


class ModelSpec(ModelFields):
    """Spec of a ModelDefinition."""

    @model_validator(mode="after")
    def _hosted_needs_https(self) -> Self:
        urls = (self.endpoints.primary, self.endpoints.backup)
        if self.provider not in OPEN_PROVIDERS and any(url.startswith("http:") for url in urls):
            raise ValueError(f"endpoints must use https when provider is {self.provider}")
        return self


class Parameter(PromptParameter):
    """A prompt's parameter. CEL cannot compare values of any type, so ``default`` and ``enum`` are
    integers or strings, and other types are written as JSON text: ``"0.5"``, ``"true"``, ``"[]"``."""

    default: Annotated[Any, _IntOrString] = None
    enum: tuple[Annotated[Any, _IntOrString], ...] = Field(default=(), max_length=256)

    @model_validator(mode="before")
    @classmethod
    def _read_text(cls, given: Any) -> Any:
        if not isinstance(given, dict):
            return given
        kind = given.get("type", "string")
        fields: dict[str, Any] = dict(given)
        if "default" in fields:
            fields["default"] = _value(fields["default"], kind)
        if isinstance(fields.get("enum"), list):
            fields["enum"] = [_value(value, kind) for value in fields["enum"]]
        return fields


class PromptSpec(PromptFields):
    """Spec of a PromptDefinition. Metadata's name is what refers to it; ``name`` is an alias beside it."""

    name: Annotated[str, Field(max_length=253)] = ""
    parameters: Annotated[tuple[Parameter, ...], _ByName] = Field(  # pyright: ignore[reportIncompatibleVariableOverride] -- frozen
        default=(), max_length=128
    )


class EvaluationSpec(EvaluationFields):
    """Spec of a ModelEvaluation."""

    metrics: Annotated[tuple[Metric, ...], _ByName] = Field(min_length=1, max_length=64)


class RouteSpec(RouteFields):
    """Spec of a RouteDefinition."""

    targets: Annotated[tuple[RouteTarget, ...], _ByModel] = Field(min_length=1, max_length=256)


class _Status(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    observedGeneration: Annotated[int, Field(ge=0)] | None = None
    conditions: Conditions = ()


class KeyStatus(BaseModel):
    """Of the secret that `authentication.secret_ref` names: how old it is, never what it holds."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    last_rotated: Timestamp | None = None
    age_days: Annotated[int, Field(ge=0)] | None = None


class ModelStatus(_Status):
    """Status of a ModelDefinition: measured by the data plane's traffic and probes."""

    phase: Literal["Pending", "Ready", "Degraded", "Unavailable", "Invalid"] | None = None
    last_health_check: Timestamp | None = None
    # Percentage of recent attempts that succeeded.
    availability: Annotated[float, Field(ge=0, le=100)] | None = None
    average_latency_ms: Annotated[float, Field(ge=0)] | None = None
    key: KeyStatus | None = None


class PromptStatus(_Status):
    """Status of a PromptDefinition."""

    phase: Literal["Pending", "Ready", "Degraded", "Invalid"] | None = None
    # The version that is served.
    version: Annotated[str, Field(max_length=64)] | None = None
    usage_count: Annotated[int, Field(ge=0)] | None = None
    average_rating: Annotated[float, Field(ge=0, le=5)] | None = None
    last_updated: Timestamp | None = None


class RouteStatus(_Status):
    """Status of a RouteDefinition."""

    phase: Literal["Pending", "Ready", "Degraded", "Unavailable", "Invalid"] | None = None
    targets: Annotated[int, Field(ge=0)] | None = None
    # Those that traffic or probes reach.
    available_targets: Annotated[int, Field(ge=0)] | None = None


class EvaluationStatus(_Status):
    """Status of a ModelEvaluation."""

    phase: Literal["Pending", "Ready", "Suspended", "Invalid"] | None = None
    last_evaluation: Timestamp | None = None
    current_score: Annotated[float, Field(ge=0, le=1)] | None = None
    trend: Literal["improving", "stable", "declining"] | None = None
    evaluations_run: Annotated[int, Field(ge=0)] | None = None
    issues: tuple[Annotated[str, Field(max_length=1024)], ...] = Field(default=(), max_length=100)


def _value(given: Any, kind: Any) -> Any:
    """A default or enum value as the domain has it. Raises `ValueError`."""
    integer = isinstance(given, int) and not isinstance(given, bool)
    if isinstance(given, bool) or not isinstance(given, (int, str)):
        raise ValueError("must be an integer or a string; write other types as JSON text")
    if kind != "enum" and (kind == "integer") != integer:
        raise ValueError(
            "default must be an integer when type is integer, else a string; write other types as JSON text"
        )
    if isinstance(given, int) or kind in ("string", "enum"):
        return given
    try:
        return json.loads(given)
    except ValueError:
        raise ValueError(f"{given!r} is no JSON") from None


def written_value(value: Any) -> int | str:
    """A default or enum value as a manifest has it: the reverse of reading one."""
    if isinstance(value, str) or (isinstance(value, int) and not isinstance(value, bool)):
        return value
    return json.dumps(value, ensure_ascii=False)
