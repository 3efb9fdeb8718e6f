"""Secrets of the service's own namespace, read through the API server where its role names them.

What a role does not name is answered 403 and counts as not being here: nothing is read that was not allowed.
A key that comes new needs no new pod then, as a new mount would. Used by `places.py`.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from deployments.secrets.source import Secret
from voyager_llm.definitions.kube.client import KubeApi, KubeError, Object, Path
from voyager_llm.domain.model import SecretRef
from voyager_llm.errors import UpstreamUnavailable

log = logging.getLogger(__name__)

# A request waits for the API server no longer.
_TIMEOUT_S = 5.0


@dataclass(frozen=True, slots=True)
class _Answer:
    """What the API server said of one Secret, and when. Values are base64, as they came."""

    at: float
    values: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    written: float = 0.0


class ClusterSecrets:
    """`SecretPlace` over the API server. However many ask for a Secret at once, it is asked once."""

    def __init__(self, connect: Callable[[], KubeApi], clock: Callable[[], float] = time.monotonic) -> None:
        """``connect`` is called once, when a secret is first needed. Raises `KubeError`."""
        self._connect = connect
        self._clock = clock
        self._api: KubeApi | None = None
        self._answers: dict[str, _Answer] = {}
        self._asking: dict[str, asyncio.Task[_Answer]] = {}

    async def close(self) -> None:
        if self._api is not None:
            await self._api.close()

    async def read(self, reference: SecretRef, max_age_s: float) -> Secret | None:
        answer = self._answers.get(reference.name)
        if answer is None or self._clock() - answer.at > max_age_s:
            answer = await self._asked(reference.name)
        encoded = answer.values.get(reference.key)
        if encoded is None:
            return None
        try:
            return Secret(base64.b64decode(encoded).decode().strip(), answer.written)
        except (binascii.Error, UnicodeDecodeError):
            return None

    async def _asked(self, name: str) -> _Answer:
        task = self._asking.get(name)
        if task is None:
            task = self._asking[name] = asyncio.create_task(self._ask(name))
            task.add_done_callback(lambda _: self._asking.pop(name, None))
        # A caller that goes away must not take the answer from the others.
        return await asyncio.shield(task)

    async def _ask(self, name: str) -> _Answer:
        try:
            if self._api is None:
                self._api = self._connect()
            async with asyncio.timeout(_TIMEOUT_S):
                found = await self._api.get(Path("/api/v1", "secrets", self._api.namespace), name)
            answer = _Answer(self._clock(), found.get("data") or {}, _written(found))
        except (KubeError, TimeoutError) as error:
            if not isinstance(error, KubeError) or error.status not in (401, 403, 404):
                log.warning("secret %s cannot be read: %s", name, error)
                raise UpstreamUnavailable(
                    f"secret {name} cannot be read: the cluster's API server does not answer"
                ) from None
            log.info("secret %s cannot be read: %s", name, error.reason)
            answer = _Answer(self._clock())
        self._answers[name] = answer
        return answer


def _written(secret: Object) -> float:
    """When a Secret's data last changed, as far as its managers tell."""
    metadata: Any = secret["metadata"]
    times = [
        entry["time"]
        for entry in metadata.get("managedFields") or ()
        if "time" in entry and "f:data" in (entry.get("fieldsV1") or {})
    ]
    return datetime.fromisoformat(max(times, default=metadata["creationTimestamp"])).timestamp()
