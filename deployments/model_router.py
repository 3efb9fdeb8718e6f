"""ModelRouter: the ingress deployment. Composes the stages of one replica and keeps its snapshot.

HTTP comes in through `__serve_build_asgi_app__`, gRPC through the methods of `GrpcMethods`; both are thin
over the pipeline. Wrapped in `serve_app/app.py`.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ray import serve
from ray.serve.handle import DeploymentHandle

from deployments.health.leaving import Leaving
from deployments.health.readiness import Readiness
from deployments.hop.series import HopSeries
from deployments.ingress.http import HttpIngress
from deployments.ingress.metrics import merged
from deployments.ingress.rpc.methods import GrpcMethods
from deployments.replica import Ports, Replica
from deployments.serving.deltas import Parcel, unpacked
from deployments.serving.door import Door
from deployments.serving.handles import HubClient, RemoteScorer
from deployments.serving.process import prepare
from deployments.stages import Stages
from voyager_llm.domain.quota import Grant
from voyager_llm.errors import VoyagerError
from voyager_llm.ports import Caller, Renderer
from voyager_llm.report import ReplicaReport, Report
from voyager_llm.settings import Settings, settings

log = logging.getLogger(__name__)

# A delta that got lost on its way is noticed after at most this long.
_RESYNC_SECONDS = 5.0


class ModelRouter(GrpcMethods):
    """One replica of the ingress.

    ``caller`` and ``renderer`` are handles to deployments, or makers of the stage in this process."""

    def __init__(
        self,
        hub: DeploymentHandle[Any],
        scorer: DeploymentHandle[Any],
        caller: DeploymentHandle[Any] | Callable[[Settings], Caller],
        renderer: DeploymentHandle[Any] | Callable[[], Renderer],
    ) -> None:
        prepare()
        self._hub = HubClient(hub)
        self._stages = Stages(caller, renderer, settings())
        ports = Ports(
            caller=self._stages.caller,
            renderer=self._stages.renderer,
            definitions=self._hub,
            leases=self._hub,
            source=self._hub,
            scorer=RemoteScorer(scorer),
            responses=self._hub,
            settlements=self._hub,
        )
        self._replica = Replica(settings(), ports)
        self._replica.meter.registry.register(HopSeries(self._stages.peers))
        self.authenticator = self._replica.authenticator
        self.handlers = self._replica.handlers
        self._readiness = Readiness([self.authenticator.check, *self._stages.pings])
        self.leaving = Leaving(Door.is_closing)
        self._background: set[asyncio.Task[None]] = set()

    def __serve_build_asgi_app__(self) -> HttpIngress:
        self._stages.start()
        for work in (
            self._resync(),
            self._replica.prober.run(),
            self._readiness.watch(),
            self.leaving.watch(),
        ):
            self._background.add(asyncio.get_running_loop().create_task(work))
        ingress = self._replica.ingress(self.ready, self._metrics, self._reports)
        Door.open_to(ingress)
        return ingress

    def ready(self) -> bool:
        return self._replica.snapshots.current.version > 0 and self._readiness.holds()

    async def apply(self, parcel: Parcel) -> int:
        """Take a change of the configuration; called by the hub. Returns the version in force."""
        await self._replica.apply(await unpacked(parcel))
        return self._replica.snapshots.current.version

    async def metrics_text(self) -> tuple[str, bytes]:
        """This replica's name and metrics; called by the hub."""
        return _name(), self._replica.meter.text()

    async def granted(self) -> Mapping[str, Sequence[Grant]]:
        """What this replica was leased lately, by model; called by a hub that starts anew."""
        return self._replica.quotas.granted()

    async def report(self) -> ReplicaReport:
        """What this replica holds and sees; called by the hub."""
        return await self._replica.report(_name())

    async def _reports(self) -> bytes:
        """Every replica's report; this one's where the hub does not bring the others'."""
        try:
            report = await self._hub.report()
        except VoyagerError as error:
            report = Report(replicas=(await self.report(),), incomplete=str(error))
        return report.model_dump_json(exclude_defaults=True).encode()

    async def _metrics(self, every: bool) -> bytes:
        """This replica's metrics, or every one's with the replica as a label. Where the hub does not bring
        the others', a comment says so."""
        if not every:
            return self._replica.meter.text()
        try:
            return merged(await self._hub.metrics())
        except VoyagerError as error:
            return f"# This replica alone: {error}\n".encode() + merged([await self.metrics_text()])

    async def _resync(self) -> None:
        """Ask the hub for what was missed, at the start and now and then; say once why it cannot be asked."""
        said = ""
        while True:
            try:
                await self._replica.catch_up()
                pause = _RESYNC_SECONDS
                if said:
                    log.warning("the config hub answers again")
                    said = ""
            except Exception as error:
                if str(error) != said:
                    said = str(error)
                    ours = isinstance(error, VoyagerError)
                    log.warning("going on with the definitions that are known: %s", said, exc_info=not ours)
                pause = 1.0
            await asyncio.sleep(pause * random.uniform(0.75, 1.25))


def _name() -> str:
    return serve.get_replica_context().replica_id.unique_id
