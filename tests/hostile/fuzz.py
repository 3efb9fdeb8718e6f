"""Random templates under limits of the kernel. Started by `test_templates.py`.

    python -m tests.hostile.fuzz

ends with an error, and hypothesis' example, when a template is not bounded or raises what is no error of
ours.
"""

from __future__ import annotations

import resource
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings

from tests.hostile import grammar
from voyager_llm.errors import RenderFailed, TemplateInvalid
from voyager_llm.templating.budget import UNITS, Budget
from voyager_llm.templating.syntax import Tokens
from voyager_llm.templating.template import compiled

EXAMPLES = 100
CPU_SECONDS = 100
ADDRESS_BYTES = 700_000_000
# About ten times what is measured: 0.5 µs for a unit, and 8 µs for a token.
SECONDS_PER_UNIT = 5e-6
SECONDS_BESIDE = 1.5

ours = settings(
    max_examples=EXAMPLES,
    deadline=None,
    database=None,
    phases=(Phase.generate, Phase.shrink),
    suppress_health_check=list(HealthCheck),
    print_blob=False,
)


@ours
@given(grammar.templates, grammar.variables)
def templates_are_bounded(source: str, variables: dict[str, Any]) -> None:
    budget = Budget()
    start = time.process_time()
    try:
        compiled(source, Tokens()).render(variables, budget)
    except (TemplateInvalid, RenderFailed) as error:
        assert "MemoryError" not in error.message  # noqa: PT017
    spent = min(UNITS, UNITS - budget.left)
    seconds = time.process_time() - start
    assert seconds < SECONDS_BESIDE + spent * SECONDS_PER_UNIT, (seconds, spent)


@ours
@given(grammar.soup)
def nonsense_is_refused(source: str) -> None:
    with suppress(TemplateInvalid, RenderFailed):
        compiled(source, Tokens()).render({"x": "y"}, Budget())


def main(properties: tuple[Callable[[], None], ...] = (templates_are_bounded, nonsense_is_refused)) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_BYTES, ADDRESS_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
    for run in properties:
        run()


if __name__ == "__main__":
    main()
