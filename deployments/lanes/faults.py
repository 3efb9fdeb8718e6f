"""A provider's failed answer into one error of ours. Used by every lane.

Wordings differ by provider; what matters is told apart here once: wrong request, too long a prompt,
content policy, limit, credentials, outage. A provider's own text is shown only where it tells the client
what is wrong with *its* request, and then cleaned and cut.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, cast

import orjson

from voyager_llm.errors import (
    ContentPolicyRefused,
    ContextWindowExceeded,
    UpstreamInvalid,
    UpstreamMisconfigured,
    UpstreamRateLimited,
    UpstreamRejected,
    UpstreamTimeout,
    UpstreamUnavailable,
    VoyagerError,
)

_TOO_LONG = re.compile(
    r"context[ _-]?(length|window|size)|maximum context|prompt is too long|too many (input )?tokens"
    r"|input token count|reduce the length|exceeds? the (maximum|available) (number of tokens|context)",
    re.IGNORECASE,
)
_POLICY = re.compile(
    r"content[ _-]?(policy|filter|management)|safety (system|setting)|responsible ai|blocked by",
    re.IGNORECASE,
)
# What looks like a key: by how it begins, or since no word is so long and mixes letters with digits.
_KEY = re.compile(
    r"\b((sk|pk|rk|gsk|xai|hf|r8|nvapi|pplx|key)[-_*]|AIza|AKIA|ASIA|eyJ)[A-Za-z0-9*._-]{6,}"
    r"|\b(?=[A-Za-z]*[0-9])(?=[0-9]*[A-Za-z])[A-Za-z0-9]{24,}\b"
)
# What follows a word that announces one.
_ANNOUNCED = re.compile(
    r"\b((?:key|token|secret|password|credential|authorization)(?: is| provided)?[\"'`]?\s*[:=]"
    r"(?:\s*(?:bearer|basic)\b)?|\b(?:bearer|basic)\b)\s*\S{6,}",
    re.IGNORECASE,
)
_MAX_TEXT = 300
# Of a key, as many characters in a row give it away.
_SHOWN_OF_KEY = 6


def fault(status: int, body: bytes, headers: Mapping[str, str]) -> VoyagerError:
    """The error for an answer that is no success. ``body`` may be anything."""
    code, text = _said(body)
    retry_after = retry_after_s(headers)
    if status == 429:
        return UpstreamRateLimited("the provider's rate limit is reached", "", retry_after)
    if status in (401, 403):
        return UpstreamMisconfigured("the provider refused our credentials")
    if status == 404:
        return UpstreamMisconfigured("the provider does not know this model or path")
    if status in (408, 504):
        return UpstreamTimeout("the provider timed out")
    if 300 <= status < 400:
        return UpstreamInvalid("the provider answered with a redirect, which is not followed")
    if status >= 500 or status in (409, 425):
        detail = "is loading the model" if "loading model" in text.lower() else f"answered {status}"
        return UpstreamUnavailable(f"the provider {detail}", "", retry_after)
    if 400 <= status < 500:
        return rejected(code, text)
    return UpstreamInvalid(f"the provider answered with status {status}")


def error_in_success(document: Mapping[str, Any]) -> VoyagerError:
    """The error for an answer with status 200 that holds no result."""
    error = document.get("error")
    if not error:
        return UpstreamInvalid("the provider's answer holds no result")
    code, text = _read(error)
    status = 502
    if isinstance(error, Mapping):
        given = cast("Mapping[str, Any]", error).get("code")
        if isinstance(given, int) and 400 <= given < 600:
            status = given
    if status == 429 or "rate_limit" in code:
        return UpstreamRateLimited("the provider's rate limit is reached")
    if "overloaded" in code or status >= 500:
        known = rejected(code, text)
        return known if not isinstance(known, UpstreamRejected) else UpstreamUnavailable(
            "the provider answered with an error"
        )  # fmt: skip
    return rejected(code, text)


def rejected(code: str, text: str) -> VoyagerError:
    """The error for a request that the provider refused, by its code and text."""
    if "context_length" in code or _TOO_LONG.search(text):
        return ContextWindowExceeded("the prompt does not fit the model's context window", "messages")
    if "content_policy" in code or "content_filter" in code or _POLICY.search(text):
        return ContentPolicyRefused("the provider's content policy refused the request", "messages")
    shown = clean(text)
    return UpstreamRejected(f"the provider refused the request: {shown}" if shown else
                            "the provider refused the request")  # fmt: skip


def clean(text: str) -> str:
    """A provider's text, fit to be shown: one printable line, without anything like a key."""
    line = "".join(c if c.isprintable() else " " for c in text)
    line = _ANNOUNCED.sub(r"\1 [redacted]", _KEY.sub("[redacted]", " ".join(line.split())))
    return line if len(line) <= _MAX_TEXT else line[: _MAX_TEXT - 1] + "…"


def concealed(error: VoyagerError, key: str) -> VoyagerError:
    """The error without any part of the key with which the call was made, however the provider wrote it."""
    message = error.message
    for start in range(len(key) - _SHOWN_OF_KEY + 1):
        if key[start : start + _SHOWN_OF_KEY] in message:
            return type(error)(_without(message, key), error.field, error.retry_after_s)
    return error


def _without(message: str, key: str) -> str:
    """``message`` with every word left out that shares more than a few characters with ``key``."""
    parts = {key[start : start + _SHOWN_OF_KEY] for start in range(len(key) - _SHOWN_OF_KEY + 1)}
    return " ".join(
        "[redacted]" if any(part in word for part in parts) else word for word in message.split(" ")
    )


def _said(body: bytes) -> tuple[str, str]:
    try:
        document: Any = orjson.loads(body[:65536])
    except orjson.JSONDecodeError:
        return "", ""
    if isinstance(document, list) and document:
        document = cast("list[Any]", document)[0]
    if not isinstance(document, Mapping):
        return "", ""
    found = cast("Mapping[str, Any]", document)
    return _read(found.get("error") or found.get("message") or found.get("detail"))


def _read(error: object) -> tuple[str, str]:
    """(machine-readable code, text) of an error object of OpenAI, Anthropic, Gemini or Ollama."""
    if isinstance(error, str):
        return "", error
    if not isinstance(error, Mapping):
        return "", ""
    fields = cast("Mapping[str, Any]", error)
    codes = (fields.get(key) for key in ("code", "type", "status"))
    message = fields.get("message")
    return " ".join(str(c) for c in codes if c).lower(), message if isinstance(message, str) else ""


def retry_after_s(headers: Mapping[str, str]) -> float:
    """Seconds of a ``Retry-After`` header, as number or date (RFC 9110, 10.2.3); 0 without one."""
    value = headers.get("Retry-After", "")
    if not value:
        return 0.0
    try:
        return max(0.0, min(float(value), 86_400.0))
    except ValueError:
        pass
    try:
        when = parsedate_to_datetime(value)
    except (TypeError, ValueError):
        return 0.0
    if when.tzinfo is None:
        when = when.replace(tzinfo=UTC)
    return max(0.0, (when - datetime.now(UTC)).total_seconds())
