"""What a request's headers say of it, whatever protocol brought them."""

from __future__ import annotations

import pytest

from deployments.ingress.context import context_of
from voyager_llm.domain.request import Principal, RequestContext, Trace
from voyager_llm.errors import InvalidArgument

PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
TRACE = PARENT[3:35]


def context(*, remaining_s: float | None = None, **headers: str) -> RequestContext:
    lines = {name.replace("_", "-"): value for name, value in headers.items()}
    return context_of(lambda name: lines.get(name, ""), Principal("me"), 100.0, remaining_s)


def test_nothing_said_is_a_new_trace_without_a_deadline() -> None:
    one, other = context(), context()
    assert (one.deadline, one.session, one.trace.parent_id) == (None, "", "")
    assert len(one.trace.id) == 32
    assert one.trace.id != other.trace.id


def test_the_callers_trace_goes_on() -> None:
    assert context(traceparent=PARENT).trace == Trace(TRACE, "b7ad6b7169203331", sampled=True)
    assert not context(traceparent=PARENT[:-2] + "00").trace.sampled


def test_the_callers_own_name_of_a_trace_is_kept_beside_its_parent() -> None:
    assert context(x_trace_id="book-7", traceparent=PARENT).trace == Trace(
        "book-7", "b7ad6b7169203331", sampled=True
    )


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


@pytest.mark.parametrize("named", ["x" * 129, "a\x00b", "a\nb"])
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
