"""Conditions as they are kept: a transition time moves only when a status does. Used by `status.py`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from voyager_llm.definitions.crd.conditions import ConditionType, Reason

State = Literal["True", "False", "Unknown"]


@dataclass(frozen=True, slots=True)
class Finding:
    """What a condition says now."""

    type: ConditionType
    status: State
    reason: Reason
    message: str = ""


def as_state(value: bool | None) -> State:
    """None is Unknown."""
    return "Unknown" if value is None else "True" if value else "False"


def merged(
    findings: Iterable[Finding], before: Iterable[Mapping[str, Any]], generation: int, now: str
) -> list[dict[str, Any]]:
    """The findings as conditions, with the transition times of ``before`` where nothing turned.

    ``generation`` is the object's that was looked at, ``now`` is RFC 3339."""
    known = {condition["type"]: condition for condition in before}
    result: list[dict[str, Any]] = []
    for finding in findings:
        old = known.get(finding.type)
        same = old is not None and old["status"] == finding.status
        result.append(
            {
                "type": finding.type.value,
                "status": finding.status,
                "reason": finding.reason.value,
                "message": finding.message,
                "lastTransitionTime": old["lastTransitionTime"] if same and old else now,
                "observedGeneration": generation,
            }
        )
    return result
