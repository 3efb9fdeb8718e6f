"""The kinds of definition as a user names them, and the Kubernetes manifests that hold them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from serve_app.commands.client import ServiceError
from voyager_llm.domain.alias import with_another

API_VERSION = "llm.voyager.io/v1"


@dataclass(frozen=True, slots=True)
class KindInfo:
    """How a kind is called on the command line, in manifests and in the API."""

    name: str
    plural: str
    manifest: str
    columns: tuple[str, ...]
    # Plural and Kubernetes' short name.
    aliases: tuple[str, ...]
    # Whether requests call it: then its definition may have aliases.
    is_called: bool = True


KINDS: dict[str, KindInfo] = {
    kind.name: kind
    for kind in (
        KindInfo(
            "model",
            "models",
            "ModelDefinition",
            ("name", "provider", "model_name", "revision", "status.phase", "status.average_latency_ms"),
            ("models", "mdef"),
        ),
        KindInfo(
            "prompt",
            "prompts",
            "PromptDefinition",
            ("name", "version", "description", "revision", "updated_at"),
            ("prompts", "pdef"),
        ),
        KindInfo(
            "route",
            "routes",
            "RouteDefinition",
            ("name", "policy", "targets", "fallbacks", "revision"),
            ("routes", "rdef"),
        ),
        KindInfo(
            "evaluation",
            "evaluations",
            "ModelEvaluation",
            ("name", "model_ref.name", "prompt_ref.name", "schedule.frequency", "revision"),
            ("evaluations", "meval"),
            is_called=False,
        ),
    )
}


def kind_named(text: str) -> KindInfo:
    """A kind by its name, plural or short name. Raises `ServiceError`."""
    for kind in KINDS.values():
        if text.lower() in (kind.name, *kind.aliases, kind.manifest.lower()):
            return kind
    raise ServiceError(f"{text!r} is no kind; use one of: {', '.join(KINDS)}")


def from_manifest(manifest: dict[str, Any]) -> tuple[KindInfo, dict[str, Any]]:
    """The kind and definition of a Kubernetes manifest; its status is the cluster's and is left out.

    Raises `ServiceError`."""
    version = manifest.get("apiVersion")
    if version != API_VERSION:
        raise ServiceError(f"apiVersion is {version!r}, not {API_VERSION}")
    kind = kind_named(str(manifest.get("kind", "")))
    metadata = manifest.get("metadata") or {}
    spec = manifest.get("spec")
    if not isinstance(spec, dict) or not metadata.get("name"):
        raise ServiceError("a manifest needs metadata.name and spec")
    name = str(metadata["name"])
    definition: dict[str, Any] = {**spec, "name": name}
    # A spec may have a name of its own (underscores); the manifest's is what refers to it.
    if kind.is_called and (
        aliases := with_another(spec.get("aliases") or (), str(spec.get("name") or ""), name)
    ):
        definition["aliases"] = aliases
    return kind, definition


def output_only(kind: KindInfo) -> set[str]:
    """Fields that the service writes."""
    return {f"{kind.name}_id", "status", "revision", "etag", "author", "created_at", "updated_at"}


def to_manifest(kind: KindInfo, definition: dict[str, Any]) -> dict[str, Any]:
    """A definition as a manifest that `apply` takes."""
    left_out = output_only(kind) | {"name"}
    spec = {
        name: _plain(value)
        for name, value in definition.items()
        if name not in left_out and value not in ("", [], {})
    }
    return {
        "apiVersion": API_VERSION,
        "kind": kind.manifest,
        "metadata": {"name": definition["name"]},
        "spec": spec,
    }


def _plain(value: Any) -> Any:
    """A value as a person would write it: without empty fields, whole numbers without a fraction."""
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items() if item not in ("", [], {})}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value
