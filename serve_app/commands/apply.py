"""`voyager-llm apply`: manifests into definitions, created or updated as needed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from serve_app.commands.client import ServiceClient, ServiceError
from serve_app.commands.kinds import KindInfo, from_manifest, output_only

# What others refer to comes first, whatever the order of the files.
_ORDER = ("model", "prompt", "route", "evaluation")


def read_manifests(paths: list[Path]) -> list[tuple[KindInfo, dict[str, Any]]]:
    """All manifests of files and folders, in an order in which they can be applied.

    Raises `ServiceError` naming the file."""
    found: list[tuple[KindInfo, dict[str, Any]]] = []
    for path in _files(paths):
        try:
            documents = [document for document in yaml.safe_load_all(path.read_text()) if document]
        except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
            raise ServiceError(f"{path}: {error}") from None
        for document in documents:
            if not isinstance(document, dict):
                raise ServiceError(f"{path}: a manifest must be a mapping")
            try:
                found.append(from_manifest(document))
            except ServiceError as error:
                raise ServiceError(f"{path}: {error.message}") from None
    return sorted(found, key=lambda entry: _ORDER.index(entry[0].name))


def apply_definition(client: ServiceClient, kind: KindInfo, definition: dict[str, Any]) -> str:
    """Create or update one definition. Returns created, configured or unchanged.

    Raises `ServiceError`."""
    name = definition["name"]
    path = f"/api/v1/{kind.plural}"
    try:
        client.request("POST", path, json=definition)
    except ServiceError as error:
        if error.status != 409:
            raise
        # The name is taken, by this definition or another version of it; else it says what is in the way.
        before = _existing(client, f"{path}/{name}", error)[kind.name]
    else:
        return "created"
    # A field that the manifest no longer has goes, so the mask names what either has.
    mask = sorted((before.keys() | definition.keys()) - output_only(kind) - {"name"})
    parameters = {"update_mask": ",".join(mask)}
    after = client.request("PATCH", f"{path}/{name}", json=definition, params=parameters)[kind.name]
    return "unchanged" if after["revision"] == before["revision"] else "configured"


def _existing(client: ServiceClient, path: str, refusal: ServiceError) -> Any:
    """What is defined already. Raises ``refusal`` where nothing is."""
    try:
        return client.request("GET", path)
    except ServiceError as error:
        raise (refusal if error.status == 404 else error) from None


def _files(paths: list[Path]) -> Iterator[Path]:
    for path in paths:
        if path.is_dir():
            yield from sorted(p for p in path.rglob("*") if p.suffix in (".yaml", ".yml", ".json"))
        else:
            yield path
