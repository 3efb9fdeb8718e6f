"""Conditions of a custom resource: Kubernetes' `metav1.Condition`, and the types and reasons we use.

A phase is derived from conditions, never stored beside them. Used by the status models here and written by
`controller/status.py`.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Timestamp = Annotated[str, Field(json_schema_extra={"format": "date-time"}, max_length=64)]


class ConditionType(StrEnum):
    """What a condition is about."""

    ACCEPTED = "Accepted"  # the spec is valid and part of the configuration
    RESOLVED_REFS = "ResolvedRefs"  # what it refers to exists
    PROGRAMMED = "Programmed"  # every replica reports the configuration that holds it
    AVAILABLE = "Available"  # traffic or probes reach an endpoint
    MODELS_AVAILABLE = "ModelsAvailable"  # some available model offers what the prompt requires
    ALIASES_GRANTED = "AliasesGranted"  # requests may call it by all of its aliases
    ROTATION_DUE = "RotationDue"  # the key is older than its policy allows
    PROGRESSING = "Progressing"  # an evaluation runs
    THRESHOLD_MET = "ThresholdMet"  # the last score reached minimum_score
    SUSPENDED = "Suspended"  # no run starts by schedule
    READY = "Ready"  # all that matters is well


class Reason(StrEnum):
    """Why a condition is as it is. Part of the API: alerts match on these."""

    ACCEPTED = "Accepted"
    INVALID = "Invalid"
    NAME_TAKEN = "NameTaken"
    GRANTED = "Granted"
    TOO_LARGE = "ConfigurationTooLarge"
    RESOLVED = "Resolved"
    MODEL_NOT_FOUND = "ModelNotFound"
    PROMPT_NOT_FOUND = "PromptNotFound"
    SECRET_NOT_FOUND = "SecretNotFound"  # noqa: S105
    PROGRAMMED = "Programmed"
    PENDING = "Pending"
    PUBLISH_CONFLICT = "PublishConflict"
    PUBLISH_FAILED = "PublishFailed"
    PUBLICATION_UNREADABLE = "PublicationUnreadable"
    SHRINK_REFUSED = "ShrinkToZeroRefused"
    HEALTHY = "Healthy"
    DEGRADED = "Degraded"
    UNHEALTHY = "Unhealthy"
    NO_TRAFFIC = "NoTraffic"
    FITTING_MODEL = "FittingModel"
    NO_FITTING_MODEL = "NoFittingModel"
    KEY_FRESH = "KeyFresh"
    KEY_OLD = "KeyOlderThanPolicy"
    SUSPENDED = "Suspended"
    SCHEDULED = "Scheduled"
    NOT_RUN = "NotRun"
    MINIMUM_REACHED = "MinimumReached"
    BELOW_MINIMUM = "BelowMinimum"
    READY = "Ready"


class Condition(BaseModel):
    """One aspect of a resource's state, in Kubernetes' standard form."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    type: Annotated[str, Field(max_length=316, pattern=r"^[A-Za-z]([A-Za-z0-9./_-]*[A-Za-z0-9])?$")]
    status: Literal["True", "False", "Unknown"]
    reason: Annotated[
        str, Field(min_length=1, max_length=1024, pattern=r"^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$")
    ]
    message: Annotated[str, Field(max_length=32768)]
    lastTransitionTime: Timestamp
    observedGeneration: Annotated[int, Field(ge=0)] | None = None


# Conditions by type: the server refuses two of one type, and merges by it.
Conditions = Annotated[
    tuple[Condition, ...],
    Field(
        max_length=16,
        json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"]},
    ),
]
