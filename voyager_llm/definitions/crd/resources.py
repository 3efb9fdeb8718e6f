"""The four custom resources as the cluster knows them: names, columns, schema. `make gen` writes `crds/`.

Used by `scripts/generate.py`, `controller/` and the Kubernetes store; single objects are `manifests.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from voyager_llm.definitions.crd.schema import structural
from voyager_llm.definitions.crd.specs import (
    EvaluationSpec,
    EvaluationStatus,
    ModelSpec,
    ModelStatus,
    PromptSpec,
    PromptStatus,
    RouteSpec,
    RouteStatus,
)
from voyager_llm.domain.definition import Frozen, Kind

GROUP = "llm.voyager.io"
VERSION = "v1"
API_VERSION = f"{GROUP}/{VERSION}"

# Whoever really wants no model at all says so on the RayService.
ALLOW_EMPTY = f"{GROUP}/allow-empty"


@dataclass(frozen=True, slots=True)
class Column:
    """A column of `kubectl get`. ``priority`` 1: only with `-o wide`."""

    name: str
    path: str
    type: str = "string"
    priority: int = 0


@dataclass(frozen=True, slots=True)
class Resource:
    """One kind of custom resource."""

    definition: Kind
    kind: str
    plural: str
    short: str
    spec: type[Frozen]
    status: type[BaseModel]
    columns: tuple[Column, ...]
    selectable: tuple[str, ...]

    @property
    def singular(self) -> str:
        return self.kind.lower()

    def update_fault(self, old: Mapping[str, Any], new: Mapping[str, Any]) -> str:
        """What the rules between an object's old and new spec say against an update; empty: nothing."""
        if self.definition is Kind.MODEL and old["provider"] != new["provider"]:
            return "provider cannot be changed; make another ModelDefinition"
        if self.definition is Kind.PROMPT and old["version"] == new["version"] and old != new:
            return "a version's content cannot be changed; raise version"
        return ""


_READY = Column("Ready", '.status.conditions[?(@.type=="Ready")].status')
_REASON = Column("Reason", '.status.conditions[?(@.type=="Ready")].reason', priority=1)
_AGE = Column("Age", ".metadata.creationTimestamp", "date")

MODEL = Resource(
    Kind.MODEL, "ModelDefinition", "modeldefinitions", "mdef", ModelSpec, ModelStatus,
    (Column("Provider", ".spec.provider"), Column("Model", ".spec.model_name"),
     Column("Phase", ".status.phase"), Column("Availability", ".status.availability", "number"),
     Column("Latency-ms", ".status.average_latency_ms", "number"), _READY, _REASON, _AGE),
    (".spec.provider", ".spec.model_name"),
)  # fmt: skip
PROMPT = Resource(
    Kind.PROMPT, "PromptDefinition", "promptdefinitions", "pdef", PromptSpec, PromptStatus,
    (Column("Version", ".spec.version"), Column("Phase", ".status.phase"),
     Column("Used", ".status.usage_count", "integer"), _READY, _REASON, _AGE),
    (".spec.version",),
)  # fmt: skip
ROUTE = Resource(
    Kind.ROUTE, "RouteDefinition", "routedefinitions", "rdef", RouteSpec, RouteStatus,
    (Column("Policy", ".spec.policy"), Column("Targets", ".status.targets", "integer"),
     Column("Available", ".status.available_targets", "integer"), Column("Phase", ".status.phase"),
     _READY, _REASON, _AGE),
    (".spec.policy",),
)  # fmt: skip
EVALUATION = Resource(
    Kind.EVALUATION, "ModelEvaluation", "modelevaluations", "meval", EvaluationSpec, EvaluationStatus,
    (Column("Model", ".spec.model_ref.name"), Column("Prompt", ".spec.prompt_ref.name"),
     Column("Score", ".status.current_score", "number"), Column("Trend", ".status.trend"),
     Column("Suspended", ".spec.suspend", "boolean", 1), _READY, _REASON, _AGE),
    (".spec.model_ref.name", ".spec.prompt_ref.name"),
)  # fmt: skip

RESOURCES: tuple[Resource, ...] = (MODEL, PROMPT, ROUTE, EVALUATION)
BY_KIND: Mapping[Kind, Resource] = {resource.definition: resource for resource in RESOURCES}


def custom_resource_definition(resource: Resource) -> dict[str, Any]:
    """The CustomResourceDefinition of a kind."""
    schema = {
        "type": "object",
        "required": ["spec"],
        "properties": {
            "apiVersion": {"type": "string"},
            "kind": {"type": "string"},
            "metadata": {"type": "object"},
            "spec": structural(resource.spec),
            "status": structural(resource.status),
        },
    }
    version = {
        "name": VERSION,
        "served": True,
        "storage": True,
        "subresources": {"status": {}},
        "additionalPrinterColumns": [_column(column) for column in resource.columns],
        "selectableFields": [{"jsonPath": path} for path in resource.selectable],
        "schema": {"openAPIV3Schema": schema},
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{resource.plural}.{GROUP}"},
        "spec": {
            "group": GROUP,
            "scope": "Namespaced",
            "names": {
                "kind": resource.kind,
                "listKind": f"{resource.kind}List",
                "plural": resource.plural,
                "singular": resource.singular,
                "shortNames": [resource.short],
                "categories": ["llm", "voyager"],
            },
            "versions": [version],
        },
    }


def _column(column: Column) -> dict[str, Any]:
    shown: dict[str, Any] = {"name": column.name, "type": column.type, "jsonPath": column.path}
    return {**shown, "priority": column.priority} if column.priority else shown
