"""The repository keeps what its documents promise."""

from __future__ import annotations

import importlib.metadata
import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
OURS = ("voyager_llm", "deployments", "evals", "serve_app", "controller")


@pytest.mark.parametrize("name", ["ARCHITECTURE.md", "README.md", "CONTRIBUTING.md", "docs/kubernetes.md"])
def test_documents_name_files_that_exist(name: str) -> None:
    text = (ROOT / name).read_text()
    paths = re.findall(
        r"`((?:voyager_llm|deployments|serve_app|evals|controller|crds|kuberay|proto|tests|benchmarks|scripts"
        r"|docs)/[^`*<>\s]*)`",
        text,
    )
    assert paths
    missing = [path for path in paths if not (ROOT / path.rstrip("/")).exists()]
    assert missing == []


def test_our_package_names_are_ours_alone() -> None:
    """PyPI has distributions of the same names; a dependency that brought one would shadow ours."""
    owners = importlib.metadata.packages_distributions()
    for name in OURS:
        assert set(owners.get(name, ["voyager-llm"])) == {"voyager-llm"}


def test_every_package_is_shipped() -> None:
    """Several top-level packages must be listed one by one; a forgotten one is missing in the image alone."""
    listed = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]
    found = [
        ".".join(path.parent.relative_to(ROOT).parts)
        for name in OURS
        for path in (ROOT / name).rglob("__init__.py")
    ]
    assert sorted(listed) == sorted(found)


def test_proto_is_no_package() -> None:
    """`proto` is the import name of proto-plus, which Ray brings."""
    assert not list((ROOT / "proto").rglob("__init__.py"))


def test_decisions_are_numbered_without_gaps() -> None:
    numbers = sorted(int(path.name[:4]) for path in (ROOT / "docs" / "decisions").glob("[0-9]*.md"))
    assert numbers == list(range(1, len(numbers) + 1))
