"""Between an object of the cluster and the definition that it stands for.

Used by `controller/` and by the Kubernetes store.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from voyager_llm.definitions.crd.resources import API_VERSION, BY_KIND, GROUP, Resource
from voyager_llm.definitions.crd.specs import PromptSpec, written_value
from voyager_llm.domain.alias import with_another
from voyager_llm.domain.definition import Frozen, Kind, document, parse
from voyager_llm.domain.evaluation import EvaluationDefinition
from voyager_llm.domain.model import ModelDefinition
from voyager_llm.domain.prompt import PromptDefinition
from voyager_llm.domain.route import RouteDefinition

# On a resource that the API wrote: who asked for it, and under which name, where Kubernetes allows no such.
AUTHOR = f"{GROUP}/author"
NAME = f"{GROUP}/name"
# The field manager of what the API writes.
API_MANAGER = "voyager-llm-api"

_DEFINITIONS: Mapping[Kind, type[Frozen]] = {
    Kind.MODEL: ModelDefinition,
    Kind.PROMPT: PromptDefinition,
    Kind.ROUTE: RouteDefinition,
    Kind.EVALUATION: EvaluationDefinition,
}


def definition_of(resource: Resource, manifest: Mapping[str, Any]) -> Frozen:
    """The definition that an object in the cluster stands for.

    Raises `InvalidArgument`, with the field's path below `spec`: objects older than the schema may break
    any rule."""
    spec = parse(resource.spec, manifest.get("spec") or {})
    name = name_of(manifest)
    fields = {**document(spec), "name": name}
    if isinstance(spec, PromptSpec):
        fields["aliases"] = with_another(spec.aliases, spec.name, name)
    return parse(_DEFINITIONS[resource.definition], fields)


def name_of(manifest: Mapping[str, Any]) -> str:
    """A definition's name: what the API called it, or the object's own."""
    metadata = manifest["metadata"]
    annotations: Mapping[str, str] = metadata.get("annotations") or {}
    return annotations.get(NAME) or metadata["name"]


def age(manifest: Mapping[str, Any]) -> tuple[str, str]:
    """Sorts objects, the oldest first: of several with one name, it belongs to that."""
    metadata = manifest["metadata"]
    return metadata.get("creationTimestamp", ""), metadata.get("uid", "")


def author_of(manifest: Mapping[str, Any]) -> str:
    """Who wrote an object's spec last: its field manager, or, where that is our API, whom the API noted."""
    noted: str | None = (manifest["metadata"].get("annotations") or {}).get(AUTHOR)
    newest = _last_write(manifest)
    writer = str(newest["manager"]) if newest else API_MANAGER
    return (noted or "cluster") if writer == API_MANAGER else writer


def written_at(manifest: Mapping[str, Any]) -> datetime:
    """When an object's spec was written."""
    newest = _last_write(manifest) or {}
    return datetime.fromisoformat(newest.get("time") or manifest["metadata"]["creationTimestamp"])


def _last_write(manifest: Mapping[str, Any]) -> Mapping[str, Any] | None:
    writers = [
        entry
        for entry in manifest["metadata"].get("managedFields") or ()
        if not entry.get("subresource") and "f:spec" in (entry.get("fieldsV1") or {})
    ]
    return max(writers, key=lambda entry: entry.get("time", ""), default=None)


def object_name(name: str) -> str:
    """The name of the object for a definition's name: Kubernetes knows no capitals or underscores."""
    return name.lower().replace("_", "-")


def manifest_of(kind: Kind, fields: Mapping[str, Any], author: str, namespace: str) -> dict[str, Any]:
    """An object that holds a definition's document."""
    resource = BY_KIND[kind]
    name = str(fields["name"])
    annotations = {AUTHOR: author}
    if object_name(name) != name:
        annotations[NAME] = name
    spec = {key: value for key, value in fields.items() if key != "name"}
    if kind is Kind.MODEL and "parameters" in spec:
        # The document has them even where they are empty; a person would not write them.
        spec["parameters"] = {k: v for k, v in spec["parameters"].items() if v not in ([], {})}
    if kind is Kind.PROMPT:
        spec |= {"name": name, "parameters": [_written(p) for p in spec.get("parameters") or ()]}
    if kind is Kind.MODEL and spec.get("cost"):
        spec["cost"] = _prices(spec["cost"])
    for required in ("model_requirements", "require"):
        if ceiling := (spec.get(required) or {}).get("max_output_token_cost"):
            spec[required] = {**spec[required], "max_output_token_cost": float(ceiling)}
    return {
        "apiVersion": API_VERSION,
        "kind": resource.kind,
        "metadata": {"name": object_name(name), "namespace": namespace, "annotations": annotations},
        "spec": spec,
    }


def _prices(cost: Mapping[str, Any]) -> dict[str, Any]:
    """Prices as the numbers that a person writes, those that change from a moment on among them."""
    prices = {name: value for name, value in cost.items() if name not in _NO_PRICES}
    words = {name: cost[name] for name in ("currency", "valid_from") if name in cost}
    changes = {"changes": [_prices(change) for change in cost["changes"]]} if cost.get("changes") else {}
    return {**{name: float(value) for name, value in prices.items()}, **words, **changes}


_NO_PRICES = frozenset({"currency", "valid_from", "changes"})


def _written(parameter: Mapping[str, Any]) -> dict[str, Any]:
    fields = dict(parameter)
    if "default" in fields:
        fields["default"] = written_value(fields["default"])
    if "enum" in fields:
        fields["enum"] = [written_value(value) for value in fields["enum"]]
    return fields
