"""What a body that does not fit its message is told: which field, and what it must be."""

from __future__ import annotations

from typing import Any

import pytest
from google.protobuf import json_format
from hypothesis import given
from hypothesis import strategies as st

from deployments.ingress.rest.wrong import wrong
from voyager_llm.errors import InvalidArgument
from voyager_llm.v1.completions_pb2 import GenerateCompletionRequest
from voyager_llm.v1.models_pb2 import CreateModelRequest

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


def refusal(body: dict[str, Any], message: Any = CreateModelRequest) -> InvalidArgument:
    with pytest.raises((json_format.ParseError, TypeError, ValueError, AttributeError)) as caught:
        json_format.ParseDict(body, message())
    return wrong(caught.value, message)


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ({"name": 0}, "name: must be a string"),
        ({"cost": 0}, "cost: must be an object"),
        ({"cost": [None]}, "cost: must be an object"),
        ({"cost": {"input_token_cost": "much"}}, "cost.input_token_cost: must be a number"),
        ({"context_length": []}, "context_length: must be a whole number"),
        ({"context_length": 1e30}, "context_length: is out of range"),
        ({"capabilities": True}, "capabilities: must be a list, each entry a string"),
        ({"capabilities": [1]}, "capabilities: must be a list, each entry a string"),
        ({"endpoints": {"secondary": "x"}}, "endpoints.secondary: there is no such field"),
        ({"nam": "x"}, "nam: there is no such field"),
        ({"n" * 200: "x"}, f"{'n' * 128}: there is no such field"),
        ({"": "x"}, "there is no such field"),
    ],
)
def test_it_names_the_field_and_what_it_must_be(body: dict[str, Any], told: str) -> None:
    assert str(refusal(body)) == told


def test_a_map_is_an_object() -> None:
    told = "parameters: must be an object in which each value is a string"
    assert str(refusal({"parameters": []}, GenerateCompletionRequest)) == told


@given(st.sampled_from([field.name for field in CreateModelRequest.DESCRIPTOR.fields]), JSON)
def test_it_speaks_no_python(name: str, value: Any) -> None:
    try:
        json_format.ParseDict({name: value}, CreateModelRequest())
    except Exception as error:
        told = wrong(error, CreateModelRequest)
        assert told.field.split(".")[0] == name
        assert not any(word in told.message for word in ("'", "object is not", "()", "NoneType", "literal"))
