"""What a router makes of a config hub that is away, that hangs and that fails: each for what it is."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, cast

import pytest
from grpc import StatusCode
from grpc.aio import AioRpcError, Metadata
from ray.exceptions import ActorUnavailableError, RayActorError, RayTaskError
from ray.serve.exceptions import (
    BackPressureError,
    DeploymentUnavailableError,
    RayServeException,
    ReplicaUnavailableError,
    RequestCancelledError,
)

from deployments.serving.handles import HubClient
from voyager_llm.domain.definition import Kind
from voyager_llm.errors import StoreUnavailable, Unavailable


class Hub:
    """Stands where the handle of the hub does: every call comes to what ``answers`` says."""

    def __init__(self, answers: Callable[[], Awaitable[Any]]) -> None:
        self._answers = answers

    def options(self, **_options: Any) -> Hub:
        return self

    def __getattr__(self, method: str) -> Hub:
        return self

    def remote(self, *_arguments: Any) -> Awaitable[Any]:
        return self._answers()


def hub_that_raises(error: Exception) -> HubClient:
    async def answers() -> Any:
        raise error

    return HubClient(cast("Any", Hub(answers)))


@pytest.mark.parametrize(
    "absent",
    [
        RayActorError(),
        ActorUnavailableError("gone", b"\0" * 16),
        DeploymentUnavailableError(None),
        ReplicaUnavailableError("gone"),
        AioRpcError(StatusCode.UNAVAILABLE, Metadata(), Metadata()),
    ],
    ids=lambda error: type(error).__name__,
)
async def test_only_a_lost_replica_reads_as_starting_again(absent: Exception) -> None:
    with pytest.raises(Unavailable, match="starting again; try again") as caught:
        await hub_that_raises(absent).get(Kind.MODEL, "m")
    assert caught.value.retry_after_s == 1.0


@pytest.mark.parametrize(
    "fault",
    [
        RayTaskError("get", "a trace", ValueError("x")),
        RayTaskError("get", "a trace", RayActorError()).as_instanceof_cause(),
        RayServeException("Tried to call a method that does not exist"),
        RequestCancelledError("7"),
        BackPressureError(num_queued_requests=1, max_queued_requests=1),
        AioRpcError(StatusCode.INTERNAL, Metadata(), Metadata()),
        RecursionError("in a template"),
        StoreUnavailable("the database is away"),
    ],
    ids=lambda error: type(error).__name__,
)
async def test_no_fault_reads_as_starting_again(fault: Exception) -> None:
    with pytest.raises(type(fault)) as caught:
        await hub_that_raises(fault).get(Kind.MODEL, "m")
    assert caught.value is fault


async def test_a_hub_that_hangs_keeps_nobody_waiting() -> None:
    hub = HubClient(cast("Any", Hub(lambda: asyncio.get_running_loop().create_future())), timeout_s=0.05)
    for call in (hub.get(Kind.MODEL, "m"), hub.since(0), hub.lease("m", 1, 1)):
        with pytest.raises(Unavailable, match=r"does not answer within 0.05 s; try again") as caught:
            await call
        assert caught.value.retry_after_s > 0
    for call in (hub.create(Kind.MODEL, {}, "me"), hub.delete(Kind.MODEL, "m")):
        with pytest.raises(Unavailable, match=r"is not known, so read the definition before you try again"):
            await call
