"""An evaluation: how a model and a prompt are scored, on what, and when.

Fields are the specification's ModelEvaluation. Stored here; run by `evals/`.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from voyager_llm.domain.definition import Frozen, Name

Score = Annotated[float, Field(ge=0, le=1)]


class ModelReference(Frozen):
    name: Name


class PromptReference(Frozen):
    """``version`` empty: the current one."""

    name: Name
    version: str = Field(default="", max_length=64)


class Metric(Frozen):
    """One aspect of quality; ``measurement`` names the function that measures it."""

    name: Annotated[str, Field(min_length=1, max_length=64)]
    weight: Annotated[float, Field(gt=0, le=1)]
    measurement: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,63}$")]


class TestDataset(Frozen):
    __test__ = False  # no test class, whatever pytest makes of its name

    source: Annotated[str, Field(min_length=1, max_length=253)]
    size: Annotated[int, Field(ge=0, le=10_000_000)] = 0
    path: Annotated[str, Field(max_length=4096)] = ""


class Schedule(Frozen):
    frequency: Literal["hourly", "daily", "weekly", "monthly"]
    time: Annotated[str, Field(pattern=r"^([01]\d|2[0-3]):[0-5]\d$")] = "00:00"


class Thresholds(Frozen):
    """Scores under ``minimum_score`` fail, under ``warning_score`` warn."""

    minimum_score: Score = 0.0
    warning_score: Score = 0.0
    target_score: Score = 1.0

    @model_validator(mode="after")
    def _ordered(self) -> Thresholds:
        if not self.minimum_score <= self.warning_score <= self.target_score:
            raise ValueError("must be ordered: minimum_score <= warning_score <= target_score")
        return self


class EvaluationDefinition(Frozen):
    name: Name
    model_ref: ModelReference
    prompt_ref: PromptReference
    evaluation_type: Literal["automated", "manual"] = "automated"
    metrics: tuple[Metric, ...] = Field(min_length=1, max_length=64)
    test_dataset: TestDataset | None = None
    schedule: Schedule | None = None
    thresholds: Thresholds = Thresholds()

    @model_validator(mode="after")
    def _weights_sum_to_one(self) -> EvaluationDefinition:
        total = sum(metric.weight for metric in self.metrics)
        if abs(total - 1.0) > 1e-6:
            raise ValueError(f"metric weights must sum to 1, not {total:g}")
        return self
