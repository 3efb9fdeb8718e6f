"""A small client of the Kubernetes API: objects are dicts, errors are one class, every call has a deadline.

lightkube finds the server and keeps tokens fresh; the JSON is ours. Used by `controller/` and by the
Kubernetes store (`docs/decisions/0009-kubernetes-client.md`).
"""

from __future__ import annotations

import random
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any

import httpx2
import orjson
from lightkube.config.client_adapter import AsyncClient, ConnectionParams
from lightkube.config.kubeconfig import KubeConfig, SingleConfig
from lightkube.core.exceptions import ConfigError

_PAGE = 500
# A watch is ended by the server after about this long, and given up when nothing comes, not even a bookmark
# (one a minute): a connection that died in silence would keep old objects for ever.
_WATCH_S = (240, 300)
_WATCH_IDLE_S = 90.0
_JSON = "application/json"
_APPLY = "application/apply-patch+yaml"
_MERGE = "application/merge-patch+json"

Object = dict[str, Any]


class KubeError(Exception):
    """What the API server refused, or that it cannot be reached (``status`` 0)."""

    def __init__(
        self, status: int, reason: str, message: str, causes: tuple[tuple[str, str], ...] = ()
    ) -> None:
        super().__init__(status, reason, message, causes)
        self.status = status
        self.reason = reason
        self.message = message
        # (field, message) of each fault in an invalid object.
        self.causes = causes

    def __str__(self) -> str:
        return f"{self.status} {self.reason}: {self.message}"

    @property
    def may_pass(self) -> bool:
        """Whether trying again later may help."""
        return self.status in (0, 408, 409, 410, 429) or self.status >= 500


@dataclass(frozen=True, slots=True)
class Path:
    """Where a kind of object lives: ``/apis/GROUP/VERSION`` and its plural."""

    prefix: str
    plural: str
    namespace: str = ""

    def of(self, name: str = "", subresource: str = "") -> str:
        parts = [self.prefix]
        if self.namespace:
            parts.append(f"namespaces/{self.namespace}")
        return "/".join(part for part in (*parts, self.plural, name, subresource) if part)


class KubeApi:
    """One server. Make it inside the event loop that uses it, and close it."""

    def __init__(self, config: SingleConfig, namespace: str, timeout_s: float = 15.0) -> None:
        self.namespace = namespace
        self._timeout_s = timeout_s
        self._client = AsyncClient(
            config, ConnectionParams(timeout=httpx2.Timeout(timeout_s), trust_env=False)
        )

    async def close(self) -> None:
        await self._client.aclose()

    async def get(self, path: Path, name: str) -> Object:
        """Raises `KubeError`, as every method does."""
        return await self._send("GET", path.of(name))

    async def list(
        self, path: Path, labels: str = "", *, metadata_only: bool = False
    ) -> tuple[list[Object], str]:
        """All objects at one moment, in pages, and the resource version of that moment.

        ``metadata_only``: what they hold is not sent."""
        found: list[Object] = []
        accept = f"{_JSON};as=PartialObjectMetadataList;g=meta.k8s.io;v=v1" if metadata_only else _JSON
        query = {"limit": str(_PAGE), **({"labelSelector": labels} if labels else {})}
        while True:
            page = await self._send("GET", path.of(), query=query, accept=accept)
            found += page["items"] or ()
            more = page["metadata"].get("continue")
            if not more:
                return found, page["metadata"]["resourceVersion"]
            query["continue"] = more

    async def watch(self, path: Path, version: str) -> AsyncGenerator[tuple[str, Object]]:
        """Changes after a resource version, until the server ends the watch: (``ADDED``, ``MODIFIED``,
        ``DELETED`` or ``BOOKMARK``, object). Raises `KubeError` 410 when the server has forgotten that
        version: LIST again."""
        query = {
            "watch": "true",
            "resourceVersion": version,
            "allowWatchBookmarks": "true",
            "timeoutSeconds": str(random.randint(*_WATCH_S)),
        }
        timeout = httpx2.Timeout(self._timeout_s, read=_WATCH_IDLE_S)
        try:
            async with self._client.stream("GET", path.of(), params=query, timeout=timeout) as answer:
                if answer.status_code >= 400:
                    raise _refusal(answer.status_code, await answer.aread())
                async for line in _lines(answer.aiter_bytes()):
                    event = orjson.loads(line)
                    if event["type"] == "ERROR":
                        raise _refused(event["object"].get("code", 500), event["object"])
                    yield event["type"], event["object"]
        except (httpx2.HTTPError, OSError) as error:
            raise _unreachable(error) from None

    async def table(self, path: Path) -> Object:
        """The objects as `kubectl get` shows them: a `meta.k8s.io/v1` Table."""
        return await self._send("GET", path.of(), accept="application/json;as=Table;v=v1;g=meta.k8s.io")

    async def create(
        self,
        path: Path,
        body: Mapping[str, Any],
        manager: str = "",
        *,
        strict: bool = False,
        dry_run: bool = False,
    ) -> Object:
        """``strict``: refuse fields that the schema does not know, instead of dropping them. ``dry_run``:
        store nothing."""
        query = _written_by(manager, dry_run)
        if strict:
            query["fieldValidation"] = "Strict"
        return await self._send("POST", path.of(), query=query, body=body)

    async def replace(
        self, path: Path, body: Mapping[str, Any], manager: str = "", *, dry_run: bool = False
    ) -> Object:
        """Refused when ``body`` carries an old resource version. ``dry_run``: store nothing."""
        query = _written_by(manager, dry_run)
        return await self._send("PUT", path.of(body["metadata"]["name"]), query=query, body=body)

    async def delete(self, path: Path, name: str, resource_version: str = "") -> None:
        conditions = {"preconditions": {"resourceVersion": resource_version}} if resource_version else {}
        await self._send("DELETE", path.of(name), body=conditions)

    async def merge(self, path: Path, name: str, body: Mapping[str, Any], subresource: str = "") -> Object:
        """JSON merge patch."""
        return await self._send("PATCH", path.of(name, subresource), body=body, kind=_MERGE)

    async def apply(
        self, path: Path, body: Mapping[str, Any], manager: str, *, subresource: str = "", force: bool = False
    ) -> Object:
        """Server-side apply: own the fields of ``body``. A field that another manager owns with another
        value is a conflict (409), unless ``force``."""
        query = {"fieldManager": manager, "force": "true" if force else "false"}
        return await self._send(
            "PATCH", path.of(body["metadata"]["name"], subresource), query=query, body=body, kind=_APPLY
        )

    async def _send(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
        kind: str = _JSON,
        accept: str = _JSON,
    ) -> Object:
        headers = {"Accept": accept, "Content-Type": kind}
        data = orjson.dumps(body) if body is not None else None
        try:
            answer = await self._client.request(method, path, params=query, content=data, headers=headers)
        except (httpx2.HTTPError, OSError) as error:
            raise _unreachable(error) from None
        if answer.status_code >= 400:
            raise _refusal(answer.status_code, answer.content)
        return orjson.loads(answer.content)


def connect(namespace: str, kubeconfig: str = "") -> KubeApi:
    """The server that ``kubeconfig`` names, else the cluster this runs in.

    Raises `KubeError` when neither is there."""
    try:
        found = KubeConfig.from_file(kubeconfig) if kubeconfig else KubeConfig.from_service_account()
        config = found.get()
    except (ConfigError, KeyError, OSError) as error:
        raise KubeError(0, "NoCluster", f"no cluster to connect to: {error}") from None
    if config is None:
        raise KubeError(0, "NoCluster", f"{kubeconfig} names no current context")
    return KubeApi(config, namespace)


def _written_by(manager: str, dry_run: bool) -> dict[str, str]:
    return {**({"fieldManager": manager} if manager else {}), **({"dryRun": "All"} if dry_run else {})}


async def _lines(pieces: AsyncIterator[bytes]) -> AsyncGenerator[bytes]:
    """Lines as JSON knows them: text may hold other characters that Python takes for the end of one."""
    rest = b""
    async for piece in pieces:
        *lines, rest = (rest + piece).split(b"\n")
        for line in lines:
            yield line


def _unreachable(error: Exception) -> KubeError:
    return KubeError(0, "Unreachable", f"the API server cannot be reached: {type(error).__name__}")


def _refusal(status: int, content: bytes) -> KubeError:
    try:
        document: Any = orjson.loads(content)
    except orjson.JSONDecodeError:
        document = {}
    return _refused(status, document)


def _refused(status: int, document: Mapping[str, Any]) -> KubeError:
    """An error out of the server's `metav1.Status`."""
    details: Any = document.get("details") or {}
    causes = tuple(
        (str(cause.get("field", "")), str(cause.get("message", ""))) for cause in details.get("causes") or ()
    )
    return KubeError(
        status,
        str(document.get("reason") or "Error"),
        str(document.get("message") or f"status {status}"),
        causes,
    )
