"""Fields of what a provider reports, whatever JSON it is. Used by `usage_reports.py`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from voyager_llm.domain.usage import MOST

Report = Mapping[str, Any]
NOTHING: Report = {}


def part(report: Report, key: str) -> Report:
    """The object under a key; an empty one where there is none."""
    found = report.get(key)
    return cast("Report", found) if isinstance(found, dict) else NOTHING


def count(report: Report, key: str) -> int:
    """The count under a key; 0 where it is none."""
    value = report.get(key)
    if type(value) is int:
        return max(0, value)
    return int(value) if isinstance(value, float) and 0 < value <= MOST else 0


def text(report: Report, key: str) -> str:
    """The text under a key in small letters; empty where it is none."""
    value = report.get(key)
    return value.lower() if isinstance(value, str) else ""


def rows(report: Report, key: str) -> list[Report]:
    """The objects of the list under a key."""
    found = report.get(key)
    if not isinstance(found, list):
        return []
    return [cast("Report", row) for row in cast("list[Any]", found) if isinstance(row, dict)]
