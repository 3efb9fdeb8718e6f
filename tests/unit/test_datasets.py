"""Test sets: what is wrong with one is said by example and field."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from evals.datasets import load_examples
from evals.job import summarize
from voyager_llm.domain.evaluation import EvaluationDefinition
from voyager_llm.errors import InvalidArgument


def write(folder: Path, text: str) -> Path:
    path = folder / "set.json"
    path.write_text(text)
    return path


def test_arrays_and_lines_are_the_same(tmp_path: Path) -> None:
    rows = [{"id": "a", "variables": {"x": 1}, "reference": "one"}, {"reference": "two"}]
    first = load_examples(write(tmp_path, json.dumps(rows)))
    again = load_examples(write(tmp_path, "\n".join(json.dumps(row) for row in rows)))
    assert first == again
    assert [example.id for example in first] == ["a", "1"]
    assert len(load_examples(write(tmp_path, json.dumps(rows)), size=1)) == 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "holds no example"),
        ("[]", "holds no example"),
        ("{", "is no JSON"),
        ('[{"reference": 5}]', "test_dataset.reference: example 0"),
        ('[{"reference": "a", "expected": "b"}]', "test_dataset.expected: example 0"),
        ('[{"id": "a", "reference": "x"}, {"id": "a", "reference": "y"}]', "two examples have the id 'a'"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(InvalidArgument, match=message):
        load_examples(write(tmp_path, text))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidArgument, match="cannot be read"):
        load_examples(tmp_path / "none.json")


def test_the_summary_is_the_weighted_mean_of_means() -> None:
    weights = {"a": 0.25, "b": 0.75}
    metrics = [{"name": name, "weight": weight, "measurement": "x"} for name, weight in weights.items()]
    fields = {"name": "e", "model_ref": {"name": "m"}, "prompt_ref": {"name": "p"}, "metrics": metrics}
    definition = EvaluationDefinition.model_validate(fields)
    rows = [{"id": "1", "scores": {"a": 1.0, "b": 0.0}}, {"id": "2", "scores": {"a": 0.0, "b": 1.0}},
            {"id": "of another run", "scores": {"a": 1.0, "b": 1.0}}]  # fmt: skip
    summary = summarize(definition, rows, {"1", "2", "3"})
    assert summary["metrics"] == {"a": 0.5, "b": 0.5}
    assert (summary["score"], summary["failed"]) == (0.5, 1)
