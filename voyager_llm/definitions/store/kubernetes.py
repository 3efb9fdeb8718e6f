"""Definitions in a cluster: a write goes to the API server first, as a custom resource, then into history.

The custom resource is the truth, and reads show it as a watch saw it last (`cluster_view.py`). The history
(who wrote which version when) stands in the database and follows what is published: it is what is in force,
and what a restarted service begins with. Used by the config hub where `VOYAGER_NAMESPACE` is set.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import suppress
from typing import Any

from voyager_llm.definitions.crd.manifests import (
    API_MANAGER,
    AUTHOR,
    NAME,
    definition_of,
    manifest_of,
    object_name,
)
from voyager_llm.definitions.crd.resources import API_VERSION, BY_KIND
from voyager_llm.definitions.kube.client import KubeApi, KubeError, Object, Path
from voyager_llm.definitions.store.cluster_view import ClusterView
from voyager_llm.definitions.store.contract import DefinitionReader, History
from voyager_llm.definitions.store.kubernetes_bulk import ClusterWrite
from voyager_llm.definitions.store.live import LiveDefinitions
from voyager_llm.domain.bulk import Applied, Wanted
from voyager_llm.domain.definition import Kind, canonical, digest
from voyager_llm.domain.record import Draft, Record, other_content, refuse_stale
from voyager_llm.errors import (
    AlreadyExists,
    FailedPrecondition,
    InvalidArgument,
    NotFound,
    Unavailable,
    VersionConflict,
    VoyagerError,
)

log = logging.getLogger(__name__)

_CHANGED = "was changed in the cluster at the same time; read it again"


class KubernetesStore:
    """`DefinitionStore` whose current versions are custom resources, over one that keeps the history."""

    def __init__(self, connect: Callable[[], KubeApi], history: History) -> None:
        """``connect`` is called once, inside the event loop. Raises `KubeError`."""
        self._connect = connect
        self._connected: tuple[KubeApi, LiveDefinitions] | None = None
        self._history = history

    async def open(self) -> None:
        await self._history.open()
        try:
            self._cluster()
        except Unavailable as error:
            log.error("reading from the history alone: %s", error.message)

    async def close(self) -> None:
        if self._connected is not None:
            api, live = self._connected
            await live.close()
            await api.close()
        await self._history.close()

    async def create(self, draft: Draft) -> Record:
        """Raises what the contract says, `InvalidArgument` for what the cluster's rules refuse, and
        `Unavailable` while the API server cannot be reached."""
        api, live = self._cluster()
        path = _path(api, draft.kind)
        body = _manifest(draft, api.namespace)
        stored = await _ask(draft.kind, draft.name, api.create(path, body, API_MANAGER, strict=True))
        try:
            with suppress(NotFound):  # what was deleted in the cluster a moment ago is deleted here, too
                await self._history.delete(draft.kind, draft.name)
            record = await self._history.create(draft)
        except VoyagerError:
            # The history knows better, e.g. that this version had other content before: take it back.
            await _ask(draft.kind, draft.name, api.delete(path, stored["metadata"]["name"]))
            raise
        await live.saw(draft.kind, stored)
        return record

    async def update(self, draft: Draft, etag: str = "") -> Record:
        api, live = self._cluster()
        if not await live.known(draft.kind):
            raise Unavailable("what the cluster holds is not known yet; try again", "", 2.0)
        seen = live.find(draft.kind, draft.name)
        current = await self.get(draft.kind, draft.name)
        refuse_stale(current, etag)
        if seen is None:
            raise VersionConflict(_CHANGED, "etag")
        # The current version may be the last good one of an object that is invalid now: then it is written.
        if draft.digest == current.digest == _digest(draft.kind, seen):
            return current
        await self._refuse_other_content(draft)
        path = _path(api, draft.kind)
        before = await _ask(draft.kind, draft.name, api.get(path, seen["metadata"]["name"]))
        if _identity(before) != _identity(seen):
            raise VersionConflict(_CHANGED, "etag")
        body = {
            **before,
            "spec": _manifest(draft, api.namespace)["spec"],
            "metadata": _signed(before, draft),
        }
        stored = await _ask(draft.kind, draft.name, api.replace(path, body, API_MANAGER))
        await self._catch_up(current)
        record = await self._history.update(draft)
        await live.saw(draft.kind, stored)
        return record

    async def apply(self, wanted: Sequence[Wanted], *, dry: bool = False) -> Sequence[Applied | VoyagerError]:
        return await ClusterWrite(self).run(wanted, dry=dry)

    async def check(self, draft: Draft, current: Record | None) -> None:
        """What the history and the cluster would say to a write, by a dry run. Raises their refusal."""
        await self._refuse_other_content(draft)
        if draft.kind not in BY_KIND:
            return
        api, live = self._cluster()
        path, body = _path(api, draft.kind), _manifest(draft, api.namespace)
        if current is None:
            asked = api.create(path, body, API_MANAGER, strict=True, dry_run=True)
        else:
            seen = live.find(draft.kind, draft.name)
            if seen is None:
                raise VersionConflict(_CHANGED, "etag")
            changed = {**seen, "spec": body["spec"], "metadata": _signed(seen, draft)}
            asked = api.replace(path, changed, API_MANAGER, dry_run=True)
        await _ask(draft.kind, draft.name, asked)

    def stands(self, draft: Draft, current: Record) -> bool:
        """Whether a write would change nothing. The current version may be the last good one of an object
        that is invalid now: then it is written."""
        if draft.kind not in BY_KIND:
            return draft.digest == current.digest
        _, live = self._cluster()
        seen = live.find(draft.kind, draft.name)
        return seen is not None and draft.digest == current.digest == _digest(draft.kind, seen)

    async def _refuse_other_content(self, draft: Draft) -> None:
        """Before the cluster is asked, which knows one version of a prompt only."""
        if draft.version:
            with suppress(NotFound):
                stored = await self._history.get(draft.kind, draft.name, version=draft.version)
                if stored.digest != draft.digest:
                    raise other_content(draft)

    async def _catch_up(self, current: Record) -> None:
        """Record a version that stood in the cluster alone, before the next one follows it."""
        try:
            await self._history.update(_draft(current))
        except NotFound:
            await self._history.create(_draft(current))

    async def delete(self, kind: Kind, name: str, etag: str = "") -> None:
        refuse_stale(await self.get(kind, name), etag)
        api, live = self._cluster()
        seen = live.find(kind, name)
        own = seen["metadata"]["name"] if seen is not None else object_name(name)
        with suppress(NotFound):  # deleted in the cluster already
            await _ask(kind, name, api.delete(_path(api, kind), own))
        with suppress(NotFound):  # never recorded
            await self._history.delete(kind, name)
        await live.gone(kind, own)

    async def get(self, kind: Kind, name: str, revision: int = 0, version: str = "") -> Record:
        return await (await self._reader(kind)).get(kind, name, revision, version)

    async def page(self, kind: Kind, after: str, limit: int) -> Sequence[Record]:
        return await (await self._reader(kind)).page(kind, after, limit)

    async def history(self, kind: Kind, name: str, before: int, limit: int) -> Sequence[Record]:
        return await (await self._reader(kind)).history(kind, name, before, limit)

    async def everything(self) -> Sequence[Record]:
        return await self._history.everything()

    async def settle(self) -> Collection[tuple[Kind, str]]:
        waiting = await self._history.unpublished()
        for record in waiting:
            try:
                await self._move(record)
            except VoyagerError as error:
                log.error("%s %s stands in the database alone: %s", record.kind, record.name, error)
        return [(record.kind, record.name) for record in waiting]

    async def _move(self, record: Record) -> None:
        """Give a definition its object, unless the cluster has one, which knows better."""
        api, _ = self._cluster()
        body = _manifest(_draft(record), api.namespace)
        with suppress(AlreadyExists):
            path = _path(api, record.kind)
            await _ask(record.kind, record.name, api.create(path, body, API_MANAGER, strict=True))
        await self._history.was_published(record.kind, record.name)
        log.warning("%s %s is an object of the cluster now", record.kind, record.name)

    async def digests(self) -> Mapping[tuple[Kind, str], str]:
        return await self._history.digests()

    def _cluster(self) -> tuple[KubeApi, LiveDefinitions]:
        if self._connected is None:
            try:
                api = self._connect()
            except KubeError as error:
                raise Unavailable(error.message, "", 5.0) from None
            self._connected = api, LiveDefinitions(api)
        return self._connected

    async def _reader(self, kind: Kind) -> DefinitionReader:
        """Where a kind is read: the history alone, where the cluster was never seen."""
        if self._connected is not None and await self._connected[1].known(kind):
            return ClusterView(self._connected[1], self._history)
        return self._history


def _draft(record: Record) -> Draft:
    return Draft(record.kind, record.name, record.version, record.document, record.digest, record.author)


def _path(api: KubeApi, kind: Kind) -> Path:
    return Path(f"/apis/{API_VERSION}", BY_KIND[kind].plural, api.namespace)


async def _ask(kind: Kind, name: str, work: Awaitable[Any]) -> Any:
    """Await a call to the API server. Raises its refusal as an error of ours."""
    try:
        return await work
    except KubeError as error:
        raise _error(kind, name, error) from None


def _error(kind: Kind, name: str, error: KubeError) -> VoyagerError:
    if error.status == 404:
        return NotFound(f"no {kind} is named {name!r}", "name")
    if error.status == 409 and error.reason == "AlreadyExists":
        return AlreadyExists(f"{kind} {name} exists already in the cluster", "name")
    if error.status == 409:
        return VersionConflict(_CHANGED, "etag")
    if error.status in (400, 422):
        field, message = error.causes[0] if error.causes else ("", error.message)
        return InvalidArgument(message, field.removeprefix("spec.").removeprefix("spec"))
    if error.status in (401, 403):
        return FailedPrecondition("the service may not write this kind of resource in the cluster")
    return Unavailable("the cluster's API server cannot be reached; try again", "", 2.0)


def _manifest(draft: Draft, namespace: str) -> Object:
    """The draft as an object. Raises `InvalidArgument` for what an object cannot hold exactly; what the
    cluster's rules refuse, the API server says better."""
    body = manifest_of(draft.kind, draft.document, draft.author, namespace)
    if _digest(draft.kind, body) not in ("", draft.digest):
        raise InvalidArgument("cannot be kept in the cluster without loss; a price may have too many digits")
    return body


def _identity(manifest: Object) -> tuple[str, int]:
    """The same for objects of the same spec: a status changes the resource version, too."""
    return manifest["metadata"]["uid"], manifest["metadata"]["generation"]


def _signed(before: Object, draft: Draft) -> dict[str, Any]:
    """The object's metadata with the writer of this version; labels and annotations of others stay."""
    metadata = dict(before["metadata"])
    annotations = {**(metadata.get("annotations") or {}), AUTHOR: draft.author}
    if object_name(draft.name) != draft.name:
        annotations[NAME] = draft.name
    return {**metadata, "annotations": annotations}


def _digest(kind: Kind, manifest: Object) -> str:
    """The digest of what an object holds; empty when it holds nothing valid."""
    try:
        return digest(canonical(definition_of(BY_KIND[kind], manifest)))
    except VoyagerError:
        return ""
