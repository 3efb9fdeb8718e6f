"""Outputs for a test set, through the service like every other caller. Used by `job.py`."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass

import httpx

from evals.datasets import Example
from voyager_llm.domain.evaluation import EvaluationDefinition

_TRIES = 4
_RETRIED = frozenset({429, 502, 503, 504})
_LONGEST_WAIT_S = 60.0


@dataclass(frozen=True, slots=True)
class Output:
    """What came of one example: a text, or why there is none."""

    example: Example
    text: str = ""
    error: str = ""


async def outputs(
    client: httpx.AsyncClient, definition: EvaluationDefinition, examples: Sequence[Example], at_once: int
) -> AsyncGenerator[Output]:
    """An output for each example, in the order in which they come; ``at_once`` are asked for together."""
    gate = asyncio.Semaphore(at_once)

    async def one(example: Example) -> Output:
        if example.output is not None:
            return Output(example, example.output)
        async with gate:
            return await _complete(client, definition, example)

    tasks = [asyncio.create_task(one(example)) for example in examples]
    try:
        for task in asyncio.as_completed(tasks):
            yield await task
    finally:
        for task in tasks:
            task.cancel()


async def _complete(client: httpx.AsyncClient, definition: EvaluationDefinition, example: Example) -> Output:
    prompt = definition.prompt_ref
    body = {
        "model": f"prompt:{prompt.name}@{prompt.version}" if prompt.version else f"prompt:{prompt.name}",
        "target": definition.model_ref.name,
        "variables": example.variables,
    }
    problem = ""
    for attempt in range(_TRIES):
        try:
            answer = await client.post("/v1/chat/completions", json=body)
        except httpx.HTTPError as error:
            problem = f"the service cannot be reached: {type(error).__name__}"
        else:
            if answer.status_code == 200:
                return Output(example, str(answer.json()["choices"][0]["message"].get("content") or ""))
            problem = str(answer.json().get("error", {}).get("message", answer.status_code))
            if answer.status_code not in _RETRIED:
                break
            asked = answer.headers.get("retry-after", "")
            if asked.isdigit():
                await asyncio.sleep(min(int(asked), _LONGEST_WAIT_S))
        await asyncio.sleep(random.uniform(0, 2**attempt))
    return Output(example, error=problem)
