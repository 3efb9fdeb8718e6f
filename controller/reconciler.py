"""The one task that makes the cluster's definitions real. Level-triggered: whatever woke it, it looks anew.

LIST → compile → publish if the string changed → read back → write the statuses that changed. What these hand
on are values (`round.py`). Events only wake it (`operator.py`); nothing they say is believed.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Any

from controller.cluster import Observed, observe
from controller.dataplane import DataPlane
from controller.hearing import Hearing
from controller.leases import Leadership
from controller.publish import Publisher, PublishError, Target
from controller.round import (
    Outcome,
    Publication,
    Wanted,
    held_of,
    refuse_shrinking,
    rollout_of,
    text_of,
    wanted_of,
)
from controller.shelf import Shelf
from controller.status import View
from controller.writer import StatusWriter
from voyager_llm.definitions.bundle import Bundle
from voyager_llm.definitions.kube.client import KubeApi, KubeError
from voyager_llm.domain.retry import backoff_s

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
_BACKOFF_S = (1.0, 30.0)
_STANDBY_S = 1.0


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
        self._shelf = Shelf(api)
        self._base = base
        self._leadership = leadership
        self._clock = clock
        self._hearing = Hearing(dataplane, clock)
        self._writer = StatusWriter(api, clock)
        # Ends a pause. Apart from `_stale`, so that what failed waits its time out before it is tried again.
        self._woken = asyncio.Event()
        self._stale = True
        self._listed_at = float("-inf")
        self._published_at = float("-inf")
        # Carried from round to round.
        self._wanted = Wanted()
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
        self._woken.clear()
        observed = await self._observed()
        publication = await self._published(observed)
        report = await self._hearing.report()
        wanted = self._wanted
        self._held = held_of(report, wanted.compiled.bundle, publication, self._held)
        rollout = rollout_of(report, publication, self._held)
        view = View(wanted.compiled, rollout, report, wanted.fitting, self._hearing.uses(), self._clock())
        written = await self._writer.write(wanted.observed, view)
        failed = publication.problem is not None
        settled = not failed and self._held.digest == wanted.compiled.bundle.digest
        if settled and (gone := await self._shelf.settled()):
            log.info("%d objects of older publications are deleted", gone)
        return Outcome(observed is not None, publication.changed, settled, failed, written)

    async def _observed(self) -> Observed | None:
        """The cluster anew; None: what was listed last still stands."""
        if not self._stale and self._clock() - self._listed_at < _RELIST_S:
            return None
        # Before the LIST: what changes while it runs makes it stale again.
        self._stale = False
        try:
            observed = await observe(self._api)
        except KubeError:
            self._stale = True
            raise
        self._listed_at = self._clock()
        self._hearing.start_from(observed)
        return observed

    async def _published(self, observed: Observed | None) -> Publication:
        """Compile what was listed, and publish it where the string differs."""
        target: Target | None = None
        before: Bundle | None = None
        try:
            target = await self._publisher.read()
            before = await self._shelf.find(target.text)
            if observed is not None:
                # Apart from the loop, which has a lease to renew: a template takes milliseconds to check.
                self._wanted = await asyncio.to_thread(wanted_of, observed, before or self._held)
            bundle = self._wanted.compiled.bundle
            refuse_shrinking(before, bundle, target)
            anew = observed is not None or self._hearing.misses_publication
            text = text_of(self._base, await self._shelf.put(bundle, anew=anew))
            if text == target.text:
                return Publication(target, before)
            await self._publisher.publish(text)
        except PublishError as problem:
            self._stale = self._stale or target is None  # nothing could be compiled
            log.warning("not published: %s", problem.message)
            return Publication(target, before, problem=problem)
        self._published_at = self._clock()
        log.warning("published %s: %d definitions", bundle.digest[:12], len(bundle.entries))
        return Publication(target, before, changed=True)

    async def _sleep(self, seconds: float) -> None:
        """Until woken, and a moment longer, so that what comes together is taken together."""
        try:
            async with asyncio.timeout(seconds):
                await self._woken.wait()
            await asyncio.sleep(_DEBOUNCE_S)
        except TimeoutError:
            pass
