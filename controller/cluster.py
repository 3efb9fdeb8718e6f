"""What the controller reads of the cluster: every object of our kinds, at one moment.

Used by `reconciler.py`; where objects live is said here for all of `controller/`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from voyager_llm.definitions.crd.manifests import age
from voyager_llm.definitions.crd.resources import API_VERSION, RESOURCES, Resource
from voyager_llm.definitions.kube.client import KubeApi, Object, Path

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
        objects[resource.kind] = tuple(sorted(alive, key=age))
    return Observed(objects)
