"""Schemas whose references stand for more than is written."""

from __future__ import annotations

import time
from typing import Any

import pytest

from deployments.lanes.schemas import restrict_schemas
from voyager_llm.errors import InvalidArgument

STRING = {"type": "string"}


def tools(definitions: dict[str, Any], *, key: str = "$defs") -> dict[str, Any]:
    parameters = {"type": "object", key: definitions, "properties": {"x": {"$ref": f"#/{key}/d0"}}}
    return {"tools": [{"type": "function", "function": {"name": "f", "parameters": parameters}}]}


def twice(depth: int, width: int = 2) -> dict[str, Any]:
    """Each definition refers to the next one so many times."""
    chain: dict[str, Any] = {
        f"d{i}": {
            "type": "object",
            "properties": {str(n): {"$ref": f"#/$defs/d{i + 1}"} for n in range(width)},
        }
        for i in range(depth)
    }
    return {**chain, f"d{depth}": STRING}


def knot(size: int) -> dict[str, Any]:
    """Each definition refers to all of them."""
    every = {str(n): {"$ref": f"#/$defs/d{n}"} for n in range(size)}
    return {f"d{n}": {"type": "object", "properties": every} for n in range(size)}


@pytest.mark.parametrize(
    "definitions", [twice(22), twice(13), twice(4, 10), twice(1000), knot(12)], ids=range(5)
)
def test_what_stands_for_too_much_is_refused_at_once(definitions: dict[str, Any]) -> None:
    began = time.process_time()
    with pytest.raises(InvalidArgument, match="tools: its schemas"):
        restrict_schemas(tools(definitions))
    assert time.process_time() - began < 1


def wide(size: int) -> dict[str, Any]:
    """So many references, and as many definitions."""
    properties = {f"p{n}": {"$ref": f"#/$defs/d{n}"} for n in range(size)}
    return {"type": "object", "$defs": {f"d{n}": {} for n in range(size)}, "properties": properties}


@pytest.mark.parametrize(
    "schema",
    [
        wide(1_500), wide(60_000), {"type": ["string", "integer", "null"] * 50_000},
        {"properties": {str(n): {"type": ["string", "integer", "null"]} for n in range(20_000)}},
        {"properties": {str(n): {"anyOf": [STRING, {"type": "null"}]} for n in range(20_000)}},
    ],
    ids=range(5),
)  # fmt: skip
def test_what_is_written_is_counted_too(schema: dict[str, Any]) -> None:
    began = time.process_time()
    with pytest.raises(InvalidArgument, match="tools: its schemas"):
        restrict_schemas({"tools": [{"type": "function", "function": {"name": "f", "parameters": schema}}]})
    assert time.process_time() - began < 1


def test_so_is_a_response_format() -> None:
    schema = tools(twice(22))["tools"][0]["function"]["parameters"]
    with pytest.raises(InvalidArgument, match="response_format"):
        restrict_schemas({"response_format": {"type": "json_schema", "json_schema": {"schema": schema}}})


@pytest.mark.parametrize(
    "definitions",
    [
        {}, {"d0": STRING}, twice(8), {"d0": {"properties": {"child": {"$ref": "#/$defs/d0"}}}},
        knot(3), {"d0": {"$ref": "#/$defs/nowhere"}}, {"d0": {"$ref": 7}},
    ],
    ids=range(7),
)  # fmt: skip
@pytest.mark.parametrize("key", ["$defs", "definitions"])
def test_ordinary_schemas_pass(definitions: dict[str, Any], key: str) -> None:
    restrict_schemas(tools(definitions, key=key))


def test_a_body_without_schemas_passes() -> None:
    restrict_schemas({"messages": []})
