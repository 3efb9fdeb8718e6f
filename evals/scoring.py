"""Scores pairs of output and reference by named measurements. Used by the evaluation pool."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from types import MappingProxyType

from evals.metrics.keyword_coverage import keyword_coverage
from evals.metrics.semantic_similarity import semantic_similarity
from voyager_llm.errors import InvalidArgument

Measurement = Callable[[str, str], float]

MEASUREMENTS: Mapping[str, Measurement] = MappingProxyType(
    {"keyword_coverage": keyword_coverage, "semantic_similarity": semantic_similarity}
)


# Characters of one text. The embeddings of so many take a third of a second.
MOST_CHARACTERS = 100_000
# Of the texts that are scored in one turn.
_IN_A_TURN = 20_000


def turns(pairs: Sequence[tuple[str, str]]) -> Iterator[Sequence[tuple[str, str]]]:
    """The pairs in parts that are scored in a moment, so that others have their turn in between.

    Raises `InvalidArgument` for a text that is too long to be scored in one."""
    first = size = 0
    for i, pair in enumerate(pairs):
        for side, text in zip(("output", "reference"), pair, strict=True):
            if len(text) > MOST_CHARACTERS:
                raise InvalidArgument(f"is longer than {MOST_CHARACTERS} characters", f"pairs.{i}.{side}")
        size += len(pair[0]) + len(pair[1])
        if size > _IN_A_TURN and i > first:
            yield pairs[first:i]
            first, size = i, len(pair[0]) + len(pair[1])
    yield pairs[first:]


def score(pairs: Sequence[tuple[str, str]], measurements: Sequence[str]) -> list[list[float]]:
    """A row for each pair, a column for each measurement. Raises `InvalidArgument`."""
    functions: list[Measurement] = []
    for name in measurements:
        if name not in MEASUREMENTS:
            known = ", ".join(sorted(MEASUREMENTS))
            raise InvalidArgument(f"{name!r} is not among the measurements: {known}", "metrics.measurement")
        functions.append(MEASUREMENTS[name])
    return [[measure(output, reference) for measure in functions] for output, reference in pairs]
