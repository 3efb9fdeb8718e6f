"""The other deployments as the router sees them: each handle behind the port that it serves.

Values travel by value, inside the request: they are small, and the object store would cost a hop more.
Imports none of them, so that a router replica does not carry what only they need. Used by
`model_router.py`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Any

import grpc
from ray.exceptions import NodeDiedError, RayActorError, RayTaskError, WorkerCrashedError
from ray.serve.exceptions import DeploymentUnavailableError, ReplicaUnavailableError
from ray.serve.handle import DeploymentHandle

from deployments.hop.caller import lost
from deployments.hop.messages import pack_prompt
from deployments.serving.deltas import unpacked
from deployments.serving.results import raised
from voyager_llm.domain.bulk import Applied, Item
from voyager_llm.domain.completion import Answer, Call, StreamEnd
from voyager_llm.domain.definition import Kind
from voyager_llm.domain.endpoint import Endpoint
from voyager_llm.domain.prompt import PromptDefinition
from voyager_llm.domain.quota import Lease
from voyager_llm.domain.record import Record
from voyager_llm.domain.stored_responses import Put, StoredResponse
from voyager_llm.errors import Unavailable, VoyagerError
from voyager_llm.kept import Kept
from voyager_llm.report import Report
from voyager_llm.snapshot import Delta
from voyager_llm.templating.render import Rendered

# Pairs of one call; a larger list is spread over the replicas of the pool.
_PAIRS = 256

# For an answer of the hub, where the caller does not ask for one sooner.
_HUB_SECONDS = 10.0
# For thousands of definitions at once.
_BULK_SECONDS = 240.0
# For what the hub gathers from every router: longer than it waits itself.
_GATHER_SECONDS = 4.0
# After which to come back to a hub that hangs.
_HUNG_SECONDS = 5.0

# Of the packed prompts that a router keeps.
_PACKED_BYTES = 16_000_000


def _by_value(handle: DeploymentHandle[Any], *, stream: bool = False) -> Any:
    """Arguments travel inside the request, by plain pickle: all of them are importable classes."""
    return handle.options(
        stream=stream, _by_reference=False, request_serialization="pickle", response_serialization="pickle"
    )


class HubClient:
    """`Definitions`, `LeaseSource`, `ResponseStore` and `Settlements` of the config hub. Each call raises
    `Unavailable` while the hub is away, or where it does not answer within ``timeout_s``."""

    def __init__(self, hub: DeploymentHandle[Any], timeout_s: float = _HUB_SECONDS) -> None:
        self._hub = _by_value(hub)
        self._timeout_s = timeout_s

    async def create(self, kind: Kind, given: Mapping[str, Any], author: str) -> Record:
        return await self._write(self._hub.create.remote(kind, given, author))

    async def update(
        self,
        kind: Kind,
        name: str,
        patch: Mapping[str, Any],
        author: str,
        mask: Sequence[str] = (),
        etag: str = "",
    ) -> Record:
        return await self._write(self._hub.update.remote(kind, name, patch, author, mask, etag))

    async def delete(self, kind: Kind, name: str, etag: str = "") -> None:
        await self._write(self._hub.delete.remote(kind, name, etag))

    async def rollback(
        self, kind: Kind, name: str, revision: int, version: str, author: str, etag: str = ""
    ) -> Record:
        return await self._write(self._hub.rollback.remote(kind, name, revision, version, author, etag))

    async def apply(
        self, items: Sequence[Item], author: str, *, validate_only: bool = False
    ) -> Sequence[Applied]:
        return await self._write(self._hub.apply.remote(items, author, validate_only), _BULK_SECONDS)

    async def get(self, kind: Kind, name: str, revision: int = 0, version: str = "") -> Record:
        return await self._read(self._hub.get.remote(kind, name, revision, version))

    async def page(self, kind: Kind, after: str, limit: int) -> Sequence[Record]:
        return await self._read(self._hub.page.remote(kind, after, limit))

    async def history(self, kind: Kind, name: str, before: int, limit: int) -> Sequence[Record]:
        return await self._read(self._hub.history.remote(kind, name, before, limit))

    async def lease(self, model: str, requests: int, tokens: int) -> Lease:
        return await self._read(self._hub.lease.remote(model, requests, tokens))

    async def settle(self, name: str) -> bool:
        return await self._read(self._hub.settle.remote(name))

    async def since(self, version: int) -> list[Delta]:
        return [await unpacked(parcel) for parcel in await self._read(self._hub.since.remote(version))]

    async def put_responses(self, puts: Sequence[Put]) -> Sequence[bool]:
        return await self._read(self._hub.put_responses.remote(puts))

    async def get_response(self, owner: str, response_id: str) -> StoredResponse | None:
        return await self._read(self._hub.get_response.remote(owner, response_id))

    async def delete_response(self, owner: str, response_id: str) -> bool:
        return await self._read(self._hub.delete_response.remote(owner, response_id))

    async def metrics(self) -> Sequence[tuple[str, bytes]]:
        return await self._read(self._hub.metrics.remote(), _GATHER_SECONDS)

    async def report(self) -> Report:
        return await self._read(self._hub.report.remote(), _GATHER_SECONDS)

    async def _read(self, response: Any, timeout_s: float | None = None) -> Any:
        return await self._answered(response, timeout_s or self._timeout_s, "try again")

    async def _write(self, response: Any, timeout_s: float | None = None) -> Any:
        told = "whether the change was made is not known, so read the definition before you try again"
        return await self._answered(response, timeout_s or self._timeout_s, told)

    async def _answered(self, response: Any, timeout_s: float, advice: str) -> Any:
        """The hub's answer. Its own errors come as values, so what is raised here says that it is away:
        while Serve starts it anew, writes and new leases are refused for a moment."""
        try:
            async with asyncio.timeout(timeout_s):
                return raised(await response)
        except TimeoutError:
            message = f"the config hub does not answer within {timeout_s:g} s; {advice}"
            raise Unavailable(message, "", _HUNG_SECONDS) from None
        except Exception as error:
            if not _is_absence(error):
                raise
            raise Unavailable(f"the config hub is starting again; {advice}", "", 1.0) from error


# What Ray and Serve raise of a replica that died, is gone from the network, or is not there yet. What its
# code raised comes as a `RayTaskError`, which may be one of these by its cause.
_ABSENCE = (
    RayActorError, WorkerCrashedError, NodeDiedError, DeploymentUnavailableError, ReplicaUnavailableError,
)  # fmt: skip


def _is_absence(error: Exception) -> bool:
    """Whether Ray or Serve says that the replica is away, as opposed to what its answer was."""
    if isinstance(error, grpc.aio.AioRpcError):
        return error.code() is grpc.StatusCode.UNAVAILABLE
    return isinstance(error, _ABSENCE) and not isinstance(error, RayTaskError)


class RemoteRenderer:
    """`Renderer` over a handle to the deployment."""

    def __init__(self, handle: DeploymentHandle[Any]) -> None:
        self._render = _by_value(handle).render
        self._ping = _by_value(handle).ping
        # Prompts as they travel: packed once, not for each request. Kept with the prompt that they are
        # of, since another snapshot may hold another one under the same name.
        self._packed: Kept[tuple[str, str], tuple[PromptDefinition, bytes]] = Kept(_PACKED_BYTES)

    async def ping(self) -> None:
        """Raises when no replica answers."""
        await self._ping.remote()

    async def render(self, prompt: PromptDefinition, variables: Mapping[str, Any], texts: bool) -> Rendered:
        return raised(await self._render.remote(self._pack(prompt), variables, texts))

    def _pack(self, prompt: PromptDefinition) -> bytes:
        key = (prompt.name, prompt.version)
        found = self._packed.get(key)
        if found is None or found[0] is not prompt:
            packed = pack_prompt(prompt)
            found = self._packed.put(key, (prompt, packed), len(packed))
        return found[1]


class RemoteCaller:
    """`Caller` over a handle to the deployment."""

    def __init__(self, handle: DeploymentHandle[Any]) -> None:
        # Bound once: to look a method up on a handle makes a new handle.
        self._call = _by_value(handle).call
        self._probe = _by_value(handle).probe
        self._ping = _by_value(handle).ping
        self._stream = _by_value(handle, stream=True).stream

    async def ping(self) -> None:
        """Raises when no replica answers."""
        await self._ping.remote()

    async def call(self, call: Call) -> Answer:
        try:
            return raised(await self._call.remote(call))
        except VoyagerError:
            raise
        except Exception as error:
            raise lost() from error

    async def stream(self, call: Call) -> AsyncGenerator[bytes | StreamEnd]:
        response: Any = self._stream.remote(call)
        began = False
        try:
            async for block in response:
                if isinstance(block, StreamEnd) and block.error is not None and not began:
                    raise block.error
                began = True
                yield block
        except (VoyagerError, GeneratorExit, asyncio.CancelledError):
            response.cancel()
            raise
        except Exception as error:
            if not began:
                raise lost() from error
            yield StreamEnd(None, lost())

    async def probe(self, endpoint: Endpoint) -> None:
        raised(await self._probe.remote(endpoint))


class RemoteScorer:
    """`Scorer` over a handle to the pool."""

    def __init__(self, handle: DeploymentHandle[Any]) -> None:
        self._handle = _by_value(handle)

    async def score(self, pairs: Sequence[tuple[str, str]], measurements: Sequence[str]) -> list[list[float]]:
        shares = [pairs[start : start + _PAIRS] for start in range(0, len(pairs), _PAIRS)]
        calls = [self._handle.score.remote(share, measurements) for share in shares]
        results: list[list[list[float]]] = [raised(result) for result in await asyncio.gather(*calls)]
        return [row for rows in results for row in rows]
