"""Definitions in a cluster: a write goes to the API server first, as a custom resource, then into history.

The custom resource is the truth; the history (who wrote which version when) stands in the database, and
reads come from there. What others write into the cluster arrives by the controller and `Catalog.adopt`.
Routes have no resource and stand in the database alone. Used by the config hub where `VOYAGER_NAMESPACE` is
set.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from voyager_llm.crd.resources import (
    API_VERSION,
    AUTHOR,
    BY_KIND,
    NAME,
    definition_of,
    manifest_of,
    object_name,
)
from voyager_llm.domain.definition import Kind, canonical, digest
from voyager_llm.errors import (
    AlreadyExists,
    FailedPrecondition,
    InvalidArgument,
    NotFound,
    Unavailable,
    VersionConflict,
    VoyagerError,
)
from voyager_llm.kube.client import KubeApi, KubeError, Object, Path
from voyager_llm.store.contract import DefinitionStore, Draft, Record, refuse_stale

_CHANGED = "was changed in the cluster at the same time; read it again"


class KubernetesStore:
    """`DefinitionStore` whose current versions are custom resources, over one that keeps the history."""

    def __init__(self, connect: Callable[[], KubeApi], history: DefinitionStore) -> None:
        """``connect`` is called once, when the cluster is first needed. Raises `KubeError`."""
        self._connect = connect
        self._connected: KubeApi | None = None
        self._history = history

    async def open(self) -> None:
        await self._history.open()

    async def close(self) -> None:
        if self._connected is not None:
            await self._connected.close()
        await self._history.close()

    async def create(self, draft: Draft) -> Record:
        """Raises what the contract says, `InvalidArgument` for what the cluster's rules refuse, and
        `Unavailable` while the API server cannot be reached."""
        if draft.kind not in BY_KIND:
            return await self._history.create(draft)
        api, path = self._api(draft.kind)
        body = _manifest(draft, api.namespace)
        stored = await _ask(draft.kind, draft.name, api.create(path, body, strict=True))
        try:
            return await self._history.create(draft)
        except VoyagerError:
            # The history knows better, e.g. that this version had other content before: take it back.
            await _ask(draft.kind, draft.name, api.delete(path, stored["metadata"]["name"]))
            raise

    async def update(self, draft: Draft, etag: str = "") -> Record:
        if draft.kind not in BY_KIND:
            return await self._history.update(draft, etag)
        current = await self._history.get(draft.kind, draft.name)
        refuse_stale(current, etag)
        if current.digest == draft.digest:
            return current
        await self._refuse_other_content(draft)
        api, path = self._api(draft.kind)
        before = await _ask(draft.kind, draft.name, api.get(path, object_name(draft.name)))
        if _digest(draft.kind, before) != current.digest:
            raise VersionConflict(_CHANGED, "etag")
        body = {
            **before,
            "spec": _manifest(draft, api.namespace)["spec"],
            "metadata": _signed(before, draft),
        }
        await _ask(draft.kind, draft.name, api.replace(path, body))
        return await self._history.update(draft, current.etag)

    async def _refuse_other_content(self, draft: Draft) -> None:
        """Before the cluster is asked, which knows one version of a prompt only."""
        if draft.version:
            with suppress(NotFound):
                stored = await self._history.get(draft.kind, draft.name, version=draft.version)
                if stored.digest != draft.digest:
                    raise VersionConflict(
                        f"version {draft.version} exists with other content, and versions are immutable; "
                        "choose the next one",
                        "version",
                    )

    async def delete(self, kind: Kind, name: str, etag: str = "") -> None:
        if kind in BY_KIND:
            current = await self._history.get(kind, name)
            refuse_stale(current, etag)
            api, path = self._api(kind)
            with suppress(NotFound):  # deleted in the cluster already
                await _ask(kind, name, api.delete(path, object_name(name)))
        await self._history.delete(kind, name, etag)

    async def get(self, kind: Kind, name: str, revision: int = 0, version: str = "") -> Record:
        return await self._history.get(kind, name, revision, version)

    async def page(self, kind: Kind, after: str, limit: int) -> Sequence[Record]:
        return await self._history.page(kind, after, limit)

    async def history(self, kind: Kind, name: str, before: int, limit: int) -> Sequence[Record]:
        return await self._history.history(kind, name, before, limit)

    async def everything(self) -> Sequence[Record]:
        return await self._history.everything()

    async def digests(self) -> Mapping[tuple[Kind, str], str]:
        return await self._history.digests()

    def _api(self, kind: Kind) -> tuple[KubeApi, Path]:
        if self._connected is None:
            try:
                self._connected = self._connect()
            except KubeError as error:
                raise Unavailable(error.message, "", 5.0) from None
        api = self._connected
        return api, Path(f"/apis/{API_VERSION}", BY_KIND[kind].plural, api.namespace)


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
