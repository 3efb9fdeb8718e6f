"""What the controller reads of the cluster: every object of our kinds, at one moment.

Used by `reconciler.py`; where objects live is said here for all of `controller/`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from voyager_llm.crd.resources import API_VERSION, AUTHOR, RESOURCES, Resource
from voyager_llm.kube.client import KubeApi, Object, Path

# Owns the fields that the controller applies.
MANAGER = "voyager-llm-controller"


@dataclass(frozen=True, slots=True)
class Observed:
    """All objects that are not being deleted, by kind, the oldest first."""

    objects: Mapping[str, tuple[Object, ...]] = field(default_factory=dict[str, tuple[Object, ...]])

    def each(self) -> Iterator[tuple[Resource, Object]]:
        for resource in RESOURCES:
            for found in self.objects.get(resource.kind, ()):
                yield resource, found


def path_of(resource: Resource, namespace: str) -> Path:
    return Path(f"/apis/{API_VERSION}", resource.plural, namespace)


async def observe(api: KubeApi) -> Observed:
    """LIST every kind. Raises `KubeError`: half a picture would delete the other half."""
    objects: dict[str, tuple[Object, ...]] = {}
    for resource in RESOURCES:
        found, _ = await api.list(path_of(resource, api.namespace))
        alive = [item for item in found if not item["metadata"].get("deletionTimestamp")]
        objects[resource.kind] = tuple(sorted(alive, key=_age))
    return Observed(objects)


def author_of(manifest: Mapping[str, Any]) -> str:
    """Who wrote an object's spec: as the API noted, else the field manager that wrote it last."""
    metadata = manifest["metadata"]
    noted: str | None = (metadata.get("annotations") or {}).get(AUTHOR)
    if noted:
        return noted
    writers = [
        entry
        for entry in metadata.get("managedFields") or ()
        if not entry.get("subresource") and "f:spec" in (entry.get("fieldsV1") or {})
    ]
    newest = max(writers, key=lambda entry: entry.get("time", ""), default=None)
    return str(newest["manager"]) if newest else "cluster"


def _age(manifest: Object) -> tuple[str, str]:
    metadata = manifest["metadata"]
    return metadata.get("creationTimestamp", ""), metadata.get("uid", "")
