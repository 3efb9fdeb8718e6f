"""`requirements.lock` as data. The audit and the bill of materials read it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]
LOCK = ROOT / "requirements.lock"


@dataclass(frozen=True, slots=True)
class Pin:
    """One line of the lock: a release, where it is installed, and the files that may be installed for it."""

    name: str
    version: str
    marker: Marker | None
    hashes: tuple[str, ...]
    """``algorithm:digest`` of each admitted file."""

    @property
    def installed_here(self) -> bool:
        """Whether its marker holds on this platform."""
        return self.marker is None or self.marker.evaluate()

    def __str__(self) -> str:
        return f"{self.name}=={self.version}"


def read_lock(path: Path = LOCK) -> tuple[Pin, ...]:
    """All pins, in the order of the file.

    :raises ValueError: a line is no pin of one exact version.
    """
    lines = path.read_text().replace("\\\n", "").splitlines()
    return tuple(_pin(line) for line in lines if line.strip() and not line.lstrip().startswith("#"))


def _pin(line: str) -> Pin:
    text, *hashes = line.split("--hash=")
    requirement = Requirement(text.strip())
    version = str(requirement.specifier).removeprefix("==")
    if str(requirement.specifier) != f"=={version}" or "," in version or "*" in version:
        raise ValueError(f"requirements.lock: {text.strip()} pins no exact version; run `make lock`")
    digests = tuple(digest.strip() for digest in hashes)
    return Pin(canonicalize_name(requirement.name), version, requirement.marker, digests)
