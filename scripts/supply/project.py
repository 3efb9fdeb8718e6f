"""What `pyproject.toml` asks for, and all that this brings, by the metadata of what is installed.

The audit compares it with the lock; the bill of materials takes its graph from here.
"""

from __future__ import annotations

import sysconfig
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib import metadata
from importlib.metadata import Distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from scripts.supply.lock import ROOT

Graph = Mapping[str, frozenset[str]]
"""Each needed package, and the packages that it needs itself."""


@dataclass(frozen=True, slots=True)
class Project:
    """The declared side: what the service and its developers ask for."""

    name: str
    version: str
    runtime: tuple[Requirement, ...]
    development: tuple[Requirement, ...]
    overrides: Mapping[str, Requirement]
    """Requirements that replace what packages say of themselves, by package."""

    @property
    def asks_for(self) -> frozenset[str]:
        """The packages that the service itself asks for."""
        return frozenset(canonicalize_name(requirement.name) for requirement in self.runtime)


def read_project(path: Path = ROOT / "pyproject.toml") -> Project:
    """The project as declared.

    :raises KeyError: a table that this reads is gone.
    """
    content = tomllib.loads(path.read_text())
    overrides = [Requirement(text) for text in content["tool"]["uv"]["override-dependencies"]]
    return Project(
        name=content["project"]["name"],
        version=content["project"]["version"],
        runtime=tuple(Requirement(text) for text in content["project"]["dependencies"]),
        development=tuple(Requirement(text) for text in content["dependency-groups"]["dev"]),
        overrides={canonicalize_name(override.name): override for override in overrides},
    )


def needed(asked: Iterable[Requirement], overrides: Mapping[str, Requirement]) -> Graph:
    """Everything that ``asked`` brings on this platform, extras included.

    A package that is not installed stands in the graph without needs of its own.
    """
    graph: dict[str, set[str]] = {}
    seen: set[tuple[str, str]] = set()
    open_requirements = [requirement for requirement in asked if _applies(requirement, "")]
    while open_requirements:
        requirement = open_requirements.pop()
        name = canonicalize_name(requirement.name)
        needs = graph.setdefault(name, set())
        for extra in ("", *requirement.extras):
            if (name, extra) in seen:
                continue
            seen.add((name, extra))
            brought = [child for child in _requirements(name, overrides) if _applies(child, extra)]
            needs.update(canonicalize_name(child.name) for child in brought)
            open_requirements.extend(brought)
    return {name: frozenset(needs - {name}) for name, needs in sorted(graph.items())}


def installed_distributions() -> dict[str, Distribution]:
    """What is installed in this environment, by name."""
    # Ray adds a folder of its own to the path when it is imported; what stands there is no choice of ours.
    folders = [sysconfig.get_path("purelib"), sysconfig.get_path("platlib")]
    return {canonicalize_name(found.name): found for found in metadata.distributions(path=folders)}


def _requirements(name: str, overrides: Mapping[str, Requirement]) -> list[Requirement]:
    try:
        texts = metadata.requires(name) or []
    except metadata.PackageNotFoundError:
        return []
    own = [Requirement(text) for text in texts]
    return [overrides.get(canonicalize_name(requirement.name), requirement) for requirement in own]


def _applies(requirement: Requirement, extra: str) -> bool:
    return requirement.marker is None or requirement.marker.evaluate({"extra": extra})
