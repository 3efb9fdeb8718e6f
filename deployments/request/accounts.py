"""What a request came to, made once when it is over and told to whoever counts. Used by `pipeline.py`."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Protocol

from deployments.request.attempt import Attempt
from deployments.request.walk import Walk
from voyager_llm.clock import Clock
from voyager_llm.domain.completion import Account, CompletionRequest
from voyager_llm.domain.price import Price, cost_of
from voyager_llm.domain.prompt import PromptDefinition
from voyager_llm.domain.request import RequestContext
from voyager_llm.domain.route import RouteDefinition
from voyager_llm.domain.usage import NOTHING_USED
from voyager_llm.errors import Cancelled, VoyagerError, public
from voyager_llm.snapshot import SnapshotCell

log = logging.getLogger(__name__)


class Observer(Protocol):
    """Hears of each request once, when it is over. Waits for nothing."""

    def ended(self, ctx: RequestContext, account: Account) -> None: ...


@dataclass(frozen=True, slots=True)
class Course:
    """What a request was, for its account. ``started`` in the clock's seconds."""

    ctx: RequestContext
    request: CompletionRequest
    prompt: PromptDefinition | None
    started: float


class Accounts:
    """Closes the books of each request."""

    def __init__(self, snapshots: SnapshotCell, observers: Sequence[Observer], clock: Clock) -> None:
        self._snapshots = snapshots
        self._observers = observers
        self._clock = clock

    def answered(self, course: Course, walk: Walk, attempt: Attempt) -> Account:
        """The account of an exchange that is closed. An answer is served whatever its books say; what ended
        it early is given what its attempts showed."""
        try:
            account = self._account(course, walk, attempt, attempt.fault)
        except Exception:
            log.exception("an answer could not be accounted for (trace %s)", course.ctx.trace.id)
            account = Account("unaccounted", "", *self._names(course, walk), attempts=tuple(walk.tried))
        if attempt.fault is not None:
            attempt.fault.causes = _causes(account)
        self._tell(course.ctx, account)
        return account

    def failed(self, course: Course, walk: Walk | None, error: BaseException) -> None:
        """The account of a request that nobody answered. Gives ``error`` what its attempts showed."""
        fault = public(error) if isinstance(error, Exception) else Cancelled("the client went away")
        account = self._account(course, walk, None, fault)
        fault.causes = _causes(account)
        self._tell(course.ctx, account)

    def _account(
        self, course: Course, walk: Walk | None, attempt: Attempt | None, fault: VoyagerError | None
    ) -> Account:
        route, model = self._names(course, walk)
        prompt = course.prompt
        used, cost, model_used = NOTHING_USED, Decimal(0), ""
        if attempt is not None:
            option = attempt.option
            used, model, model_used = attempt.used(), option.model.name, option.endpoint.model_name
            cost = cost_of(used, _in_force(option.model.price, self._clock() - course.started))
        return Account(
            outcome=fault.code if fault is not None else "ok",
            cause=str(fault) if fault is not None else "",
            route=route,
            model=model,
            model_used=model_used,
            usage=used,
            cost=cost,
            attempts=tuple(walk.tried) if walk is not None else (),
            duration_s=self._clock() - course.started,
            first_block_s=attempt.first_s if attempt is not None and course.request.stream else 0.0,
            prompt_name=prompt.name if prompt is not None else "",
            prompt_version=prompt.version if prompt is not None else "",
        )

    def _names(self, course: Course, walk: Walk | None) -> tuple[str, str]:
        """(route, model), as far as they exist: clients must not be able to make up names."""
        named = self._snapshots.current.find(course.request.destination)
        tried = walk.tried[-1].model if walk is not None and walk.tried else ""
        if isinstance(named, RouteDefinition):
            return named.name, tried
        return "", tried or (named.name if named is not None else "")

    def _tell(self, ctx: RequestContext, account: Account) -> None:
        for observer in self._observers:
            try:
                observer.ended(ctx, account)
            except Exception:
                log.exception("%s failed (trace %s)", type(observer).__name__, ctx.trace.id)


def _in_force(price: Price, ago_s: float) -> Price:
    """The price when a request came, so long ago."""
    return price.at(datetime.now(UTC) - timedelta(seconds=ago_s)) if price.changes else price


def _causes(account: Account) -> tuple[str, ...]:
    return tuple(f"{tried.endpoint}: {tried.message}" for tried in account.attempts)
