"""The evaluation pool: replicas that score outputs. Its handle is in `serving/handles.py`.

Scoring keeps a processor busy, so it never runs where requests are answered, in either topology.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from deployments.serving.process import prepare
from deployments.serving.results import as_value
from evals.scoring import score, turns
from voyager_llm.errors import VoyagerError


class EvaluationPool:
    """The deployment; wrapped in `serve_app/app.py`."""

    def __init__(self) -> None:
        prepare()
        # Whoever waits for it first has it first: long requests take turns with short ones.
        self._turn = asyncio.Lock()

    async def score(
        self, pairs: Sequence[tuple[str, str]], measurements: Sequence[str]
    ) -> list[list[float]] | VoyagerError:
        return await as_value(self._scored(pairs, measurements))

    async def _scored(
        self, pairs: Sequence[tuple[str, str]], measurements: Sequence[str]
    ) -> list[list[float]]:
        rows: list[list[float]] = []
        for part in list(turns(pairs)):
            async with self._turn:
                rows += await asyncio.to_thread(score, part, measurements)
        return rows
