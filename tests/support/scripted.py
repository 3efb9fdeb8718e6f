"""A request path over stages that do as they are told: no socket, no thread, every await in plain sight."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from deployments.replica import Ports, Replica
from voyager_llm.clock import Clock
from voyager_llm.definitions.compiler import compile_model
from voyager_llm.domain.completion import Account, Answer, Call, CompletionRequest, StreamEnd
from voyager_llm.domain.definition import Kind
from voyager_llm.domain.endpoint import Endpoint
from voyager_llm.domain.model import ModelDefinition
from voyager_llm.domain.operation import Operation
from voyager_llm.domain.prompt import PromptDefinition
from voyager_llm.domain.quota import Lease
from voyager_llm.domain.request import Principal, RequestContext, Trace
from voyager_llm.domain.route import RouteDefinition
from voyager_llm.domain.usage import Usage
from voyager_llm.errors import UpstreamTimeout, VoyagerError
from voyager_llm.settings import Settings
from voyager_llm.snapshot import Change, CompiledModel, Delta
from voyager_llm.templating.render import Rendered, render

USAGE = Usage(10, 5)
EVENT = b'data: {"choices":[]}\n\n'


@dataclass(frozen=True)
class Behaviour:
    """What a provider does with one call. ``delay_s`` passes before it says anything."""

    error: VoyagerError | None = None
    delay_s: float = 0.0
    # Blocks of a stream before its end, and what ends it early.
    blocks: int = 2
    broken: VoyagerError | None = None
    usage: Usage | None = USAGE


class ScriptedCaller:
    """`Caller`. ``open`` counts calls that its provider still works on."""

    def __init__(self, behave: Callable[[Call], Behaviour]) -> None:
        self._behave = behave
        self.open = 0
        self.calls: list[Call] = []

    async def call(self, call: Call) -> Answer:
        behaviour = await self._begin(call)
        try:
            async with asyncio.timeout(call.timeout_s):
                await self._wait(behaviour)
            return Answer(b'{"choices":[{}]}', behaviour.usage)
        except TimeoutError:
            raise UpstreamTimeout("late") from None
        finally:
            self.open -= 1

    async def stream(self, call: Call) -> AsyncGenerator[bytes | StreamEnd]:
        behaviour = await self._begin(call)
        try:
            await self._wait(behaviour)
            for _ in range(behaviour.blocks):
                await asyncio.sleep(0)
                yield EVENT
            await asyncio.sleep(0)
        finally:
            self.open -= 1
        yield StreamEnd(behaviour.usage, behaviour.broken)

    async def probe(self, endpoint: Endpoint) -> None:
        await asyncio.sleep(0)

    async def _begin(self, call: Call) -> Behaviour:
        self.calls.append(call)
        self.open += 1
        return self._behave(call)

    @staticmethod
    async def _wait(behaviour: Behaviour) -> None:
        await asyncio.sleep(behaviour.delay_s)
        if behaviour.error is not None:
            raise behaviour.error


class ScriptedLeases:
    """`LeaseSource`: generous, unless told otherwise."""

    def __init__(self) -> None:
        self.error: VoyagerError | None = None
        self.delay_s = 0.0

    async def lease(self, model: str, requests: int, tokens: int) -> Lease:
        await asyncio.sleep(self.delay_s)
        if self.error is not None:
            raise self.error
        return Lease(requests, tokens)


class SlowRenderer:
    """`Renderer` that lets others run."""

    async def render(self, prompt: PromptDefinition, variables: Mapping[str, Any], texts: bool) -> Rendered:
        await asyncio.sleep(0)
        return render(prompt, variables, texts=texts)


@dataclass
class Ledger:
    """`Observer` that remembers."""

    accounts: list[Account] = field(default_factory=list)

    def ended(self, ctx: RequestContext, account: Account) -> None:
        self.accounts.append(account)


class Bench:
    """A replica with models, over scripted ports."""

    def __init__(self, behave: Callable[[Call], Behaviour], clock: Clock, **settings: Any) -> None:
        self.clock = clock
        self.caller = ScriptedCaller(behave)
        self.leases = ScriptedLeases()
        self.ledger = Ledger()
        absent: Any = None
        ports = Ports(self.caller, SlowRenderer(), absent, self.leases, absent, absent, absent, absent)
        self.replica = Replica(Settings(**settings), ports, clock, observers=[self.ledger])
        self.pipeline = self.replica.pipeline
        self._version = 0

    async def define(self, *definitions: ModelDefinition | RouteDefinition) -> None:
        changes: list[Change] = []
        for definition in definitions:
            if isinstance(definition, RouteDefinition):
                changes.append(Change(Kind.ROUTE, definition.name, "", definition))
            else:
                changes.append(Change(Kind.MODEL, definition.name, "", compile_model(definition)))
        await self._change(changes)

    async def delete(self, model: str) -> None:
        await self._change([Change(Kind.MODEL, model, "", None)])

    async def _change(self, changes: Sequence[Change]) -> None:
        self._version += 1
        await self.replica.apply(Delta(self._version - 1, self._version, tuple(changes)))

    def model(self, name: str) -> CompiledModel:
        return self.replica.snapshots.current.models[name]

    def held(self) -> dict[str, int]:
        """Everything that a request may hold; all of it is 0 when none is under way."""
        return {
            "places": self.replica.admission.ongoing,
            "in flight": sum(health.in_flight for _, _, health in self.replica.endpoints),
            "upstream": self.caller.open,
            "reservations": self.replica.quotas.reserved(),
        }


def model(name: str, address: str = "", **fields: Any) -> ModelDefinition:
    document = {
        "name": name,
        "provider": "custom",
        "model_name": name,
        "endpoints": {"primary": address or f"http://{name}.example/v1"},
        **fields,
    }
    return ModelDefinition.model_validate(document)


def route(name: str, *targets: str, **fields: Any) -> RouteDefinition:
    return RouteDefinition.model_validate(
        {"name": name, "targets": [{"model": target} for target in targets], **fields}
    )


def request(destination: str, *, stream: bool = False, **body: Any) -> CompletionRequest:
    messages = [{"role": "user", "content": "hello"}]
    return CompletionRequest(Operation.CHAT, destination, {"messages": messages, **body}, stream=stream)


def context(clock: Clock, timeout_s: float | None = None) -> RequestContext:
    ctx = RequestContext(Principal("me"), Trace("t"))
    return ctx if timeout_s is None else replace(ctx, deadline=clock() + timeout_s)
