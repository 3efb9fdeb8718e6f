"""What a client may see of a provider's text: one printable line without any key. Used by `faults.py` and
`caller.py`."""

from __future__ import annotations

import re

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
# Of a key, as many characters in a row give it away.
_SHOWN_OF_KEY = 6


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
