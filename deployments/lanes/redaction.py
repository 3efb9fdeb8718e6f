"""What a client may see of a provider's text: one printable line without any key. Used by `faults.py` and
`caller.py`."""

from __future__ import annotations

import html
import re
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from unicodedata import normalize
from urllib.parse import unquote

from voyager_llm.errors import VoyagerError

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
# Of fields: `messages.0.content`, `messages[0].content`, `tools/0`; of errors: `string_above_max_length`.
_IDENTIFIER = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,63}(?:[.\[\]/-]{1,2}[A-Za-z0-9_]{1,64}\]?){0,8}")
# Of a key, as many characters in a row give it away.
_SHOWN_OF_KEY = 6
_SHOWN_OF_HEX = 2 * _SHOWN_OF_KEY
_SHOWN_OF_BASE64 = 8
# More of them where words are read as one: these may meet by chance.
_SHOWN_OF_BARE = 12


def clean(text: str) -> str:
    """A provider's text, fit to be shown: one printable line, without anything like a key."""
    line = "".join(c if c.isprintable() else " " for c in text)
    line = _ANNOUNCED.sub(r"\1 [redacted]", _KEY.sub("[redacted]", " ".join(line.split())))
    return line if len(line) <= _MAX_TEXT else line[: _MAX_TEXT - 1] + "…"


def identifier(text: str) -> str:
    """The name of a parameter or of an error, as a provider writes it; empty where it is none."""
    return text if _IDENTIFIER.fullmatch(text) else ""


def concealed(error: VoyagerError, key: str) -> VoyagerError:
    """The error without any part of the key with which the call was made, whichever way the provider wrote
    it, of those that `_Fragments` knows."""
    if not (key and any(error.args)):
        return error
    fragments = _fragments(key)
    others: list[Any] = list(error.args[1:])
    shown = " ".join("[redacted]" if fragments.are_in(word) else word for word in error.message.split(" "))
    if fragments.are_spread_in(shown):
        shown = "the provider's words hold a key and are not shown"
    # The field that is wrong, and the provider's word for how: either they are told, or not.
    hides = fragments.are_anywhere_in
    told: list[Any] = ["" if isinstance(said, str) and hides(said) else said for said in others]
    return error if (shown, told) == (error.message, others) else type(error)(shown, *told)


@dataclass(frozen=True, slots=True)
class _Fragments:
    """What gives a key away, piece by piece, in each way to write it."""

    plain: frozenset[str]
    hexadecimal: frozenset[str]
    base64: frozenset[str]
    # Without what separates letters, forwards and backwards.
    bare: frozenset[str]

    def are_in(self, word: str) -> bool:
        return (
            any(not self.plain.isdisjoint(_pieces(said, _SHOWN_OF_KEY)) for said in _readings(word))
            or not self.hexadecimal.isdisjoint(_pieces(word.lower(), _SHOWN_OF_HEX))
            or not self.base64.isdisjoint(_pieces(word.translate(_STANDARD), _SHOWN_OF_BASE64))
        )

    def are_anywhere_in(self, text: str) -> bool:
        return any(map(self.are_in, text.split(" "))) or self.are_spread_in(text)

    def are_spread_in(self, text: str) -> bool:
        """Whether it stands there with something between its letters, in other letters, or backwards."""
        return not self.bare.isdisjoint(_pieces(_bare(text), _SHOWN_OF_BARE))


@lru_cache(maxsize=256)
def _fragments(key: str) -> _Fragments:
    raw = key.encode(errors="replace")
    # Three bytes make four characters of base64, so what stands before the key shifts it in three ways. Of
    # each, those characters that hold six bits of the key and nothing else.
    shifted = (
        b64encode(b"\0" * before + raw).decode()[(8 * before + 5) // 6 : 8 * (before + len(raw)) // 6]
        for before in range(3)
    )
    bare = _bare(key)
    return _Fragments(
        frozenset(_pieces(key.casefold(), _SHOWN_OF_KEY)),
        frozenset(_pieces(raw.hex(), _SHOWN_OF_HEX)),
        frozenset(piece for text in shifted for piece in _pieces(text, _SHOWN_OF_BASE64)),
        frozenset(piece for text in (bare, bare[::-1]) for piece in _pieces(text, _SHOWN_OF_BARE)),
    )


def _pieces(text: str, size: int) -> Iterator[str]:
    return (text[start : start + size] for start in range(len(text) - size + 1))


def _bare(text: str) -> str:
    return "".join(filter(str.isalnum, normalize("NFKC", text).casefold()))


def _readings(word: str) -> Iterator[str]:
    """What a word says, as it stands and with what escapes its characters undone, in small letters."""
    for _ in range(_MOST_ESCAPES):
        yield word.casefold()
        undone = html.unescape(unquote(_ESCAPED.sub(_unescaped, word)))
        if undone == word:
            return
        word = undone


def _unescaped(found: re.Match[str]) -> str:
    digits = found[1] or found[2]
    return chr(int(digits, 16)) if digits else found[3]


# JSON's and Python's.
_ESCAPED = re.compile(r"\\(?:u([0-9a-fA-F]{4})|x([0-9a-fA-F]{2})|(.))")
_MOST_ESCAPES = 4
# Both alphabets of base64 as one.
_STANDARD = str.maketrans("-_", "+/")
