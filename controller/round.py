"""One round of the reconciler as values: what is wanted, what came of publishing it, how far it is held.

Pure: no clock, no network. Used by `reconciler.py`, top to bottom.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from controller.cluster import Observed
from controller.compile import Compiled, compile_cluster
from controller.publish import PublishError, Target
from controller.serve_config import ConfigError, with_definitions
from controller.status import Fitting, Rollout
from voyager_llm.definitions.bundle import Bundle
from voyager_llm.definitions.crd.conditions import Reason
from voyager_llm.definitions.crd.resources import ALLOW_EMPTY
from voyager_llm.domain.definition import Kind
from voyager_llm.report import Report


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the cluster asked for when it was listed last."""

    observed: Observed = field(default_factory=Observed)
    compiled: Compiled = field(default_factory=lambda: Compiled(Bundle(), {}))
    fitting: Fitting = field(default_factory=lambda: Fitting(Bundle()))


@dataclass(frozen=True, slots=True)
class Publication:
    """What came of publishing. ``target``: what was published before, and ``before`` its definitions; None
    where that could not be read."""

    target: Target | None = None
    before: Bundle | None = None
    changed: bool = False
    problem: PublishError | None = None


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


def wanted_of(observed: Observed, last: Bundle) -> Wanted:
    """``last`` is what was published before: the source of last good versions."""
    compiled = compile_cluster(observed, last)
    return Wanted(observed, compiled, Fitting(compiled.bundle))


def refuse_shrinking(before: Bundle | None, bundle: Bundle, target: Target) -> None:
    """Raises `PublishError` where nobody can mean what is to be published."""
    if before is not None and _has_models(before) and not _has_models(bundle) and not target.allow_empty:
        raise PublishError(
            Reason.SHRINK_REFUSED,
            f"all models are gone; if that is meant, annotate the RayService with {ALLOW_EMPTY}=true",
        )


def text_of(base: dict[str, Any], user_config: Mapping[str, str]) -> str:
    """What is to be published. Raises `PublishError` where it is too large."""
    try:
        return with_definitions(base, user_config)
    except ConfigError as error:
        raise PublishError(Reason.TOO_LARGE, str(error)) from None


def held_of(report: Report | None, bundle: Bundle, publication: Publication, last: Bundle) -> Bundle:
    """The last configuration that all replicas reported to hold: success is what they say, not that a call
    returned. ``last`` is what it was before."""
    reported = _reported(report)
    for candidate in (bundle, publication.before):
        if candidate is not None and reported == {candidate.digest}:
            return candidate
    return last


def rollout_of(report: Report | None, publication: Publication, held: Bundle) -> Rollout:
    """How far the configuration has come, and why no further."""
    if publication.problem is not None:
        return Rollout(held, publication.problem.reason, publication.problem.message)
    if publication.target is not None and not publication.target.running:
        return Rollout(held, Reason.PENDING, publication.target.message)
    if report is not None and report.publication:
        return Rollout(held, Reason.PUBLICATION_UNREADABLE, report.publication)
    waiting = "not every replica holds it yet" if _reported(report) else "no replica reports"
    return Rollout(held, Reason.PENDING, waiting)


def _reported(report: Report | None) -> set[str]:
    return set() if report is None else {replica.published for replica in report.replicas}


def _has_models(bundle: Bundle) -> bool:
    return any(entry.kind is Kind.MODEL for entry in bundle.entries)
