"""The catalog knows every setting of the installed LiteLLM, the code obeys it, and the docs show it."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

from deployments.lanes.inference import inferred  # before LiteLLM, which asks the network when it comes first

# isort: split
import litellm
import pytest
from litellm.proxy._types import ConfigGeneralSettings, ConfigYAML
from litellm.router import Router
from litellm.types.router import LiteLLM_Params, ModelInfo, UpdateRouterConfig

from serve_app.commands.litellm import __file__ as package
from serve_app.commands.litellm.catalog import CATALOG, is_known, row_of
from serve_app.commands.litellm.prices import is_price
from serve_app.commands.litellm.rows import Section
from tests.support.litellm_documented import DOCUMENT, filled

_PROXY = (Path(litellm.__file__).parent / "proxy" / "proxy_server.py").read_text()


def read_of(section: str) -> set[str]:
    """Names that the proxy reads of a section."""
    return set(re.findall(rf'\b{section}\.get\(\s*"(\w+)"', _PROXY))


SETTINGS: dict[Section, set[str]] = {
    Section.PARAMS: set(LiteLLM_Params.model_fields),
    Section.INFO: set(ModelInfo.model_fields),
    Section.ROUTER: set(inspect.signature(Router.__init__).parameters) - {"self"}
    | set(UpdateRouterConfig.model_fields),
    Section.GENERAL: set(ConfigGeneralSettings.model_fields) | read_of("general_settings"),
    Section.LITELLM: read_of("litellm_settings")
    | set(re.findall(r'^ {16}(?:el)?if key == "(\w+)"', _PROXY, re.MULTILINE)),
    Section.FILE: set(ConfigYAML.model_fields),
}


@pytest.mark.parametrize("section", SETTINGS)
def test_every_setting_of_the_installed_litellm_is_known(section: Section) -> None:
    assert len(SETTINGS[section]) > 4
    assert {name for name in SETTINGS[section] if not is_known(section, name)} == set()


def test_every_section_that_the_proxy_reads_is_known() -> None:
    named = set(re.findall(r'\bconfig\.get\("(\w+)", None\)', _PROXY))
    assert len(named) > 10
    assert {name for name in named if not is_known(Section.FILE, name)} == set()


def test_prices_are_prices_in_both_places() -> None:
    names = {name for row in litellm.model_cost.values() for name in row if "cost" in name}
    for name in names | set(LiteLLM_Params.model_fields):
        if is_price(name):
            assert row_of(Section.PARAMS, name).effect is None, name
            assert row_of(Section.INFO, name).effect is None, name


@pytest.mark.parametrize("section", CATALOG)
def test_the_code_reads_every_setting_that_is_said_to_be_mapped(section: Section) -> None:
    folder = Path(package).parent
    code = "".join(path.read_text() for path in folder.glob("*.py") if not path.name.startswith("catalog_of"))
    generic = {
        "thinking",
        "response_format",
        "tools",
        "tool_choice",
        "parallel_tool_calls",
        "reasoning_effort",
    }
    for row in CATALOG[section]:
        if row.effect is None:
            silent = [name for name in row.names if f'"{name}"' not in code and name not in generic]
            assert silent == []


def test_what_is_inferred_is_what_litellm_infers() -> None:
    for model in (name for name in litellm.model_cost if "/" not in name):
        found = inferred(model)
        try:
            name, provider, _, _ = litellm.get_llm_provider(model)
        except litellm.exceptions.BadRequestError:
            assert found is None
        else:
            assert found is not None
            assert (found.provider, found.model_name) == (provider, name)


def test_no_setting_stands_in_two_rows() -> None:
    for section, rows in CATALOG.items():
        names = [name for row in rows for name in row.names]
        assert sorted({name for name in names if names.count(name) > 1}) == [], section


def test_the_document_shows_the_catalog() -> None:
    assert filled(DOCUMENT.read_text()) == DOCUMENT.read_text(), (
        "write it anew: python -m tests.support.litellm_documented"
    )
