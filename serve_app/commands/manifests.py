"""Kubernetes' YAML (or JSON) out of files, folders and standard input. Used by `apply.py`."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from serve_app.commands.client import ServiceError
from serve_app.commands.kinds import KindInfo, from_manifest

# libyaml reads ten thousand manifests in seconds, Python alone in a minute.
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_STANDARD_INPUT = Path("-")


@dataclass(frozen=True, slots=True)
class Manifest:
    """One definition, and where it was read."""

    kind: KindInfo
    definition: dict[str, Any]
    source: str

    @property
    def label(self) -> str:
        return f"{self.kind.name}/{self.definition['name']}"


def read_manifests(paths: Sequence[Path]) -> list[Manifest]:
    """All manifests of files and folders; ``-`` is standard input. Raises `ServiceError` naming the file."""
    return [manifest for path in _files(paths) for manifest in _read(path)]


def _read(path: Path) -> Iterator[Manifest]:
    source = "standard input" if path == _STANDARD_INPUT else str(path)
    try:
        text = sys.stdin.read() if path == _STANDARD_INPUT else path.read_text()
        documents = [document for document in yaml.load_all(text, _Loader) if document]
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ServiceError(f"{source}: {error}") from None
    for document in documents:
        # `get -o json` of several prints a list.
        for manifest in document if isinstance(document, list) else [document]:
            if not isinstance(manifest, dict):
                raise ServiceError(f"{source}: a manifest must be a mapping")
            try:
                yield Manifest(*from_manifest(manifest), source)
            except ServiceError as error:
                raise ServiceError(f"{source}: {error.message}") from None


def _files(paths: Sequence[Path]) -> Iterator[Path]:
    for path in paths:
        if path.is_dir():
            yield from sorted(p for p in path.rglob("*") if p.suffix in (".yaml", ".yml", ".json"))
        else:
            yield path
