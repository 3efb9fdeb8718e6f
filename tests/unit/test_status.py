"""Errors end a gRPC answer with trailers: whatever they say, they fit, and what is read is valid text."""

from __future__ import annotations

import base64
from urllib.parse import quote

import orjson
import pytest
from google.rpc import status_pb2
from hypothesis import given
from hypothesis import strategies as st

from deployments.ingress.status import openai_body, rest_body, trailers
from voyager_llm.errors import InvalidArgument, RateLimited, Standing, UpstreamUnavailable, VoyagerError

# What gRPC clients take by default.
METADATA_BYTES = 8 * 1024

pieces = st.text(st.characters(exclude_categories=()), max_size=20)
long_texts = st.builds(lambda piece, times: piece * times, pieces, st.integers(0, 60_000))


def on_the_wire(details: str, metadata: list[tuple[str, str | bytes]]) -> int:
    encoded = [base64.b64encode(value) if isinstance(value, bytes) else value for _, value in metadata]
    return len(quote(details)) + sum(len(name) for name, _ in metadata) + sum(len(value) for value in encoded)


trace_ids = st.text(st.characters(exclude_categories=()), min_size=1, max_size=128)


@given(long_texts, long_texts, st.lists(long_texts, max_size=20), trace_ids)
def test_trailers_always_fit_and_say_one_thing(
    message: str, field: str, causes: list[str], trace_id: str
) -> None:
    error = InvalidArgument(message, field, 1.5)
    error.causes = tuple(causes)
    error.limits = {"requests": Standing(10**9, 10**9, 59.99), "tokens": Standing(10**9, 0, 59.99)}
    details, metadata = trailers(error, trace_id)
    assert on_the_wire(details, metadata) < METADATA_BYTES
    values = dict(metadata)
    status = status_pb2.Status.FromString(values["grpc-status-details-bin"])
    told = orjson.loads(values["voyager-error"])
    assert status.message == details == told.get("message", "")
    assert told["details"][0]["metadata"]["attempts"] == str(len(causes))
    assert values["x-voyager-trace-id"].isascii()


def test_what_the_first_attempts_showed_is_kept_before_the_last() -> None:
    error = UpstreamUnavailable("the provider answered with status 500")
    error.causes = tuple(f"model-{i}: {'é' * 200}" for i in range(40))
    details, metadata = trailers(error, "trace")
    assert on_the_wire(details, metadata) < METADATA_BYTES
    told = orjson.loads(dict(metadata)["voyager-error"])["details"][0]["metadata"]
    assert told["attempts"] == "40"
    shown = [told[f"attempt_{i}"] for i in range(1, len(told))]
    assert shown == list(error.causes[: len(shown)])
    assert 2 < len(shown) < 40
    openai = orjson.loads(openai_body(error, "trace"))["error"]
    assert openai["attempts"] == list(error.causes)


@pytest.mark.parametrize("size", [1_000, 16_000, 1_000_000])
@pytest.mark.parametrize("letter", ["x", "é", "語", "😀", "\n", "%", "\0", '"', "\ud800"])
def test_the_field_is_kept_before_the_message(letter: str, size: int) -> None:
    details, metadata = trailers(InvalidArgument(letter * size, "endpoints.primary"), "trace")
    assert details.startswith("endpoints.primary: ")
    assert on_the_wire(details, metadata) < METADATA_BYTES
    details.encode()
    assert len(details) > 100


def test_a_short_error_is_not_touched() -> None:
    details, metadata = trailers(RateLimited("wait", "model", 3), "trace")
    assert details == "model: wait"
    assert dict(metadata)["retry-after"] == "3"


@pytest.mark.parametrize(
    "error", [InvalidArgument("x" * 1_000_000, "y" * 1_000_000), InvalidArgument("\ud800")]
)
def test_no_text_comes_back_whole_over_http(error: VoyagerError) -> None:
    error.causes = ("x" * 1_000_000, "\ud800")
    assert len(rest_body(error, "\ud800")) < 10_000
    assert len(openai_body(error, "\ud800")) < 10_000
