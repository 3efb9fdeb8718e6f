"""What a request's headers say of it, whatever protocol brought them."""

from __future__ import annotations

import pytest

from deployments.ingress.context import context_of, told_by, told_by_openai, trace_of
from voyager_llm.domain.request import Principal, RequestContext, Trace
from voyager_llm.errors import InvalidArgument
from voyager_llm.v1.completions_pb2 import GenerateCompletionRequest
from voyager_llm.v1.models_pb2 import GetModelRequest

PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
TRACE = PARENT[3:35]


def context(*, remaining_s: float | None = None, **headers: str) -> RequestContext:
    lines = {name.replace("_", "-"): value for name, value in headers.items()}

    def header(name: str) -> str:
        return lines.get(name, "")

    return context_of(header, Principal("me"), trace_of(header), 100.0, remaining_s)


def test_nothing_said_is_a_new_trace_without_a_deadline() -> None:
    one, other = context(), context()
    assert (one.deadline, one.session, one.trace.parent_id) == (None, "", "")
    assert len(one.trace.id) == 32
    assert one.trace.id != other.trace.id


def test_the_callers_trace_goes_on() -> None:
    assert context(traceparent=PARENT).trace == Trace(TRACE, "b7ad6b7169203331")


def test_the_callers_own_name_of_a_trace_is_kept_beside_its_parent() -> None:
    assert context(x_trace_id="book-7", traceparent=PARENT).trace == Trace("book-7", "b7ad6b7169203331")


@pytest.mark.parametrize(
    "broken",
    [
        "", "nonsense", PARENT[:-3], PARENT.upper(), "ff" + PARENT[2:], "00-" + "0" * 32 + PARENT[35:],
        PARENT[:36] + "0" * 16 + "-01", "é" + PARENT[1:],
    ],
)  # fmt: skip
def test_a_broken_parent_is_no_parent(broken: str) -> None:
    trace = context(traceparent=broken).trace
    assert trace.parent_id == ""
    assert len(trace.id) == 32


@pytest.mark.parametrize("named", ["x" * 129, "a\x00b", "a\nb", b"\xff\xfe".decode("latin-1")])
def test_a_trace_id_that_cannot_be_shown_is_not_taken(named: str) -> None:
    assert context(x_trace_id=named, traceparent=PARENT).trace.id == TRACE


def test_the_earliest_deadline_counts() -> None:
    assert context(x_voyager_timeout_ms="1500").deadline == 101.5
    assert context(remaining_s=2.0).deadline == 102.0
    assert context(x_voyager_timeout_ms="1500", remaining_s=1.0).deadline == 101.0


@pytest.mark.parametrize("timeout", ["²", "٣", "1e3", "-1", "0", " 1", "99999999", "soon"])
def test_a_timeout_is_a_plain_number(timeout: str) -> None:
    with pytest.raises(InvalidArgument, match="x-voyager-timeout-ms"):
        context(x_voyager_timeout_ms=timeout)


def test_a_session_that_does_not_fit_is_refused_by_name() -> None:
    assert context(x_session_id="s" * 256).session == "s" * 256
    with pytest.raises(InvalidArgument, match="x-session-id"):
        context(x_session_id="s" * 257)


def test_a_message_wins_over_headers() -> None:
    ctx = context(x_trace_id="header", traceparent=PARENT, x_session_id="header")
    told = told_by(ctx, message(trace_id="mine", session_id="book-7", customer="ada"))
    assert told.trace == Trace("mine", "b7ad6b7169203331")
    assert told.session == "book-7"
    assert told.tags == {"session_id": "book-7", "customer": "ada"}
    silent = told_by(ctx, message())
    assert (silent.trace.id, silent.session, silent.tags) == ("header", "header", {})


def message(trace_id: str = "", **metadata: str) -> GenerateCompletionRequest:
    return GenerateCompletionRequest(trace_id=trace_id, metadata=metadata)


def test_messages_of_other_rpcs_say_nothing() -> None:
    ctx = context(x_trace_id="header")
    assert told_by(ctx, GetModelRequest(name="m")) is ctx


@pytest.mark.parametrize(
    ("metadata", "field"),
    [
        ({f"t{i}": "" for i in range(33)}, "metadata"),
        ({"n" * 65: ""}, "metadata"),
        ({"": "x"}, "metadata"),
        ({"customer": "x" * 257}, "metadata.customer"),
    ],
)
def test_tags_that_do_not_fit_are_refused_by_name(metadata: dict[str, str], field: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        told_by(context(), message(**metadata))
    assert caught.value.field == field


def test_the_largest_tags_fit() -> None:
    tags = {f"{i:064}": "x" * 256 for i in range(32)}
    assert told_by(context(), message(**tags)).tags == tags


@pytest.mark.parametrize("trace_id", ["x" * 129, "a\x00b"])
def test_a_messages_trace_id_that_cannot_be_shown_is_refused(trace_id: str) -> None:
    with pytest.raises(InvalidArgument, match="trace_id"):
        told_by(context(), message(trace_id))


def test_openais_words_say_the_same() -> None:
    told = told_by_openai(context(), {"user": "ada", "metadata": {"session_id": "s", "book": "7"}})
    assert (told.session, told.tags) == ("s", {"session_id": "s", "book": "7"})
    assert told_by_openai(context(), {"user": "ada"}).session == "ada"
    assert told_by_openai(context(x_session_id="mine"), {"user": "ada"}).session == "mine"
    assert told_by_openai(context(), {"user": 7, "metadata": None}).session == ""


def test_openais_limits_are_its_own() -> None:
    tags = {f"{i:064}": "x" * 512 for i in range(16)}
    assert told_by_openai(context(), {"metadata": tags}).tags == tags
    for metadata, field in (
        ({f"t{i}": "" for i in range(17)}, "metadata"),
        ({"n" * 65: ""}, "metadata"),
        ({"book": "x" * 513}, "metadata.book"),
        ({"book": 7}, "metadata.book"),
    ):
        with pytest.raises(InvalidArgument) as caught:
            told_by_openai(context(), {"metadata": metadata})
        assert caught.value.field == field
