"""Configurations as people have them become the definitions and notes that stand beside them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from tests.support.litellm_configs import FOLDER, NAMES, expected, imported, outcome
from voyager_llm.domain.definition import parse
from voyager_llm.domain.model import ModelDefinition
from voyager_llm.domain.route import RouteDefinition

# Texts of the configurations that are keys, however they are named there.
KEYS = re.compile(
    r"sk-[\w-]+|pk-[\w-]+|[0-9a-f]{32}|local-0123456789abcdef|BEGIN PRIVATE "
    "KEY|secret-0123456789abcdef"
)


def test_every_configuration_of_the_folder_is_tried() -> None:
    assert {path.name.split(".")[0] for path in FOLDER.iterdir()} == set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_a_configuration_becomes_what_stands_beside_it(name: str) -> None:
    assert outcome(imported(name)) == expected(name)


@pytest.mark.parametrize("name", NAMES)
def test_what_it_becomes_is_valid_and_complete(name: str) -> None:
    result = imported(name)
    models = [parse(ModelDefinition, model) for model in result.models]
    routes = [parse(RouteDefinition, route) for route in result.routes]
    names = [definition.name for definition in (*models, *routes)]
    assert len(names) == len(set(names))
    assert {reference for route in routes for reference in route.references()} <= {m.name for m in models}


@pytest.mark.parametrize("name", NAMES)
def test_no_key_of_the_file_is_repeated(name: str) -> None:
    text = (FOLDER / f"{name}.yaml").read_text()
    result = imported(name)
    told = "\n".join([*result.notes, *map(str, result.mapped), str(result.models), str(result.routes)])
    assert [key for key in KEYS.findall(text) if key in told] == []


@pytest.mark.parametrize("name", NAMES)
def test_every_setting_of_the_file_is_mapped_or_noted_with_its_line(name: str) -> None:
    """Lines of settings that have a note or belong to a definition are all lines of settings."""
    path = FOLDER / f"{name}.yaml"
    result = imported(name)
    noted = {note.place.line for note in result.remarks}
    assert all(0 < line <= len(path.read_text().splitlines()) for line in noted)
    for section in ("litellm_settings", "router_settings", "general_settings"):
        for key, line in _lines_of(path, section).items():
            told = line in noted or any(row.given == f"{section}.{key}" for row in result.mapped)
            value = yaml.safe_load(path.read_text())[section][key]
            assert told or value is False, f"{section}.{key} was dropped in silence"


def _lines_of(path: Path, section: str) -> dict[str, int]:
    root = yaml.compose(path.read_text())
    assert isinstance(root, yaml.MappingNode)
    found = next((value for key, value in root.value if key.value == section), None)
    if not isinstance(found, yaml.MappingNode):
        return {}
    return {key.value: value.start_mark.line + 1 for key, value in found.value}
