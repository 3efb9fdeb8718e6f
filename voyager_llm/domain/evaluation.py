"""An evaluation: how a model and a prompt are scored, on what, and when.

Fields are the specification's ModelEvaluation. Stored here; run by `evals/`.
"""

from __future__ import annotations

import re
from typing import Annotated, Literal, Self
from zoneinfo import available_timezones

from pydantic import Field, field_validator, model_validator

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
    measurement: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,63}$", max_length=64)]


class TestDataset(Frozen):
    __test__ = False  # no test class, whatever pytest makes of its name

    source: Annotated[str, Field(min_length=1, max_length=253)]
    size: Annotated[int, Field(ge=0, le=10_000_000)] = 0
    path: Annotated[str, Field(max_length=4096)] = ""


_TIME = re.compile(r"^([01][0-9]|2[0-3]):[0-5][0-9]$")
_CRON = re.compile(r"^[0-9*/,-]+( [0-9A-Za-z*/,-]+){4}$")


class Schedule(Frozen):
    """When an evaluation runs by itself: every ``frequency`` at ``time``, or by ``cron``."""

    frequency: Literal["hourly", "daily", "weekly", "monthly"] | None = None
    time: Annotated[str, Field(max_length=5)] = "00:00"
    # Five fields, as of crontab(5); instead of frequency and time.
    cron: Annotated[str, Field(max_length=128)] = ""
    # IANA name; empty: UTC.
    time_zone: Annotated[str, Field(max_length=64)] = ""

    @field_validator("time")
    @classmethod
    def _is_time(cls, value: str) -> str:
        if not _TIME.match(value):
            raise ValueError("must be HH:MM, from 00:00 to 23:59")
        return value

    @field_validator("cron")
    @classmethod
    def _is_cron(cls, value: str) -> str:
        if value and not _CRON.match(value):
            raise ValueError("must have the five fields of a cron schedule, e.g. 0 2 * * *")
        return value

    @field_validator("time_zone")
    @classmethod
    def _is_time_zone(cls, value: str) -> str:
        if value and value not in available_timezones():
            raise ValueError(f"{value!r} is no time zone; use an IANA name, e.g. Europe/Berlin")
        return value

    @model_validator(mode="after")
    def _one_of_both(self) -> Schedule:
        if bool(self.frequency) == bool(self.cron):
            raise ValueError("give either frequency (with time) or cron")
        return self


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


class EvaluationFields(Frozen):
    """What an evaluation consists of, whoever gives it its name."""

    model_ref: ModelReference
    prompt_ref: PromptReference
    evaluation_type: Literal["automated", "manual"] = "automated"
    metrics: tuple[Metric, ...] = Field(min_length=1, max_length=64)
    test_dataset: TestDataset | None = None
    schedule: Schedule | None = None
    thresholds: Thresholds = Thresholds()
    # No run starts by its schedule while this is set.
    suspend: bool = False
    # What a run does whose predecessor still goes on.
    concurrency_policy: Literal["allow", "forbid", "replace"] = "forbid"
    # Finished runs that are kept.
    successful_runs_history_limit: Annotated[int, Field(ge=0, le=1000)] = 10
    failed_runs_history_limit: Annotated[int, Field(ge=0, le=1000)] = 5
    # Of one run.
    timeout_seconds: Annotated[int, Field(ge=1, le=604_800)] = 3600

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        total = sum(metric.weight for metric in self.metrics)
        if abs(total - 1.0) > 1e-6:
            raise ValueError("metric weights must sum to 1")
        names = [metric.name for metric in self.metrics]
        if len(names) != len(set(names)):
            raise ValueError("metric names must be unique")
        return self


class EvaluationDefinition(EvaluationFields):
    """One evaluation under a name of ours."""

    name: Name
