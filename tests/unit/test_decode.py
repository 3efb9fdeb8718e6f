"""Request codecs: what a client writes is what the pipeline gets."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deployments.ingress.asgi import HttpRequest
from deployments.ingress.openai.decode import decode
from deployments.ingress.rpc.completions import decode as decode_rpc
from voyager_llm.domain.operation import Operation
from voyager_llm.domain.parameters import PARAMETERS
from voyager_llm.errors import InvalidArgument
from voyager_llm.v1 import completions_pb2 as pb


def http(body: Any, **headers: str) -> HttpRequest:
    lines = {name.replace("_", "-").encode(): value.encode() for name, value in headers.items()}
    return HttpRequest("POST", "/v1/chat/completions", "", lines, orjson.dumps(body))


CHAT: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "x"}]}

NUMBERS = st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False)
JSON = st.recursive(
    st.none() | st.booleans() | NUMBERS | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4),
    max_leaves=12,
)


@given(JSON)
def test_what_is_unknown_waits_for_a_model_that_allows_it(value: Any) -> None:
    decoded = decode(http({**CHAT, "some_new_parameter": value}), Operation.CHAT)
    assert decoded.body["some_new_parameter"] == value
    assert decoded.further == {"some_new_parameter"}
    assert "model" not in decoded.body


@given(JSON)
def test_any_json_is_a_request_or_an_error_of_ours(value: Any) -> None:
    for operation in REQUESTS:
        with suppress(InvalidArgument):
            decode(http(value), operation)


VALUES: list[Any] = [
    None, True, False, -1, 0, 1.5, 10**400, "", "x", "true", "null", "[", [], [5], ["x"], [None], [[]],
    [{}], {}, {"a": 1}, {"type": 5}, [{"type": "function", "function": 5}],
    "x" * 5000, [{}] * 600, ["x"] * 3000,
]  # fmt: skip
REQUESTS: dict[Operation, dict[str, Any]] = {
    Operation.CHAT: CHAT,
    Operation.TEXT: {"model": "m", "prompt": "x"},
    Operation.EMBEDDINGS: {"model": "m", "input": "x"},
}


def refused(work: Callable[[], object]) -> str | None:
    """The field that is refused."""
    try:
        work()
    except InvalidArgument as error:
        return error.field
    return None


@pytest.mark.parametrize("value", VALUES, ids=lambda value: json.dumps(value)[:20])
def test_every_parameter_takes_a_value_or_refuses_it_by_name(value: Any) -> None:
    for operation, request in REQUESTS.items():
        for name in (*PARAMETERS[operation], "some_new_parameter"):
            body = json.dumps({**request, name: value}).encode()
            field = refused(lambda o=operation, b=body: decode(HttpRequest("POST", "/", "", {}, b), o))
            assert field is None or field.split(".")[0] in (name, "body")
    text = value if isinstance(value, str) else json.dumps(value)
    for name in (*PARAMETERS[Operation.CHAT], "some_new_parameter"):
        given = pb.GenerateCompletionRequest(model_name="m", prompt="x", parameters={name: text})
        for stream in (False, True):
            field = refused(lambda g=given, s=stream: decode_rpc(g, stream=s))
            assert field is None or field.split(".")[:2] == ["parameters", name]


def test_a_prompt_with_its_version() -> None:
    body = {"model": "prompt:greet@1.2.0", "target": "m", "variables": {"x": 1}}
    decoded = decode(http(body), Operation.CHAT)
    assert decoded.prompt is not None
    assert (decoded.prompt.name, decoded.prompt.version, decoded.destination) == ("greet", "1.2.0", "m")
    assert "variables" not in decoded.body
    assert "target" not in decoded.body


def test_variables_nested_too_deeply_are_refused_by_name() -> None:
    deep: Any = "x"
    for _ in range(200):
        deep = [deep]
    body = {"model": "prompt:greet", "variables": {"x": deep}}
    with pytest.raises(InvalidArgument, match="variables: must not be nested"):
        decode(http(body), Operation.CHAT)


def test_string_parameters_get_their_types() -> None:
    request = pb.GenerateCompletionRequest(
        model_name="m",
        prompt="x",
        parameters={"temperature": "0.7", "max_tokens": "5", "stop": '["a", "b"]', "user": "7"},
    )
    body = decode_rpc(request, stream=False).body
    assert (body["temperature"], body["max_tokens"], body["stop"], body["user"]) == (0.7, 5, ["a", "b"], "7")


@pytest.mark.parametrize("name", ["stream", "model", "messages", "n", "stream_options"])
def test_parameters_that_are_ours_to_set(name: str) -> None:
    request = pb.GenerateCompletionRequest(model_name="m", prompt="x", parameters={name: "1"})
    with pytest.raises(InvalidArgument, match="cannot be set"):
        decode_rpc(request, stream=False)
