"""A provider's failed answer into one error of ours. Used by every lane.

What providers say is told apart here once (`wordings.py` knows the words): this request is wrong, too long,
against a policy or over a limit by itself; the account's limit is reached; our credentials or our account
are refused; the endpoint lacks what was asked; an outage. A provider's own text is shown only where it tells
the client what is wrong with *its* request, and then cleaned and cut.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from deployments.lanes.redaction import clean, identifier
from deployments.lanes.said import Said, document_said, read_said
from voyager_llm.errors import (
    ContentPolicyRefused,
    ContextWindowExceeded,
    InvalidArgument,
    UpstreamConflict,
    UpstreamInvalid,
    UpstreamMisconfigured,
    UpstreamRateLimited,
    UpstreamRejected,
    UpstreamRequestTooLarge,
    UpstreamTimeout,
    UpstreamUnavailable,
    UpstreamUnsupported,
    VoyagerError,
)

# No provider means longer by what it calls a pause.
_LONGEST_S = 86_400.0

REDIRECTED = "the provider answered with a redirect, which is not followed"


def fault(status: int, body: bytes, headers: Mapping[str, str]) -> VoyagerError:
    """The error for an answer that is no success. ``body`` may be anything."""
    return judged(status, read_said(body, headers), headers)


def judged(status: int, said: Said, headers: Mapping[str, str]) -> VoyagerError:
    """The error for a failure with ``status``, by what the provider said."""
    if 300 <= status < 400:
        return UpstreamInvalid(REDIRECTED)
    # 499 is the provider's own: it gave the request up.
    if status >= 499:
        return _outage(status, said, headers)
    if 400 <= status < 500:
        return _refusal(status, said, headers)
    return UpstreamInvalid(f"the provider answered with status {status}")


def _refusal(status: int, said: Said, headers: Mapping[str, str]) -> VoyagerError:
    if status == 429 or said.has_code("rate_limit"):
        return _limit(said, headers)
    if status in (401, 402):
        return _misconfigured()
    if status == 403:
        # Some moderate with it, all others refuse our key.
        return policy_refused() if said.is_policy else _misconfigured()
    if status in (404, 405, 410):
        return _unsupported()
    if status == 408:
        return UpstreamTimeout("the provider timed out")
    if status in (409, 425):
        return UpstreamConflict(f"the provider answered {status}: it wants the request again")
    if said.is_about_the_account:
        return _misconfigured()
    if known := of_the_request(said):
        return known
    if said.is_unsupported:
        return _unsupported()
    return rejected(said) if said.text or status != 413 else UpstreamRejected(
        "the request is too large for the provider"
    )  # fmt: skip


def _limit(said: Said, headers: Mapping[str, str]) -> VoyagerError:
    if said.is_unpaid:
        return _misconfigured()
    if said.exceeds_limit_alone(headers):
        return UpstreamRequestTooLarge(
            "this request alone exceeds the provider's limit of tokens per minute: "
            "shorten the prompt or lower max_tokens"
        )
    return UpstreamRateLimited("the provider's rate limit is reached", "", retry_after_s(headers))


def _outage(status: int, said: Said, headers: Mapping[str, str]) -> VoyagerError:
    if known := of_the_request(said):
        return known
    if status == 501:
        return _unsupported()
    if status == 504:
        return UpstreamTimeout("the provider timed out")
    detail = "is loading the model" if "loading model" in said.text.lower() else f"answered {status}"
    return UpstreamUnavailable(f"the provider {detail}", "", retry_after_s(headers))


def error_in_success(document: Mapping[str, Any]) -> VoyagerError:
    """The error for an answer or event with status 200 that holds no result."""
    if not document.get("error"):
        return UpstreamInvalid("the provider's answer holds no result")
    said = document_said(document)
    return judged(_status(said), said, {})


def _status(said: Said) -> int:
    """The status that an error would have had."""
    for code in said.codes:
        if code.isdecimal() and 400 <= int(code) < 600:
            return int(code)
    if said.has_code("rate_limit"):
        return 429
    if said.has_code("invalid_request") or said.is_about_the_account:
        return 400
    return 502


def of_the_request(said: Said) -> InvalidArgument | None:
    """The error of a request that would fail everywhere; None: nothing says so."""
    if said.is_too_long:
        return ContextWindowExceeded(
            "the prompt does not fit: it is over the model's maximum context length", "messages"
        )
    if said.is_policy:
        return policy_refused()
    if said.is_unfetched_media:
        return rejected(said)
    return None


def rejected(said: Said) -> UpstreamRejected:
    """The error of a request that the provider found wrong, in its words."""
    shown = clean(said.text)
    message = f"the provider refused the request: {shown}" if shown else "the provider refused the request"
    return UpstreamRejected(message, identifier(said.param), 0.0, identifier(said.code))


def policy_refused() -> ContentPolicyRefused:
    return ContentPolicyRefused("the provider's content policy refused the request", "messages")


def _misconfigured() -> UpstreamMisconfigured:
    return UpstreamMisconfigured("the provider refused our credentials or our account")


def _unsupported() -> UpstreamUnsupported:
    return UpstreamUnsupported("the provider does not know this model or operation")


def retry_after_s(headers: Mapping[str, str]) -> float:
    """Seconds of a ``Retry-After`` header, as number or date (RFC 9110, 10.2.3); 0 without one.
    ``headers`` must know names in lower case."""
    value = headers.get("retry-after", "")
    if not value:
        return 0.0
    try:
        return max(0.0, min(float(value), _LONGEST_S))
    except ValueError:
        pass
    try:
        when = parsedate_to_datetime(value)
    except (TypeError, ValueError):
        return 0.0
    if when.tzinfo is None:
        when = when.replace(tzinfo=UTC)
    return max(0.0, min((when - datetime.now(UTC)).total_seconds(), _LONGEST_S))
