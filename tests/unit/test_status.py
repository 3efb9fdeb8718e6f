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
from voyager_llm.errors import InvalidArgument, RateLimited, VoyagerError

# What gRPC clients take by default.
METADATA_BYTES = 8 * 1024

pieces = st.text(st.characters(exclude_categories=()), max_size=20)
long_texts = st.builds(lambda piece, times: piece * times, pieces, st.integers(0, 60_000))


def on_the_wire(details: str, metadata: list[tuple[str, str | bytes]]) -> int:
    encoded = [base64.b64encode(value) if isinstance(value, bytes) else value for _, value in metadata]
    return len(quote(details)) + sum(len(name) for name, _ in metadata) + sum(len(value) for value in encoded)


@given(long_texts, long_texts)
def test_trailers_always_fit_and_say_one_thing(message: str, field: str) -> None:
    details, metadata = trailers(InvalidArgument(message, field, 1.5))
    assert on_the_wire(details, metadata) < METADATA_BYTES
    values = dict(metadata)
    status = status_pb2.Status.FromString(values["grpc-status-details-bin"])
    assert status.message == details == orjson.loads(values["voyager-error"]).get("message", "")


@pytest.mark.parametrize("size", [1_000, 16_000, 1_000_000])
@pytest.mark.parametrize("letter", ["x", "é", "語", "😀", "\n", "%", "\0", '"', "\ud800"])
def test_the_field_is_kept_before_the_message(letter: str, size: int) -> None:
    details, metadata = trailers(InvalidArgument(letter * size, "endpoints.primary"))
    assert details.startswith("endpoints.primary: ")
    assert on_the_wire(details, metadata) < METADATA_BYTES
    details.encode()
    assert len(details) > 100


def test_a_short_error_is_not_touched() -> None:
    details, metadata = trailers(RateLimited("wait", "model", 3))
    assert details == "model: wait"
    assert dict(metadata)["retry-after"] == "3"


@pytest.mark.parametrize(
    "error", [InvalidArgument("x" * 1_000_000, "y" * 1_000_000), InvalidArgument("\ud800")]
)
def test_no_text_comes_back_whole_over_http(error: VoyagerError) -> None:
    assert len(rest_body(error)) < 10_000
    assert len(openai_body(error)) < 10_000
