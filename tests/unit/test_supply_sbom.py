"""The bill of materials: valid CycloneDX 1.6, complete, and the same bytes each time."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from scripts.supply.lock import Pin, read_lock
from scripts.supply.policy import read_policy
from scripts.supply.project import installed_distributions, read_project
from scripts.supply.sbom import bill_of_materials

ROOT = Path(__file__).resolve().parents[2]


def written() -> str:
    return bill_of_materials(read_project(), read_lock(), installed_distributions(), read_policy())


@pytest.fixture(scope="module")
def bill() -> dict[str, Any]:
    return json.loads(written())


def runtime_pins() -> dict[str, Pin]:
    """What the service needs, by another witness: uv's own remarks in the lock (``# via``)."""
    parents: dict[str, set[str]] = {}
    package = ""
    for line in (ROOT / "requirements.lock").read_text().splitlines():
        if line[:1].isalnum():
            package = line.partition("==")[0]
            parents[package] = set()
        elif found := re.fullmatch(r"    #   (?:via )?(.+)|    # via (.+)", line):
            parents[package].add(found[1] or found[2])
    here = {pin.name: pin for pin in read_lock() if pin.installed_here}
    reached = {name for name in here if "voyager-llm (pyproject.toml)" in parents[name]}
    while grown := {name for name in here if parents[name] & reached} - reached:
        reached |= grown
    return {name: here[name] for name in reached}


def test_it_is_valid_cyclonedx_1_6() -> None:
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(written()) is None


def test_it_lists_each_runtime_package_with_version_address_hashes_and_licence(bill: dict[str, Any]) -> None:
    expected = runtime_pins()
    assert len(expected) > 100
    listed = {component["name"]: component for component in bill["components"]}
    assert listed.keys() == expected.keys()
    for name, pin in expected.items():
        component = listed[name]
        assert component["version"] == pin.version
        assert component["purl"] == f"pkg:pypi/{name}@{pin.version}"
        assert {f"sha256:{entry['content']}" for entry in component["hashes"]} == set(pin.hashes)
        assert component["licenses"]


def test_it_leaves_out_what_developers_alone_need(bill: dict[str, Any]) -> None:
    assert not {"pytest", "ruff", "llm", "llama-cpp-python"} & {entry["name"] for entry in bill["components"]}


def test_its_graph_reaches_every_package_from_the_service(bill: dict[str, Any]) -> None:
    graph = {entry["ref"]: set(entry.get("dependsOn", ())) for entry in bill["dependencies"]}
    service = bill["metadata"]["component"]["bom-ref"]
    assert graph.keys() == {service} | {component["bom-ref"] for component in bill["components"]}
    reached, grown = {service}, graph[service]
    while grown := grown - reached:
        reached |= grown
        grown = set[str]().union(*(graph[ref] for ref in grown))
    assert reached == graph.keys()
    names = {ref.partition("/")[2].partition("@")[0] for ref in graph[service]}
    assert names == {requirement.name for requirement in read_project().runtime}


def test_the_same_inputs_give_the_same_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SOURCE_DATE_EPOCH", raising=False)
    first = written()
    assert written() == first
    assert "timestamp" not in json.loads(first)["metadata"]


def test_it_bears_the_time_that_the_build_gives_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1750000000")
    assert json.loads(written())["metadata"]["timestamp"] == "2025-06-15T15:06:40+00:00"
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(written()) is None
