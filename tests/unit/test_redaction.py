"""What a client sees of a provider's text: no part of a key, and one printable line."""

from __future__ import annotations

import html
import re
import string
from base64 import b64decode, b64encode, urlsafe_b64encode
from collections.abc import Callable
from urllib.parse import quote, quote_plus, unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deployments.lanes.redaction import clean, concealed, identifier
from voyager_llm.errors import UpstreamRateLimited, UpstreamRejected

KEYS = st.text(st.sampled_from(string.ascii_letters + string.digits + "-_.:/+="), min_size=8, max_size=200)
TEXT = st.text(st.characters(codec="utf-8", exclude_categories=["C"]), max_size=40)


def told(text: str, key: str) -> str:
    """What is shown of a provider's text, without our own word, which a key may spell by chance."""
    return concealed(UpstreamRejected(text), key).message.replace("[redacted]", "")


@given(
    TEXT, KEYS, TEXT, st.sampled_from(["{}", " {} ", "'{}'", "Bearer {}.", "key={},", "api_key:{}", "<{}>"])
)
def test_no_part_of_the_key_is_shown(before: str, key: str, after: str, form: str) -> None:
    shown = told(before + form.format(key) + after, key)
    assert not any(key[i : i + 6] in shown for i in range(len(key) - 5))


@given(TEXT, KEYS)
def test_an_error_without_the_key_stays_as_it_is(message: str, key: str) -> None:
    error = UpstreamRateLimited(message, "", 2.5)
    if not any(key[i : i + 6].lower() in message.lower() for i in range(len(key) - 5)):
        assert concealed(error, key) is error


SPREAD: dict[str, Callable[[str], str]] = {
    "backwards": lambda key: key[::-1], "spaced": " ".join, "with dashes": "-".join, "with dots": ".".join,
    "with nothing to see": "\u200b".join, "in lines": lambda key: " \n".join([key[:5], key[5:]]),
    "full width": lambda key: "".join(chr(ord(c) + 0xFEE0) for c in key),
}  # fmt: skip
LONG_KEYS = st.text(st.sampled_from(string.ascii_letters + string.digits + "-_"), min_size=20, max_size=99)


@given(LONG_KEYS, st.sampled_from(sorted(SPREAD)), TEXT)
def test_a_key_with_something_between_its_letters_is_not_shown(key: str, way: str, around: str) -> None:
    written = clean(f"bad parameter {around} {SPREAD[way](key)}, sorry")
    shown = told(written, key)
    bare, letters = "".join(filter(str.isalnum, key.lower())), "".join(filter(str.isalnum, shown.lower()))
    assert not any(part[i : i + 12] in letters for part in (bare, bare[::-1]) for i in range(len(bare) - 11))


def percent(text: str) -> str:
    return "".join(f"%{byte:02x}" for byte in text.encode())


WAYS: dict[str, Callable[[str], str]] = {
    "percent": lambda key: quote(key, safe=""), "plus": quote_plus, "each letter": percent,
    "twice": lambda key: percent(percent(key)), "small": lambda key: quote(key, safe="").lower(),
    "html": html.escape, "html of each": lambda key: "".join(f"&#{ord(c)};" for c in key),
    "slashes": lambda key: key.replace("/", "\\/"), "json of each": lambda key: "".join(
        f"\\u{ord(c):04x}" for c in key),
    "python of each": lambda key: "".join(f"\\x{ord(c):02x}" for c in key),
    "bytes": lambda key: repr(key.encode()),
    "hex": lambda key: key.encode().hex(), "capital hex": lambda key: "0X" + key.encode().hex().upper(),
    "other case": str.swapcase,
}  # fmt: skip


@given(KEYS, st.sampled_from(sorted(WAYS)), TEXT)
def test_no_escape_shows_the_key(key: str, way: str, around: str) -> None:
    """As it comes from a provider: cleaned, cut and in one word with something else."""
    written = clean(f"got {around.replace(' ', '')}{WAYS[way](key)}, sorry")
    shown = told(written, key)
    undone = shown
    for _ in range(3):
        undone = html.unescape(unquote(re.sub(r"\\(?:u00|x)(..)", r"%\1", undone)))
    undone = re.sub(r"\\(.)", r"\1", undone).lower()
    assert not any(key[i : i + 6].lower() in undone for i in range(len(key) - 5))
    assert key.encode().hex()[:12] not in shown.lower()


@given(
    st.text(st.sampled_from("?>~/+aZ0-_.:"), min_size=8, max_size=120),
    st.sampled_from(["", ":", "apikey:", "ab", "user@host:"]),
    st.sampled_from(["", ":", "\n", "xy"]),
    st.booleans(),
)  # fmt: skip
def test_no_base64_shows_the_key(key: str, before: str, after: str, is_of_urls: bool) -> None:
    encode = urlsafe_b64encode if is_of_urls else b64encode
    written = clean(f"temperature must be below 1, got {encode((before + key + after).encode()).decode()}")
    word = told(written, key).removeprefix("temperature must be below 1, got ")
    for piece in re.findall(r"[A-Za-z0-9+/_-]{8,}", word.replace("redacted", "")):
        for start in range(4):
            part = piece[start : start + (len(piece) - start) // 4 * 4].translate(str.maketrans("-_", "+/"))
            said = b64decode(part).decode("latin-1")
            assert not any(key[i : i + 6] in said for i in range(len(key) - 5))


@given(LONG_KEYS, st.integers(0, 12), st.sampled_from(sorted(SPREAD)))
def test_no_part_of_the_key_is_told_as_a_field_or_a_code(key: str, start: int, way: str) -> None:
    piece, spread = key[start : start + 8], SPREAD[way](key)
    error = concealed(UpstreamRejected("wrong", piece, 1.5, spread), key)
    assert isinstance(error, UpstreamRejected)
    assert (error.message, error.field) == ("wrong", "")
    assert error.provider_code == "" or len("".join(filter(str.isalnum, key))) < 12


@pytest.mark.parametrize("said", ["messages.0.content", "tools[0].function/name", "string_above_max_length"])
def test_names_of_parameters_and_errors_are_told(said: str) -> None:
    assert identifier(said) == said
    error = UpstreamRejected("wrong", said, 0.0, said)
    assert concealed(error, "sk-canary-0123456789") is error


@pytest.mark.parametrize("said", ["two words", "s k - a", "a" * 200, "%73%6b", "a\nb", "é"])
def test_what_is_no_name_is_told_as_none(said: str) -> None:
    assert identifier(said) == ""


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
