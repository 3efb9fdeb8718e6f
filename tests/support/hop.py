"""Both ends of the direct path in one event loop, over real sockets, without Ray."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

from deployments.hop import discovery
from deployments.hop.caller import DirectCaller
from deployments.hop.gate import Gate
from deployments.hop.peers import Peers
from deployments.hop.server import Server
from deployments.hop.services import CallerService, Service
from tests.support.calls import model
from voyager_llm.domain.completion import Answer, Call, StreamEnd
from voyager_llm.domain.endpoint import Endpoint
from voyager_llm.domain.usage import Usage
from voyager_llm.ports import Caller
from voyager_llm.settings import Settings

HERE, ELSEWHERE = "here", "elsewhere"
SETTINGS = Settings.model_validate({"replica_host": "127.0.0.1"})
# Listens for other nodes, too.
WITH_NODES = Settings.model_validate(
    {"replica_host": "0.0.0.0", "api_key": {"name": "clients", "key": "key"}}
)

ANSWER = Answer(b"{}", Usage(1, 1))
OF = model("m", "custom", "fake", "http://127.0.0.1:1/v1")


class Held:
    """A caller whose calls last until they are let go."""

    def __init__(self) -> None:
        self.calls = 0
        self.go = asyncio.Event()

    async def call(self, call: Call) -> Answer:
        self.calls += 1
        await self.go.wait()
        return ANSWER

    async def stream(self, call: Call) -> AsyncGenerator[bytes | StreamEnd]:
        self.calls += 1
        yield b"data: {}\n\n"
        await self.go.wait()
        yield StreamEnd(Usage(1, 1))

    async def probe(self, endpoint: Endpoint) -> None:
        """Nothing is asked."""


class Flood(Held):
    """Sends as fast as it is let."""

    def __init__(self, blocks: int, size: int) -> None:
        super().__init__()
        self.taken = 0
        self._blocks = blocks
        self._block = b"d" * size

    async def call(self, call: Call) -> Answer:
        return ANSWER

    async def stream(self, call: Call) -> AsyncGenerator[bytes | StreamEnd]:
        for _ in range(self._blocks):
            yield self._block
            self.taken += len(self._block)
        yield StreamEnd(Usage(1, 1))


async def until(true: Callable[[], Any], what: str, timeout_s: float = 10.0) -> None:
    """Poll. Fails with ``what`` when it does not become true in time."""
    deadline = time.monotonic() + timeout_s
    while not true():
        assert time.monotonic() < deadline, f"not within {timeout_s} s: {what}"
        await asyncio.sleep(0.005)


class ThroughServe:
    """What stands for Serve's handle: another way to a caller, which counts what it is asked."""

    def __init__(self, caller: Caller) -> None:
        self._caller = caller
        self.calls = 0

    async def call(self, call: Call) -> Answer:
        self.calls += 1
        return await self._caller.call(call)

    async def stream(self, call: Call) -> AsyncGenerator[bytes | StreamEnd]:
        self.calls += 1
        async for block in self._caller.stream(call):
            yield block

    async def probe(self, endpoint: Endpoint) -> None:
        await self._caller.probe(endpoint)


class Replica:
    """One replica that listens, on the node ``node``."""

    def __init__(
        self, service: Service, *, limit: int = 100, settings: Settings = SETTINGS, node: str = HERE
    ) -> None:
        self.gate = Gate(limit)
        self.server = Server(service, self.gate, settings, node, "127.0.0.1")
        self.name = uuid4().hex
        self.metadata: dict[str, Any] = {}

    async def start(self) -> Replica:
        self.metadata = (await self.server.start()).metadata()
        return self

    def is_there(self) -> bool:
        """Whether its socket is."""
        return Path(self.metadata["hop"]["path"]).exists()

    def mode(self) -> int:
        """Of the folder that it is in."""
        return Path(self.metadata["hop"]["path"]).parent.stat().st_mode & 0o777

    def break_off(self) -> None:
        """As when it is killed: its connections end without a word."""
        for session in tuple(self.server.sessions):
            session.abort()


class Reached:
    """A router's peers, which hear of replicas as they would from Serve."""

    def __init__(self) -> None:
        self.deployment = uuid4().hex
        self.peers = Peers(self.deployment, SETTINGS, HERE)
        self.peers.start()

    async def listed(self, *replicas: Replica, connected: bool = True) -> None:
        """Serve says that these run."""
        await self.announced({replica.name: replica.metadata for replica in replicas})
        if connected:
            await until(lambda: self.connected == len(replicas), "it is connected to all")

    async def announced(self, metadata: Mapping[str, Mapping[str, Any]]) -> None:
        discovery.announce(self.deployment, metadata)
        await asyncio.sleep(0)

    @property
    def connected(self) -> int:
        """Channels that take calls."""
        found: tuple[Any, ...] = ()
        while (channel := self.peers.free(found)) is not None:
            found = (*found, channel)
        return len(found)


@asynccontextmanager
async def direct(
    stage: Caller, *, limit: int = 100, settings: Settings = SETTINGS, node: str = HERE
) -> AsyncGenerator[tuple[DirectCaller, Replica, ThroughServe, Reached]]:
    """``stage`` behind one replica, as a router calls it."""
    replica = await Replica(CallerService(stage), limit=limit, settings=settings, node=node).start()
    reached = Reached()
    through_serve = ThroughServe(stage)
    await reached.listed(replica)
    try:
        yield DirectCaller(reached.peers, through_serve), replica, through_serve, reached
    finally:
        await reached.announced({})
        await replica.server.drain()
