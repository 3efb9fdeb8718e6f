"""Bulk evaluation as a Ray Job: `python -m evals.job --evaluation NAME --dataset FILE --out FOLDER`.

Completes every example through the service, scores the outputs on all of the cluster's processors, and
writes a line an example as it comes, so that a job that was killed goes on where it was: what stands in
`results.jsonl` is not asked for again. The entry point of `kuberay/base/rayjob.yaml`.

Exit codes: 0 the score reached `minimum_score`, 1 it did not, 2 the run is not possible or incomplete.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import sys
from collections.abc import AsyncGenerator, Iterable, Sequence
from pathlib import Path
from typing import Any

import httpx
import ray

from evals.datasets import Example, load_examples
from evals.runner import Output, outputs
from evals.scoring import MEASUREMENTS, score
from voyager_llm.domain.definition import parse
from voyager_llm.domain.evaluation import EvaluationDefinition
from voyager_llm.errors import InvalidArgument, Unavailable, VoyagerError

_BATCH = 64
_OUTPUT_ONLY = {"evaluation_id", "revision", "etag", "author", "created_at", "updated_at"}


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse the command line and run."""
    parser = argparse.ArgumentParser(description="Score a model and a prompt on a test set.")
    parser.add_argument("--evaluation", required=True, help="Name of the evaluation at the service.")
    parser.add_argument("--dataset", type=Path, help="Test set; default: the evaluation's test_dataset.path.")
    parser.add_argument("--out", type=Path, required=True, help="Folder for results.jsonl and summary.json.")
    parser.add_argument("--url", default="http://127.0.0.1:8000", help="The service.")
    parser.add_argument("--key-file", type=Path, help="File with the API key.")
    parser.add_argument("--at-once", type=int, default=16, help="Completions under way together.")
    options = parser.parse_args(arguments)
    try:
        return asyncio.run(_run(options))
    except VoyagerError as error:
        print(f"evals.job: {error}", file=sys.stderr)  # noqa: T201
        return 2


async def _run(options: argparse.Namespace) -> int:
    headers = {"authorization": f"Bearer {options.key_file.read_text().strip()}"} if options.key_file else {}
    async with httpx.AsyncClient(base_url=options.url, headers=headers, timeout=600) as client:
        definition = await _definition(client, options.evaluation)
        _known(definition)
        dataset = definition.test_dataset
        path = options.dataset or Path(dataset.path if dataset is not None else "")
        examples = load_examples(path, dataset.size if dataset is not None else 0)
        options.out.mkdir(parents=True, exist_ok=True)
        results = options.out / "results.jsonl"
        done = _done(results)
        left = [example for example in examples if example.id not in done]
        say(f"{len(examples)} examples, {len(examples) - len(left)} of them done before")
        with results.open("a") as file:
            async for row in _scored(client, definition, left, options.at_once):
                file.write(json.dumps(row) + "\n")
                file.flush()
    summary = summarize(definition, _done(results).values(), {example.id for example in examples})
    (options.out / "summary.json").write_text(json.dumps(summary, indent=2) + "\n")
    say(json.dumps(summary))
    if summary["failed"]:
        return 2
    return 0 if summary["score"] >= definition.thresholds.minimum_score else 1


async def _definition(client: httpx.AsyncClient, name: str) -> EvaluationDefinition:
    try:
        answer = await client.get(f"/api/v1/evaluations/{name}")
    except httpx.HTTPError as error:
        raise Unavailable(f"the service cannot be reached: {type(error).__name__}") from None
    if answer.is_error:
        raise InvalidArgument(answer.json().get("message", answer.text[:200]), "evaluation")
    found: dict[str, Any] = answer.json()["evaluation"]
    given = {
        name: value for name, value in found.items() if name not in _OUTPUT_ONLY and value not in ("", [])
    }
    if "schedule" in given:
        given["schedule"] = {key: value for key, value in given["schedule"].items() if value}
    return parse(EvaluationDefinition, given)


def _known(definition: EvaluationDefinition) -> None:
    """Refuse a measurement that does not exist before anything is paid for."""
    for metric in definition.metrics:
        if metric.measurement not in MEASUREMENTS:
            known = ", ".join(sorted(MEASUREMENTS))
            raise InvalidArgument(f"{metric.measurement!r} is not among the measurements: {known}", "metrics")


def _done(path: Path) -> dict[str, dict[str, Any]]:
    """Rows of an earlier run by example. A line that a kill cut short is asked for again."""
    rows: dict[str, dict[str, Any]] = {}
    for line in path.read_text().splitlines() if path.exists() else ():
        try:
            row = json.loads(line)
        except ValueError:
            continue
        if "scores" in row:
            rows[row["id"]] = row
    return rows


async def _scored(
    client: httpx.AsyncClient, definition: EvaluationDefinition, examples: Sequence[Example], at_once: int
) -> AsyncGenerator[dict[str, Any]]:
    """Rows as they come: outputs are gathered into batches, each scored by a Ray task."""
    pending: dict[asyncio.Future[Any], list[Output]] = {}
    batch: list[Output] = []
    count = 0
    async for output in outputs(client, definition, examples, at_once):
        count += 1
        if output.error:
            yield {"id": output.example.id, "error": output.error}
        else:
            batch.append(output)
        if len(batch) >= _BATCH or (count == len(examples) and batch):
            pending[_submit(definition, batch)] = batch
            batch = []
        for future in [future for future in pending if future.done()]:
            for row in _rows(definition, pending.pop(future), future.result()):
                yield row
        if count % 100 == 0:
            say(f"{count} of {len(examples)}")
    if batch:
        pending[_submit(definition, batch)] = batch
    for future, scored in pending.items():
        for row in _rows(definition, scored, await future):
            yield row


def _submit(definition: EvaluationDefinition, batch: Sequence[Output]) -> asyncio.Future[Any]:
    pairs = [(output.text, output.example.reference) for output in batch]
    measurements = [metric.measurement for metric in definition.metrics]
    return asyncio.ensure_future(_score.remote(pairs, measurements))


@ray.remote(num_cpus=1, max_retries=3)
def _score(pairs: list[tuple[str, str]], measurements: list[str]) -> list[list[float]]:
    return score(pairs, measurements)


def _rows(
    definition: EvaluationDefinition, batch: Sequence[Output], scores: Sequence[Sequence[float]]
) -> Iterable[dict[str, Any]]:
    for output, row in zip(batch, scores, strict=True):
        by_metric = {m.name: value for m, value in zip(definition.metrics, row, strict=True)}
        yield {"id": output.example.id, "output": output.text, "scores": by_metric}


def summarize(
    definition: EvaluationDefinition, rows: Iterable[dict[str, Any]], wanted: set[str]
) -> dict[str, Any]:
    """Mean of each metric, and the weighted mean of those; examples without a row have failed."""
    kept = [row["scores"] for row in rows if row["id"] in wanted]
    means = {
        metric.name: sum(scores[metric.name] for scores in kept) / len(kept) if kept else 0.0
        for metric in definition.metrics
    }
    weighted = itertools.starmap(
        lambda metric, mean: metric.weight * mean, zip(definition.metrics, means.values(), strict=True)
    )
    return {
        "evaluation": definition.name,
        "examples": len(wanted),
        "failed": len(wanted) - len(kept),
        "metrics": {name: round(mean, 6) for name, mean in means.items()},
        "score": round(sum(weighted), 6),
    }


def say(text: str) -> None:
    """Progress, on standard output: the job's log."""
    print(text, flush=True)  # noqa: T201


if __name__ == "__main__":
    sys.exit(main())
