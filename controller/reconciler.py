"""The one task that makes the cluster's definitions real. Level-triggered: whatever woke it, it looks anew.

LIST → compile → publish if the string changed → read back → write the statuses that changed. Events only
wake it (`operator.py`); nothing they say is believed.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from controller.cluster import Observed, observe
from controller.compile import Compiled, compile_cluster
from controller.dataplane import DataPlane
from controller.leases import Leadership
from controller.publish import Publisher, PublishError, Target
from controller.serve_config import ConfigError, bundle_in, with_bundle
from controller.status import Fitting, Rollout, View
from controller.usage import UsageLedger
from controller.writer import StatusWriter
from voyager_llm.bundle import Bundle
from voyager_llm.crd.conditions import Reason
from voyager_llm.crd.resources import ALLOW_EMPTY
from voyager_llm.domain.definition import Kind
from voyager_llm.domain.retry import backoff_s
from voyager_llm.kube.client import KubeApi, KubeError
from voyager_llm.report import Report

log = logging.getLogger(__name__)

# Changes that come within this long are taken together.
_DEBOUNCE_S = 0.2
# How often to look at the data plane: often while a rollout is under way.
_TICK_S = 10.0
_ROLLOUT_TICK_S = 1.0
# For how long after a publication it is looked at often: the first probes of a new model come then.
_WATCH_S = 30.0
# How often to LIST without being woken: a watch may have lost something.
_RELIST_S = 300.0
# For how long a report stands when the next one does not come.
_REPORT_TRUST_S = 60.0
_BACKOFF_S = (1.0, 30.0)
_STANDBY_S = 1.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one round came to, for the log and for tests."""

    listed: bool
    published: bool
    # Whether every replica holds the configuration.
    settled: bool
    # Whether publishing failed.
    problem: bool
    statuses_written: int


class Reconciler:
    """Runs rounds, one at a time, while it leads."""

    def __init__(
        self,
        api: KubeApi,
        publisher: Publisher,
        dataplane: DataPlane,
        base: dict[str, Any],
        leadership: Leadership | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._api = api
        self._publisher = publisher
        self._dataplane = dataplane
        self._base = base
        self._leadership = leadership
        self._clock = clock
        self._writer = StatusWriter(api, clock)
        self._usage = UsageLedger()
        self._last_report: Report | None = None
        self._reported_at = float("-inf")
        # Ends a pause. Apart from `_stale`, so that what failed waits its time out before it is tried again.
        self._woken = asyncio.Event()
        self._stale = True
        self._listed_at = float("-inf")
        self._published_at = float("-inf")
        self._observed = Observed()
        self._compiled = Compiled(Bundle(), {})
        self._fitting = Fitting(Bundle())
        # The last configuration that all replicas reported to hold.
        self._held = Bundle()

    def wake(self) -> None:
        """Something may have changed: LIST again soon."""
        self._stale = True
        self._woken.set()

    async def run(self) -> None:
        """For ever; cancel to stop."""
        failures = 0
        pause = 0.0
        while True:
            if pause:
                await self._sleep(pause)
            if self._leadership is not None and not self._leadership.held():
                pause = _STANDBY_S
                self._stale = True  # who comes to lead knows nothing yet
                continue
            try:
                outcome = await self.round()
            except KubeError as error:
                log.warning("the round failed: %s", error)
                outcome = None
            if outcome is None or outcome.problem:
                failures += 1
                pause = backoff_s(failures, *_BACKOFF_S)
                continue
            failures = 0
            calm = outcome.settled and self._clock() - self._published_at > _WATCH_S
            pause = _TICK_S if calm else _ROLLOUT_TICK_S

    async def round(self) -> Outcome:
        """One look at everything. Raises `KubeError`; nothing is half done then."""
        listed = self._stale or self._clock() - self._listed_at >= _RELIST_S
        published, target, problem = False, None, None
        self._woken.clear()
        if listed:
            # Before the LIST: what changes while it runs makes it stale again.
            self._stale = False
            try:
                self._observed = await observe(self._api)
            except KubeError:
                self._stale = True
                raise
            self._listed_at = self._clock()
            self._usage.start_from(_counted(self._observed))
        try:
            target = await self._publisher.read()
            if listed:
                self._compiled = compile_cluster(self._observed, bundle_in(target.text) or self._held)
                self._fitting = Fitting(self._compiled.bundle)
            published = await self._publish(target)
        except PublishError as error:
            problem = error
            self._stale = self._stale or target is None  # nothing could be compiled
            log.warning("not published: %s", error.message)
        report = await self._heard()
        rollout = self._rollout(target, problem, report)
        view = View(self._compiled, rollout, report, self._fitting, self._usage.sums(), self._clock())
        written = await self._writer.write(self._observed, view)
        settled = problem is None and rollout.held.digest == self._compiled.bundle.digest
        return Outcome(listed, published, settled, problem is not None, written)

    async def _heard(self) -> Report | None:
        """The data plane's report. One that is silent for a moment is as it was."""
        report = await self._dataplane.report()
        if report is not None:
            self._usage.take(report)
            self._last_report, self._reported_at = report, self._clock()
        elif self._clock() - self._reported_at > _REPORT_TRUST_S:
            self._last_report = None
        return self._last_report

    async def _publish(self, target: Target) -> bool:
        """Publish where the string differs. Raises `PublishError`."""
        bundle = self._compiled.bundle
        models = any(entry.kind is Kind.MODEL for entry in bundle.entries)
        before = bundle_in(target.text) or Bundle()
        if not models and not target.allow_empty and any(e.kind is Kind.MODEL for e in before.entries):
            raise PublishError(
                Reason.SHRINK_REFUSED,
                f"all models are gone; if that is meant, annotate the RayService with {ALLOW_EMPTY}=true",
            )
        try:
            text = with_bundle(self._base, bundle)
        except ConfigError as error:
            raise PublishError(Reason.TOO_LARGE, str(error)) from None
        if text == target.text:
            return False
        await self._publisher.publish(text)
        self._published_at = self._clock()
        log.warning("published %s: %d definitions", bundle.digest[:12], len(bundle.entries))
        return True

    def _rollout(self, target: Target | None, problem: PublishError | None, report: Report | None) -> Rollout:
        """Success is what the replicas report, not that a call returned."""
        held = {replica.published for replica in report.replicas} if report is not None else set[str]()
        if held == {self._compiled.bundle.digest}:
            self._held = self._compiled.bundle
        elif (
            target is not None and (before := bundle_in(target.text)) is not None and held == {before.digest}
        ):
            self._held = before
        if problem is not None:
            return Rollout(self._held, problem.reason, problem.message)
        if target is not None and not target.running:
            return Rollout(self._held, Reason.PENDING, target.message)
        waiting = "no replica reports" if not held else "not every replica holds it yet"
        return Rollout(self._held, Reason.PENDING, waiting)

    async def _sleep(self, seconds: float) -> None:
        """Until woken, and a moment longer, so that what comes together is taken together."""
        try:
            async with asyncio.timeout(seconds):
                await self._woken.wait()
            await asyncio.sleep(_DEBOUNCE_S)
        except TimeoutError:
            pass


def _counted(observed: Observed) -> dict[str, int]:
    """Usage as earlier controllers wrote it, by the prompt's name."""
    counted: dict[str, int] = {}
    for resource, manifest in observed.each():
        if resource.definition is Kind.PROMPT:
            counted[manifest["metadata"]["name"]] = (manifest.get("status") or {}).get("usage_count") or 0
    return counted
