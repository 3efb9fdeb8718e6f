"""One replica of the ingress, put together: the same for Serve and for tests.

`model_router.py` builds it of handles to other deployments, tests of the same stages in one process.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from deployments.health.prober import Prober
from deployments.health.status_board import StatusBoard
from deployments.ingress.anthropic.api import AnthropicApi
from deployments.ingress.http import Codecs, HttpIngress
from deployments.ingress.identity import Authenticator
from deployments.ingress.openai.api import OpenAIApi
from deployments.ingress.openai.further import FurtherApi
from deployments.ingress.openai.responses.api import ResponsesApi
from deployments.ingress.rest.transcoder import Transcoder
from deployments.ingress.rpc.service import handlers_of
from deployments.request.accounts import Accounts, Observer
from deployments.request.admission import Admission
from deployments.request.attempt import Line
from deployments.request.endpoints import EndpointTable
from deployments.request.failures import FailureLog
from deployments.request.limits import Limits
from deployments.request.meter import Meter
from deployments.request.pipeline import Pipeline
from deployments.request.quotas import Quotas
from deployments.request.routing import Routing
from deployments.secrets.places import secrets_of
from voyager_llm.clock import Clock
from voyager_llm.domain.definition import Kind
from voyager_llm.domain.health import HealthPolicy
from voyager_llm.ports import (
    Caller,
    Definitions,
    LeaseSource,
    Renderer,
    ResponseStore,
    Scorer,
    Settlements,
)
from voyager_llm.report import ReplicaReport
from voyager_llm.settings import Settings
from voyager_llm.snapshot import Delta, SnapshotCell


class Source(Protocol):
    """Where a replica gets the configuration that it missed."""

    async def since(self, version: int) -> Sequence[Delta]: ...


@dataclass(frozen=True, slots=True)
class Ports:
    """What a replica needs of others, wherever they run."""

    caller: Caller
    renderer: Renderer
    definitions: Definitions
    leases: LeaseSource
    source: Source
    scorer: Scorer
    responses: ResponseStore
    settlements: Settlements


class Replica:
    """Its parts. Nothing runs by itself: whoever built it runs `prober` and calls `catch_up`."""

    def __init__(
        self,
        settings: Settings,
        ports: Ports,
        clock: Clock = time.monotonic,
        observers: Sequence[Observer] = (),
    ) -> None:
        self._settings = settings
        self._source = ports.source
        self.snapshots = SnapshotCell()
        self.endpoints = EndpointTable(HealthPolicy(repeats=settings.retry_budget_share))
        self.meter = Meter(self.endpoints, clock)
        self.quotas = Quotas(ports.leases, clock)
        self.admission = Admission(settings.max_ongoing_requests)
        limits = Limits(self.snapshots, self.quotas)
        self.pipeline = Pipeline(
            snapshots=self.snapshots,
            admission=self.admission,
            renderer=ports.renderer,
            routing=Routing(self.endpoints, settings),
            line=Line(ports.caller, self.quotas, clock),
            accounts=Accounts(self.snapshots, [self.meter, FailureLog(clock), *observers], clock),
            limits=limits,
            settings=settings,
        )
        secrets = secrets_of(settings)
        self.authenticator = Authenticator(settings, secrets)
        self.prober = Prober(self.snapshots, self.endpoints, ports.caller, settings.probe_interval_s, clock)
        self.statuses = StatusBoard(self.snapshots, self.endpoints, secrets)
        self.handlers = handlers_of(ports.definitions, self.pipeline, ports.scorer, self.statuses)
        keep_alive_s = settings.keep_alive_s
        self.codecs = Codecs(
            openai=OpenAIApi(self.pipeline, self.snapshots, limits, keep_alive_s),
            further=FurtherApi(self.pipeline, ports.settlements),
            responses=ResponsesApi(self.pipeline, ports.responses, limits, keep_alive_s),
            anthropic=AnthropicApi(self.pipeline, self.snapshots, limits, keep_alive_s),
            rest=Transcoder(self.handlers),
        )
        self.meter.ongoing.set_function(lambda: self.admission.ongoing)

    def ingress(
        self,
        is_ready: Callable[[], bool],
        metrics: Callable[[bool], Awaitable[bytes]],
        reports: Callable[[], Awaitable[bytes]],
    ) -> HttpIngress:
        """The ASGI application; what concerns more than this replica is handed in."""
        return HttpIngress(
            self.codecs, self.authenticator, is_ready, metrics, reports, self._settings,
        )  # fmt: skip

    async def apply(self, delta: Delta) -> None:
        """Take a change of the configuration; what does not fit is asked for."""
        if not self._take(delta):
            await self.catch_up()

    async def catch_up(self) -> None:
        """Take what was missed."""
        for delta in await self._source.since(self.snapshots.current.version):
            self._take(delta)

    def _take(self, delta: Delta) -> bool:
        """The one way of a change into this replica."""
        before = self.snapshots.current
        if not self.snapshots.apply(delta):
            return False
        config = self.snapshots.current
        changed = {change.name for change in delta.changes if change.kind is Kind.MODEL}
        if not delta.base:
            changed |= before.models.keys()
        self.endpoints.follow(config, changed)
        self.quotas.follow(config)
        self.meter.config_version.set(config.version)
        return True

    async def report(self, name: str) -> ReplicaReport:
        """What this replica, called ``name``, holds and sees."""
        config = self.snapshots.current
        return ReplicaReport(
            replica=name,
            version=config.version,
            published=config.published,
            models=await self.statuses.reports(),
            prompts=dict(self.meter.prompt_uses),
        )
