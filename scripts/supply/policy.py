"""What the project accepts of others: `policy.toml` as data. The audit and the bill of materials read it."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

POLICY = Path(__file__).with_name("policy.toml")


@dataclass(frozen=True, slots=True)
class Denial:
    """A release that is known to be malicious."""

    package: str
    version: str
    reason: str
    source: str


@dataclass(frozen=True, slots=True)
class Policy:
    """Releases that are refused, and licences that are accepted. All licences are SPDX expressions."""

    denials: tuple[Denial, ...]
    allowed: frozenset[str]
    """Identifiers that may stand in any package's licence."""
    spellings: Mapping[str, str]
    """What metadata write without SPDX, and what it means."""
    read: Mapping[str, str]
    """By package: the licence that a person read in its files, since its metadata leave it open."""
    exceptions: Mapping[str, str]
    """By package: why its licence, which is not allowed otherwise, does no harm here."""


def read_policy(path: Path = POLICY) -> Policy:
    """The policy.

    :raises KeyError: a table is missing.
    """
    content: dict[str, Any] = tomllib.loads(path.read_text())
    licences = content["licences"]
    return Policy(
        denials=tuple(Denial(**denial) for denial in content["denied"]),
        allowed=frozenset(licences["allowed"]),
        spellings=licences["spellings"],
        read=licences["read"],
        exceptions=licences["exceptions"],
    )
