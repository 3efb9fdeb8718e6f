"""One tree, one table, three renderings: no error may be missing or look different on one wire."""

from __future__ import annotations

import pickle

import grpc
import orjson
import pytest

from deployments.ingress.status import (
    anthropic_body,
    grpc_code,
    openai_body,
    rest_body,
    retry_headers,
    rpc_status,
)
from voyager_llm import errors
from voyager_llm.errors import RENDERINGS, VoyagerError, public, rendering


def tree(kind: type[VoyagerError] = VoyagerError) -> list[type[VoyagerError]]:
    return [kind, *(found for child in kind.__subclasses__() for found in tree(child))]


ALL = tree()


@pytest.mark.parametrize("kind", ALL)
def test_every_error_survives_pickle(kind: type[VoyagerError]) -> None:
    error = kind("what went wrong", "the.field", 1.5)
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is kind
    assert (again.message, again.field, again.retry_after_s) == ("what went wrong", "the.field", 1.5)


@pytest.mark.parametrize("kind", ALL)
def test_every_error_has_three_equal_renderings(kind: type[VoyagerError]) -> None:
    error = kind("what went wrong", "the.field", 1.5)
    error.causes = ("a: broke", "b: hung")
    row = rendering(error)
    rest = orjson.loads(rest_body(error, "trace-1"))
    openai = orjson.loads(openai_body(error, "trace-1"))["error"]
    assert rest["code"] == rpc_status(error, "trace-1").code == grpc_code(error).value[0]
    assert grpc_code(error) is grpc.StatusCode[row.grpc]
    assert rest["message"] == openai["message"] == "the.field: what went wrong"
    assert openai["param"] == "the.field"
    assert openai["code"] == kind.code
    kinds = {detail["@type"].rsplit(".", 1)[-1]: detail for detail in rest["details"]}
    assert kinds["ErrorInfo"]["reason"] == kind.code.upper()
    assert kinds["BadRequest"]["field_violations"][0]["field"] == "the.field"
    assert kinds["RetryInfo"]["retry_delay"] == "1.500s"
    assert kinds["RequestInfo"]["request_id"] == openai["trace_id"] == "trace-1"
    told = {"attempts": "2", "attempt_1": "a: broke", "attempt_2": "b: hung"}
    assert kinds["ErrorInfo"]["metadata"] == told
    assert openai["attempts"] == ["a: broke", "b: hung"]


# What Anthropic's API documents.
ANTHROPICS = {
    "invalid_request_error", "authentication_error", "permission_error", "not_found_error",
    "request_too_large", "rate_limit_error", "api_error", "timeout_error", "overloaded_error",
}  # fmt: skip


@pytest.mark.parametrize("kind", ALL)
def test_every_error_has_one_of_anthropics_types(kind: type[VoyagerError]) -> None:
    error = kind("what went wrong", "the.field", 1.5)
    error.causes = ("a: broke",)
    told = orjson.loads(anthropic_body(error, "trace-1"))
    assert (told["type"], told["request_id"]) == ("error", "trace-1")
    inner = told["error"]
    assert inner["type"] in ANTHROPICS
    is_ours = inner["type"] in ("api_error", "timeout_error", "overloaded_error")
    assert is_ours == (rendering(error).http >= 500)
    assert (inner["message"], inner["param"]) == ("the.field: what went wrong", "the.field")
    assert (inner["code"], inner["attempts"]) == (kind.code, ["a: broke"])


@pytest.mark.parametrize("kind", ALL)
def test_whoever_may_come_back_is_told_when(kind: type[VoyagerError]) -> None:
    error = kind("what went wrong")
    details = orjson.loads(rest_body(error, "t"))["details"]
    told = [detail["retry_delay"] for detail in details if "retry_delay" in detail]
    back = rendering(error).http in (429, 503)
    assert told == (["1s"] if back else [])
    assert retry_headers(error) == ([(b"retry-after", b"1")] if back else [])


def test_the_table_has_a_row_for_each_code_and_no_other() -> None:
    assert set(RENDERINGS) == {kind.code for kind in ALL}


def test_client_faults_are_4xx_and_ours_5xx() -> None:
    for kind in ALL:
        status = RENDERINGS[kind.code].http
        if issubclass(kind, errors.InvalidArgument):
            assert 400 <= status < 500
        if issubclass(kind, errors.Unavailable):
            assert status >= 500


def test_the_docstring_draws_the_whole_tree() -> None:
    assert errors.__doc__ is not None
    for kind in ALL:
        assert kind.__name__ in errors.__doc__


def test_a_foreign_error_shows_nothing_of_itself() -> None:
    shown = public(RuntimeError("postgres://user:secret@db/prod"))
    assert isinstance(shown, errors.Internal)
    assert "secret" not in str(shown)
