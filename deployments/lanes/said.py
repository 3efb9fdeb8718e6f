"""What a provider says in an answer that failed: its codes and its text, and what they mean.

Statuses alone do not tell: an empty account is a 400 at Anthropic, a 402 at DeepSeek, a 403 at xAI and a 429
at OpenAI. The words stand in `wordings.py`. Used by `faults.py`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, cast

import orjson

from deployments.lanes import wordings

# As much of an answer is read for its error.
MOST_BYTES = 65_536


@dataclass(frozen=True)
class Said:
    """What a failed answer says: its codes in lower case, whatever field they stand in, and its text."""

    codes: frozenset[str] = frozenset()
    text: str = ""
    # Which parameter of the request is wrong and the one word for what is, as the provider wrote them.
    param: str = ""
    code: str = ""

    @cached_property
    def statement(self) -> str:
        """The text without what it quotes."""
        return wordings.QUOTED.sub(wordings.NAMED, self.text)

    def has_code(self, *parts: str) -> bool:
        """Whether one of ``parts`` stands in a code."""
        return any(part in code for code in self.codes for part in parts)

    @property
    def is_about_the_account(self) -> bool:
        """The key is wrong, or what it belongs to may or can not pay."""
        return not wordings.ACCOUNT_CODES.isdisjoint(self.codes) or bool(wordings.ACCOUNT.match(self.text))

    @property
    def is_unpaid(self) -> bool:
        """The account cannot pay, told like a rate limit."""
        return not wordings.UNPAID_CODES.isdisjoint(self.codes) or bool(wordings.UNPAID.match(self.text))

    @property
    def is_unsupported(self) -> bool:
        """The endpoint has no such model, or the model no such operation."""
        return not wordings.UNSUPPORTED_CODES.isdisjoint(self.codes) or bool(
            wordings.UNSUPPORTED.match(self.text)
        )

    @property
    def is_too_long(self) -> bool:
        """The prompt does not fit the model."""
        if not wordings.TOO_LONG_CODES.isdisjoint(self.codes) or wordings.LONG_FIELD.search(self.text):
            return True
        return bool(wordings.TOO_LONG.search(self.statement))

    @property
    def is_policy(self) -> bool:
        """A content policy refused the prompt or the answer."""
        if not wordings.POLICY_CODES.isdisjoint(self.codes):
            return True
        return bool(wordings.POLICY.search(self.statement)) and not wordings.ACCOUNT.match(self.text)

    @property
    def is_unfetched_media(self) -> bool:
        """The provider could not fetch or read what the request points at."""
        return not wordings.MEDIA_CODES.isdisjoint(self.codes) or bool(wordings.MEDIA.search(self.statement))

    def exceeds_limit_alone(self, headers: Mapping[str, str]) -> bool:
        """The request is larger than the account's limit a minute, however little else is sent."""
        if numbers := wordings.LIMIT_AND_REQUESTED.search(self.text):
            limit, requested = (int(number.replace(",", "")) for number in numbers.groups())
            return requested > limit
        if kind := wordings.ANTHROPICS_LIMIT.search(self.text):
            # That nothing of the limit is used yet tells.
            name = f"anthropic-ratelimit-{kind[1].lower()}-tokens-"
            limit, remaining = headers.get(name + "limit", ""), headers.get(name + "remaining", "")
            return limit.isdecimal() and remaining.isdecimal() and int(remaining) >= int(limit)
        return bool(wordings.TOO_LARGE.match(self.text))


def read_said(body: bytes, headers: Mapping[str, str]) -> Said:
    """What an answer says. ``body`` may be anything."""
    try:
        document: Any = orjson.loads(body[:MOST_BYTES])
    except orjson.JSONDecodeError:
        document = None
    if isinstance(document, list) and document:
        document = cast("list[Any]", document)[0]
    said = document_said(cast("Mapping[str, Any]", document) if isinstance(document, Mapping) else {})
    if exception := headers.get("x-amzn-errortype"):
        return replace(said, codes=said.codes | {exception.split(":", 1)[0].lower()})
    return said


def document_said(document: Mapping[str, Any]) -> Said:
    """What an error document says, in the shape of any provider."""
    error = document.get("error")
    if isinstance(error, Mapping):
        fields = cast("Mapping[str, Any]", error)
        text = fields.get("message")
    else:
        # xAI, Ollama, Bedrock, Mistral and FastAPI say it on the outside.
        fields = document
        text = error or document.get("message") or document.get("Message") or document.get("detail")
    if isinstance(text, Mapping):
        text = cast("Mapping[str, Any]", text).get("detail")
    if isinstance(text, list):
        return _validation(cast("list[Any]", text), frozenset(_codes(fields)))
    said = Said(frozenset(_codes(fields)), _text(text), _text(fields.get("param")), _text(fields.get("code")))
    return _unwrapped(said)


def _validation(found: list[Any], codes: frozenset[str]) -> Said:
    """What FastAPI's validation says: a list of places in the body and of what is wrong there."""
    rows = [cast("Mapping[str, Any]", row) for row in found if isinstance(row, Mapping)]
    if not rows:
        return Said(codes, "; ".join(_text(row) for row in found))
    places = [_place(row.get("loc")) for row in rows]
    texts = [_text(row.get("msg") or row.get("message")) for row in rows]
    text = "; ".join(f"{place}: {said}" if place else said for place, said in zip(places, texts, strict=True))
    return Said(codes, text, places[0], _text(rows[0].get("type")))


def _place(steps: Any) -> str:
    if not isinstance(steps, list):
        return ""
    return ".".join(str(step) for step in cast("list[Any]", steps) if step != "body")


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _unwrapped(said: Said) -> Said:
    """What was said in the first place, where another service has put its own words around the JSON."""
    start, end = said.text.find("{"), said.text.rfind("}") + 1
    if not 0 <= start < end:
        return said
    try:
        document: Any = orjson.loads(said.text[start:end])
    except orjson.JSONDecodeError:
        return said
    inner = document_said(cast("Mapping[str, Any]", document))
    return replace(inner, codes=said.codes | inner.codes) if inner.text else said


def _codes(fields: Mapping[str, Any]) -> Iterator[str]:
    for name in ("code", "type", "status", "__type", "reason"):
        if (value := fields.get(name)) is not None and isinstance(value, (str, int)):
            yield str(value).lower()
    inner = fields.get("innererror")  # Azure
    if isinstance(inner, Mapping):
        yield from _codes(cast("Mapping[str, Any]", inner))
    metadata = fields.get("metadata")  # OpenRouter, of a moderation
    if isinstance(metadata, Mapping) and "flagged_input" in metadata:
        yield "flagged_input"
    details = fields.get("details")  # Google
    for detail in cast("list[Any]", details) if isinstance(details, list) else ():
        if isinstance(detail, Mapping):
            yield str(cast("Mapping[str, Any]", detail).get("reason") or "").lower()
