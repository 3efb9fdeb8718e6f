"""What each provider's failures mean, and what only sounds like it (`provider_answers.py` has the rows)."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from deployments.lanes.faults import error_in_success, fault
from tests.contract.provider_answers import (
    ACCOUNTS,
    ALONE,
    LIMITS,
    MEDIA,
    OUTAGES,
    POLICY,
    REJECTED,
    TOO_LONG,
    UNSUPPORTED,
    anthropic,
)
from voyager_llm import errors

# Texts of accounts that no client may see, nor anything of the key.
_PRIVATE = ("credit", "balance", "billing", "quota", "org-", "api key", "AIza", "console.x.ai", "arn:aws")


def judged(status: int, body: object, headers: dict[str, str] | None = None) -> errors.VoyagerError:
    raw = body if isinstance(body, bytes) else orjson.dumps(body)
    return fault(status, raw, headers or {})


def _cases(rows: list[tuple[str, int, Any]]) -> Any:
    return pytest.mark.parametrize(("who", "status", "body"), rows)


@_cases(ACCOUNTS)
def test_a_refused_account_is_ours_to_mend(who: str, status: int, body: Any) -> None:
    error = judged(status, body)
    assert type(error) is errors.UpstreamMisconfigured
    assert not any(word.lower() in error.message.lower() for word in _PRIVATE)


@_cases(TOO_LONG)
def test_a_prompt_that_does_not_fit(who: str, status: int, body: Any) -> None:
    error = judged(status, body)
    assert type(error) is errors.ContextWindowExceeded
    assert "maximum context length" in error.message, "SDKs look for these words"


@_cases(POLICY)
def test_a_content_policy(who: str, status: int, body: Any) -> None:
    error = judged(status, body)
    assert type(error) is errors.ContentPolicyRefused
    assert "Team" not in error.message


@_cases(MEDIA)
def test_a_picture_that_cannot_be_fetched_is_the_clients(who: str, status: int, body: Any) -> None:
    assert type(judged(status, body)) is errors.UpstreamRejected


@_cases(UNSUPPORTED)
def test_a_model_or_operation_that_is_not_there(who: str, status: int, body: Any) -> None:
    assert type(judged(status, body)) is errors.UpstreamUnsupported


@pytest.mark.parametrize(("who", "status", "body", "headers"), ALONE)
def test_a_request_over_the_limit_by_itself(who: str, status: int, body: Any, headers: Any) -> None:
    error = judged(status, body, {**headers, "retry-after": "20"})
    assert type(error) is errors.UpstreamRequestTooLarge
    assert error.retry_after_s == 0, "waiting does not help"


@pytest.mark.parametrize(("who", "status", "body", "headers"), LIMITS)
def test_a_limit_that_is_used_up(who: str, status: int, body: Any, headers: Any) -> None:
    error = judged(status, body, {**headers, "retry-after": "20"})
    assert type(error) is errors.UpstreamRateLimited
    assert error.retry_after_s == 20


@_cases(REJECTED)
def test_what_only_sounds_like_it(who: str, status: int, body: Any) -> None:
    assert type(judged(status, body)) is errors.UpstreamRejected


@_cases(OUTAGES)
def test_an_outage(who: str, status: int, body: Any) -> None:
    assert type(judged(status, body)) is errors.UpstreamUnavailable


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (302, errors.UpstreamInvalid),
        (200, errors.UpstreamInvalid),
        (408, errors.UpstreamTimeout),
        (504, errors.UpstreamTimeout),
        (409, errors.UpstreamConflict),
        (425, errors.UpstreamConflict),
        (410, errors.UpstreamUnsupported),
    ],
)
def test_what_a_status_says_alone(status: int, expected: type[errors.VoyagerError]) -> None:
    assert type(judged(status, b"")) is expected


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        ({"error": {"code": 429, "message": "Provider returned error"}}, errors.UpstreamRateLimited),
        ({"error": {"code": 403, "message": "input was flagged"}}, errors.ContentPolicyRefused),
        ({"error": {"code": "content_filter", "message": "stopped"}}, errors.ContentPolicyRefused),
        ({"error": {"type": "overloaded_error", "message": "Overloaded"}}, errors.UpstreamUnavailable),
        (anthropic("authentication_error", "invalid x-api-key"), errors.UpstreamMisconfigured),
        (anthropic("invalid_request_error", "prompt is too long: 3 > 2"), errors.ContextWindowExceeded),
        ({"error": "model runner has unexpectedly stopped"}, errors.UpstreamUnavailable),
        ({"error": {"message": "who knows"}}, errors.UpstreamUnavailable),
        ({"error": None}, errors.UpstreamInvalid),
        ({}, errors.UpstreamInvalid),
    ],
)
def test_errors_within_an_answer_that_succeeds(document: Any, expected: type[errors.VoyagerError]) -> None:
    assert type(error_in_success(document)) is expected


def test_the_exception_that_aws_names_in_a_header_counts() -> None:
    headers = {"x-amzn-errortype": "ExpiredTokenException:http://internal.amazon.com/"}
    assert type(judged(400, {"message": "?"}, headers)) is errors.UpstreamMisconfigured


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"[1]",
        b'"text"',
        b"null",
        b'{"error": []}',
        b'{"error": {"message": {"a": 1}, "code": []}}',
        b'{"error": {"message": "{\\"error\\": {"}}',
        b'{"message": "} {"}',
        b"\xff\xfe",
        b'{"error":' * 500,
    ],
)
def test_whatever_the_body_is_there_is_an_error(body: bytes) -> None:
    for status in range(300, 600):
        assert isinstance(fault(status, body, {}), errors.VoyagerError)
