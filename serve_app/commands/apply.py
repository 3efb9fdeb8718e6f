"""`voyager-llm apply`: manifests into definitions, all of them or none, in one request.

Used by `cli.py`, for manifests and for what is imported.
"""

from __future__ import annotations

import gzip
import re
import sys
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import orjson

from serve_app.commands.client import ServiceClient, ServiceError
from serve_app.commands.kinds import KINDS
from serve_app.commands.manifests import Manifest
from serve_app.commands.show import err

_PATH = "/api/v1/definitions:apply"
# Larger ones are packed: a request has 8 MiB at most, and definitions shrink to a twentieth.
_PLAIN_BYTES = 4 * 1024 * 1024
_PLACE = re.compile(r"^(\w+)\[(\d+)\]\.?")


def apply_all(client: ServiceClient, manifests: Sequence[Manifest], *, dry_run: bool = False) -> None:
    """Create and update them, and say what came of each. Raises `ServiceError`; then nothing was written,
    unless the error says so."""
    lists: dict[str, list[Manifest]] = defaultdict(list)
    for manifest in manifests:
        lists[manifest.kind.plural].append(manifest)
    body = orjson.dumps(
        {
            **{plural: [manifest.definition for manifest in of_kind] for plural, of_kind in lists.items()},
            "validate_only": dry_run,
        }
    )
    number = f"{len(manifests)} definition{'s' * (len(manifests) != 1)}"
    with err.status(f"{'checking' if dry_run else 'applying'} {number}, {len(body) / 1e6:.1f} MB …"):
        try:
            answer = client.request("POST", _PATH, **_content(body))
        except ServiceError as error:
            _explain(error, lists)
            raise
    suffix = " (dry run)" if dry_run else ""
    lines = [f"{one['kind']}/{one['name']} {one['outcome']}{suffix}\n" for one in answer["definitions"]]
    sys.stdout.write("".join(lines))
    counts = ", ".join(f"{answer[outcome]} {outcome}" for outcome in ("created", "updated", "unchanged"))
    err.print(f"{number}: {counts}{suffix}")


def _content(body: bytes) -> dict[str, Any]:
    headers = {"content-type": "application/json"}
    if len(body) > _PLAIN_BYTES:
        headers["content-encoding"] = "gzip"
        body = gzip.compress(body, 6)
    return {"content": body, "headers": headers}


def _explain(error: ServiceError, lists: dict[str, list[Manifest]]) -> None:
    """Say of each fault which manifest it is about."""
    for fault in error.faults:
        place = _PLACE.match(fault["field"])
        if place is None:
            continue
        manifest = lists[place[1]][int(place[2])]
        field = fault["field"][place.end() :]
        where = f"{manifest.label} ({manifest.source})"
        err.print(f"{where} [red]refused[/red]: {field + ': ' if field else ''}{fault['description']}")


def manifest_of(kind: str, definition: dict[str, Any], source: str) -> Manifest:
    """A definition that stands in no manifest, as one."""
    return Manifest(KINDS[kind], definition, source)
