"""Test sets: a JSON array, or one JSON object a line. Used by `job.py`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from voyager_llm.errors import InvalidArgument

# A larger set belongs into several runs.
MOST_EXAMPLES = 1_000_000


class Example(BaseModel):
    """One example: what the prompt is filled with, and what a good answer says.

    An ``output`` that is given is scored as it is; else the model writes one."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str = Field(default="", max_length=256)
    variables: dict[str, Any] = {}
    reference: str = Field(max_length=1_000_000)
    output: str | None = Field(default=None, max_length=1_000_000)


def load_examples(path: Path, size: int = 0) -> list[Example]:
    """The first ``size`` examples of a file (0: all), each with an id of its own.

    Raises `InvalidArgument` naming the example and field at fault."""
    try:
        text = path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidArgument(f"{path} cannot be read: {error}", "test_dataset.path") from None
    rows = _rows(text)
    if len(rows) > MOST_EXAMPLES:
        raise InvalidArgument(f"has {len(rows)} examples; {MOST_EXAMPLES} are the most", "test_dataset")
    examples = [_example(row, position) for position, row in enumerate(rows[: size or None])]
    ids = [example.id for example in examples]
    if len(ids) != len(set(ids)):
        twice = next(id_ for id_ in ids if ids.count(id_) > 1)
        raise InvalidArgument(f"two examples have the id {twice!r}", "test_dataset")
    if not examples:
        raise InvalidArgument("holds no example", "test_dataset")
    return examples


def _rows(text: str) -> list[Any]:
    try:
        if text.lstrip().startswith("["):
            return list(json.loads(text))
        return [json.loads(line) for line in text.splitlines() if line.strip()]
    except ValueError as error:
        raise InvalidArgument(f"is no JSON: {error}", "test_dataset") from None


def _example(row: Any, position: int) -> Example:
    try:
        example = Example.model_validate(row)
    except ValidationError as error:
        fault = error.errors(include_url=False, include_input=False)[0]
        field = ".".join(str(part) for part in fault["loc"])
        raise InvalidArgument(f"example {position}: {fault['msg']}", f"test_dataset.{field}") from None
    return example if example.id else example.model_copy(update={"id": str(position)})
