"""Scores pairs of output and reference by named measurements. Used by the evaluation pool."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

from evals.metrics.keyword_coverage import keyword_coverage
from evals.metrics.semantic_similarity import semantic_similarity
from voyager_llm.errors import InvalidArgument

Measurement = Callable[[str, str], float]

MEASUREMENTS: Mapping[str, Measurement] = MappingProxyType(
    {"keyword_coverage": keyword_coverage, "semantic_similarity": semantic_similarity}
)


def score(pairs: Sequence[tuple[str, str]], measurements: Sequence[str]) -> list[list[float]]:
    """A row for each pair, a column for each measurement. Raises `InvalidArgument`."""
    functions: list[Measurement] = []
    for name in measurements:
        if name not in MEASUREMENTS:
            known = ", ".join(sorted(MEASUREMENTS))
            raise InvalidArgument(f"{name!r} is not among the measurements: {known}", "metrics.measurement")
        functions.append(MEASUREMENTS[name])
    return [[measure(output, reference) for measure in functions] for output, reference in pairs]
