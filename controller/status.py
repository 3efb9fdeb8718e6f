"""Statuses of the objects, out of verdicts and what the data plane reports. Pure: the clock is passed in.

A phase is derived from conditions, never decided beside them. Used by `reconciler.py`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from controller.compile import Compiled, Verdict
from controller.conditions import Finding, as_state, merged
from voyager_llm.definitions.bundle import Bundle, Published
from voyager_llm.definitions.compiler import compile_model
from voyager_llm.definitions.crd.conditions import ConditionType as Type
from voyager_llm.definitions.crd.conditions import Reason
from voyager_llm.definitions.kube.client import Object
from voyager_llm.domain.definition import Kind
from voyager_llm.domain.evaluation import EvaluationDefinition
from voyager_llm.domain.health import Phase
from voyager_llm.domain.model import ModelDefinition
from voyager_llm.domain.prompt import ModelRequirements, PromptDefinition
from voyager_llm.domain.route import RouteDefinition
from voyager_llm.report import ModelReport, Report

Status = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Rollout:
    """How far the configuration has come. ``held`` is what every replica reports to hold."""

    held: Bundle
    reason: Reason = Reason.PENDING
    message: str = ""


class Fitting:
    """Which model offers what a prompt requires; each requirement is looked up once."""

    def __init__(self, bundle: Bundle) -> None:
        self._models = [
            compile_model(ModelDefinition.model_validate(entry.document))
            for entry in bundle.entries
            if entry.kind is Kind.MODEL
        ]
        self._found: dict[ModelRequirements, str] = {}

    def find(self, require: ModelRequirements) -> str:
        """A model's name; empty: none fits."""
        if require not in self._found:
            fitting = (model.name for model in self._models if model.satisfies(require))
            self._found[require] = next(fitting, "")
        return self._found[require]


@dataclass(frozen=True, slots=True)
class View:
    """All that a status is made of."""

    compiled: Compiled
    rollout: Rollout
    report: Report | None
    fitting: Fitting
    # Completions by prompt, over all replicas and their lives.
    uses: Mapping[str, int]
    now: float


def status_of(kind: Kind, manifest: Object, view: View) -> Status:
    """The whole status of an object."""
    verdict = view.compiled.verdicts[kind, manifest["metadata"]["name"]]
    entry = view.compiled.bundle.by_name.get((kind, verdict.name))
    before: Status = manifest.get("status") or {}
    fields, findings = _PARTS[kind](entry, verdict, before, view)
    generation = manifest["metadata"].get("generation", 0)
    conditions = merged(findings, before.get("conditions") or (), generation, timestamp(view.now))
    status = {"observedGeneration": generation, **fields, "conditions": conditions}
    return {name: value for name, value in status.items() if value is not None}


def timestamp(moment: float) -> str:
    """RFC 3339, to the second."""
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _model(
    entry: Published | None, verdict: Verdict, before: Status, view: View
) -> tuple[Status, list[Finding]]:
    reports = _reports(view.report, verdict.name)
    definition = ModelDefinition.model_validate(entry.document) if entry is not None else None
    available = _available(reports)
    refs = _secret(definition, reports)
    programmed = _programmed(Kind.MODEL, entry, view)
    findings = [_accepted(verdict), refs, programmed, available, *_aliases(verdict)]
    key = _key_status(definition, reports, view.now)
    if definition is not None and definition.authentication.rotation_days and key is not None:
        findings.append(_rotation(key["age_days"], definition.authentication.rotation_days))
    findings.append(_ready(findings))
    seen = max((report.last_seen for report in reports), default=0.0)
    return {
        "phase": _phase(verdict, programmed, available),
        "last_health_check": timestamp(seen) if seen else before.get("last_health_check"),
        "availability": _mean(report.availability for report in reports),
        "average_latency_ms": _mean(report.latency_ms for report in reports),
        "key": key,
    }, findings


def _prompt(
    entry: Published | None, verdict: Verdict, before: Status, view: View
) -> tuple[Status, list[Finding]]:
    definition = PromptDefinition.model_validate(entry.document) if entry is not None else None
    fitting = view.fitting.find(definition.model_requirements) if definition is not None else ""
    programmed = _programmed(Kind.PROMPT, entry, view)
    models = Finding(
        Type.MODELS_AVAILABLE, "True", Reason.FITTING_MODEL, f"for example {fitting}"
    ) if fitting else Finding(
        Type.MODELS_AVAILABLE, "False", Reason.NO_FITTING_MODEL, "no ModelDefinition offers what it requires"
    )  # fmt: skip
    findings = [_accepted(verdict), programmed, models, *_aliases(verdict)]
    findings.append(_ready(findings))
    version = definition.version if definition is not None else None
    moved = before.get("version") != version or not before.get("last_updated")
    phase = "Invalid" if not verdict.accepted else "Pending" if programmed.status != "True" else "Ready"
    return {
        "phase": "Degraded" if phase == "Ready" and models.status != "True" else phase,
        "version": version,
        # Never fewer than were counted before.
        "usage_count": max(view.uses.get(verdict.name, 0), before.get("usage_count") or 0),
        "average_rating": before.get("average_rating"),
        "last_updated": timestamp(view.now) if moved else before.get("last_updated"),
    }, findings


def _route(
    entry: Published | None, verdict: Verdict, before: Status, view: View
) -> tuple[Status, list[Finding]]:
    definition = RouteDefinition.model_validate(entry.document) if entry is not None else None
    targets = definition.targets if definition is not None else ()
    states = [_available(_reports(view.report, target.model)) for target in targets]
    available = _of_targets(states)
    refs = Finding(
        Type.RESOLVED_REFS, as_state(verdict.refs is Reason.RESOLVED), verdict.refs, verdict.refs_message
    )
    programmed = _programmed(Kind.ROUTE, entry, view)
    findings = [_accepted(verdict), refs, programmed, available, *_aliases(verdict)]
    findings.append(_ready(findings))
    phase = _phase(verdict, programmed, available)
    return {
        "phase": "Degraded" if phase == "Ready" and refs.status != "True" else phase,
        "targets": len(targets),
        "available_targets": sum(state.status == "True" for state in states),
    }, findings


def _of_targets(states: Sequence[Finding]) -> Finding:
    """Available as long as one target is."""
    reached = [state for state in states if state.status == "True"]
    text = f"{len(reached)} of {len(states)} targets are available"
    if reached:
        healthy = len(reached) == len(states) and all(state.reason is Reason.HEALTHY for state in states)
        return Finding(Type.AVAILABLE, "True", Reason.HEALTHY if healthy else Reason.DEGRADED, text)
    if not states or any(state.status == "Unknown" for state in states):
        return Finding(Type.AVAILABLE, "Unknown", Reason.NO_TRAFFIC, "no call and no probe was made yet")
    return Finding(Type.AVAILABLE, "False", Reason.UNHEALTHY, text)


def _evaluation(
    entry: Published | None, verdict: Verdict, before: Status, view: View
) -> tuple[Status, list[Finding]]:
    definition = EvaluationDefinition.model_validate(entry.document) if entry is not None else None
    suspended = definition is not None and definition.suspend
    found = verdict.refs is Reason.RESOLVED
    score = before.get("current_score")
    met = None if score is None or definition is None else score >= definition.thresholds.minimum_score
    findings = [
        _accepted(verdict),
        Finding(Type.RESOLVED_REFS, as_state(found), verdict.refs, verdict.refs_message),
        Finding(Type.PROGRESSING, "False", Reason.NOT_RUN),
        Finding(Type.THRESHOLD_MET, as_state(met), _THRESHOLD[met]),
        Finding(Type.SUSPENDED, as_state(suspended), Reason.SUSPENDED if suspended else Reason.SCHEDULED),
    ]
    findings.append(_ready(findings[:2]))
    phase = (
        "Invalid" if not verdict.accepted else "Suspended" if suspended else "Ready" if found else "Pending"
    )
    kept = ("last_evaluation", "current_score", "trend", "evaluations_run")
    issues = [verdict.refs_message] if verdict.refs_message else [] if verdict.accepted else [verdict.message]
    return {"phase": phase, **{name: before.get(name) for name in kept}, "issues": issues or None}, findings


_THRESHOLD = {None: Reason.NOT_RUN, True: Reason.MINIMUM_REACHED, False: Reason.BELOW_MINIMUM}
_PARTS = {Kind.MODEL: _model, Kind.PROMPT: _prompt, Kind.ROUTE: _route, Kind.EVALUATION: _evaluation}


def _accepted(verdict: Verdict) -> Finding:
    return Finding(Type.ACCEPTED, as_state(verdict.accepted), verdict.reason, verdict.message)


def _aliases(verdict: Verdict) -> list[Finding]:
    if not verdict.has_aliases:
        return []
    reason = Reason.NAME_TAKEN if verdict.aliases_message else Reason.GRANTED
    granted = as_state(not verdict.aliases_message)
    return [Finding(Type.ALIASES_GRANTED, granted, reason, verdict.aliases_message)]


def _programmed(kind: Kind, entry: Published | None, view: View) -> Finding:
    held = None if entry is None else view.rollout.held.by_name.get((kind, entry.name))
    if entry is not None and held is not None and held.document == entry.document:
        return Finding(Type.PROGRAMMED, "True", Reason.PROGRAMMED, "every replica holds it")
    return Finding(Type.PROGRAMMED, "False", view.rollout.reason, view.rollout.message)


def _reports(report: Report | None, name: str) -> list[ModelReport]:
    replicas = report.replicas if report is not None else ()
    return [replica.models[name] for replica in replicas if name in replica.models]


def _available(reports: Iterable[ModelReport]) -> Finding:
    """Available as long as one replica reaches an endpoint."""
    heard = [report for report in reports if report.phase is not Phase.PENDING]
    message = next((report.message for report in heard if report.message), "")
    phases = {report.phase for report in heard}
    if not phases:
        return Finding(Type.AVAILABLE, "Unknown", Reason.NO_TRAFFIC, "no call and no probe was made yet")
    if phases == {Phase.UNAVAILABLE}:
        return Finding(Type.AVAILABLE, "False", Reason.UNHEALTHY, message)
    healthy = phases == {Phase.READY}
    return Finding(Type.AVAILABLE, "True", Reason.HEALTHY if healthy else Reason.DEGRADED, message)


def _phase(verdict: Verdict, programmed: Finding, available: Finding) -> str:
    if not verdict.accepted:
        return "Invalid"
    if programmed.status != "True" or available.status == "Unknown":
        return "Pending"
    if available.status == "False":
        return "Unavailable"
    return "Ready" if available.reason is Reason.HEALTHY else "Degraded"


def _secret(definition: ModelDefinition | None, reports: Iterable[ModelReport]) -> Finding:
    """Whether the replicas can read the key that the model names."""
    reference = definition.authentication.secret_ref if definition is not None else None
    if reference is not None and any(report.key_missing for report in reports):
        text = (
            f"secret {reference.name}, key {reference.key}, cannot be read: "
            "mount it, or let the service's role read it"
        )
        return Finding(Type.RESOLVED_REFS, "False", Reason.SECRET_NOT_FOUND, text)
    return Finding(Type.RESOLVED_REFS, "True", Reason.RESOLVED)


def _key_status(
    definition: ModelDefinition | None, reports: Iterable[ModelReport], now: float
) -> dict[str, Any] | None:
    written = max((report.key_written for report in reports), default=0.0)
    if definition is None or definition.authentication.secret_ref is None or not written:
        return None
    return {"last_rotated": timestamp(written), "age_days": int(max(0.0, now - written) // 86_400)}


def _rotation(age_days: int, allowed: int) -> Finding:
    if age_days >= allowed:
        return Finding(
            Type.ROTATION_DUE, "True", Reason.KEY_OLD, f"{age_days} days old; {allowed} are allowed"
        )
    return Finding(Type.ROTATION_DUE, "False", Reason.KEY_FRESH)


def _ready(findings: Iterable[Finding]) -> Finding:
    """Ready unless something that matters is not; the first such thing is the reason."""
    for finding in findings:
        if finding.type is not Type.ROTATION_DUE and finding.status != "True":
            return Finding(Type.READY, "False", finding.reason, finding.message)
    return Finding(Type.READY, "True", Reason.READY)


def _mean(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return round(sum(known) / len(known), 3) if known else None
