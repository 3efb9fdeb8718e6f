"""What the cluster holds at this moment, as definitions: a watch keeps it fresh, so reads cost nothing.

It may be ahead of the history, which follows what is published. Used by `kubernetes.py`.
"""

from __future__ import annotations

import asyncio
import bisect
from collections.abc import Mapping, Sequence

from voyager_llm.definitions.crd.manifests import age, name_of
from voyager_llm.definitions.crd.resources import API_VERSION, RESOURCES, Resource
from voyager_llm.definitions.kube.client import KubeApi, Object, Path
from voyager_llm.definitions.kube.reflector import Reflector
from voyager_llm.domain.definition import Kind

# How long after the start reads wait for the first LIST, and how long a write waits for the watch to show it.
_FIRST_LIST_S = 5.0
_SEEN_S = 2.0


class LiveDefinitions:
    """The objects of our kinds, by the names of their definitions. Make it inside the event loop."""

    def __init__(self, api: KubeApi) -> None:
        self._kinds = {resource.definition: _Kind(api, resource) for resource in RESOURCES}
        self._started = asyncio.get_running_loop().time()
        self._watching = [asyncio.create_task(kind.reflector.run()) for kind in self._kinds.values()]

    async def close(self) -> None:
        for task in self._watching:
            task.cancel()
        await asyncio.gather(*self._watching, return_exceptions=True)

    async def known(self, kind: Kind) -> bool:
        """Whether it is known what the cluster holds of a kind; waits for that at the start alone."""
        waited = asyncio.get_running_loop().time() - self._started
        return await self._kinds[kind].reflector.listed(max(0.0, _FIRST_LIST_S - waited))

    def find(self, kind: Kind, name: str) -> Object | None:
        """The object that defines a name; of several, the oldest."""
        return self._kinds[kind].by_name().get(name)

    def names(self, kind: Kind, after: str) -> Sequence[str]:
        """Names after ``after``, in order."""
        found = self._kinds[kind].names()
        return found[bisect.bisect_right(found, after) :]

    async def saw(self, kind: Kind, written: Object) -> None:
        """Wait for the watch to show what was written, so that whoever wrote it reads it."""
        metadata = written["metadata"]
        reflector = self._kinds[kind].reflector

        def shown() -> bool:
            found = reflector.objects.get(metadata["name"])
            return found is not None and _version(found) >= _version(written)

        await reflector.until(shown, _SEEN_S)

    async def gone(self, kind: Kind, own_name: str) -> None:
        """Wait for the watch to show that the object of this name was deleted."""
        reflector = self._kinds[kind].reflector
        await reflector.until(lambda: own_name not in reflector.objects, _SEEN_S)


class _Kind:
    """The objects of one kind, indexed when they have changed and are asked for."""

    def __init__(self, api: KubeApi, resource: Resource) -> None:
        self.reflector = Reflector(api, Path(f"/apis/{API_VERSION}", resource.plural, api.namespace))
        self._indexed = -1
        self._by_name: dict[str, Object] = {}
        self._names: list[str] = []

    def by_name(self) -> Mapping[str, Object]:
        self._index()
        return self._by_name

    def names(self) -> list[str]:
        self._index()
        return self._names

    def _index(self) -> None:
        if self._indexed == self.reflector.changes:
            return
        youngest_first = sorted(self.reflector.objects.values(), key=age, reverse=True)
        self._by_name = {
            name_of(item): item for item in youngest_first if not item["metadata"].get("deletionTimestamp")
        }
        self._names = sorted(self._by_name)
        self._indexed = self.reflector.changes


def _version(manifest: Object) -> int:
    # Resource versions may be compared as numbers since Kubernetes 1.35 (KEP-5504).
    return int(manifest["metadata"]["resourceVersion"])
