"""What a client sees of a provider's text: no part of a key, and one printable line."""

from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deployments.lanes.redaction import clean, concealed
from voyager_llm.errors import UpstreamRateLimited, UpstreamRejected

KEYS = st.text(st.sampled_from(string.ascii_letters + string.digits + "-_.:/+="), min_size=8, max_size=200)
TEXT = st.text(st.characters(codec="utf-8", exclude_categories=["C"]), max_size=40)


@given(
    TEXT, KEYS, TEXT, st.sampled_from(["{}", " {} ", "'{}'", "Bearer {}.", "key={},", "api_key:{}", "<{}>"])
)
def test_no_part_of_the_key_is_shown(before: str, key: str, after: str, form: str) -> None:
    shown = concealed(UpstreamRejected(before + form.format(key) + after), key).message
    assert not any(key[i : i + 6] in shown for i in range(len(key) - 5))


@given(TEXT, KEYS)
def test_an_error_without_the_key_stays_as_it_is(message: str, key: str) -> None:
    error = UpstreamRateLimited(message, "messages", 2.5)
    if not any(key[i : i + 6] in message for i in range(len(key) - 5)):
        assert concealed(error, key) is error


def test_what_an_error_says_besides_stays() -> None:
    error = concealed(UpstreamRateLimited("slow down, 0123456789", "messages", 2.5), "0123456789")
    assert (error.message, error.field, error.retry_after_s) == ("slow down, [redacted]", "messages", 2.5)


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("Incorrect API key provided: sk-abc123456.", "Incorrect API key provided: [redacted]"),
        ("no such key: hunter2hunter2", "no such key: [redacted]"),
        ("Authorization: Bearer qwertyuiop was refused", "Authorization: Bearer [redacted] was refused"),
        ("token=abcdefgh1234", "token= [redacted]"),
        ("got AKIAIOSFODNN7EXAMPLE", "got [redacted]"),
        ("0123456789abcdef0123456789abcdef is unknown", "[redacted] is unknown"),
        ("skipping 'prompt_cache_key', keyword arguments", "skipping 'prompt_cache_key', keyword arguments"),
        ("model claude-haiku-4-5-20251001 is unknown", "model claude-haiku-4-5-20251001 is unknown"),
        ("max_tokens: 100000000 is too large", "max_tokens: 100000000 is too large"),
    ],
)
def test_keys_of_others_are_known_by_their_looks(said: str, shown: str) -> None:
    assert clean(said) == shown


@given(st.text(max_size=2000))
def test_a_providers_text_is_one_short_printable_line(said: str) -> None:
    shown = clean(said)
    assert shown.isprintable()
    assert len(shown) <= 300
