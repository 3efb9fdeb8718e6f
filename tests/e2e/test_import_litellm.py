"""Configurations of LiteLLM's proxy are imported into a running service, and what comes of them answers."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from scripts.fake_provider.running import FakeProvider
from serve_app.commands.litellm_config import import_file
from tests.support.litellm_configs import FOLDER
from tests.support.running import ROOT, RunningService

# The command imports LiteLLM for names without a provider, which takes long on a machine that is busy.
pytestmark = pytest.mark.timeout(600)

# The secrets that the configurations' models refer to, and the key behind each.
KEYS = {
    name: f"key-of-{name}"
    for name in (
        *("openai-api-key", "anthropic-api-key", "gemini-api-key", "groq-api-key", "mistral-api-key"),
        *("azure-api-key", "azure-prod-key", "gpt-4-1-2-key", "guarded-key", "openrouter-api-key"),
        *("publicai-api-key", "deepseek-api-key", "perplexityai-api-key", "aws-bearer-token-bedrock"),
        *("openai-key-eu", "openai-key-us", "openai-key-spare"),
    )
}
# Providers that the configurations call at their own addresses.
HOSTED = ("openai", "anthropic", "gemini", "groq", "mistral", "openrouter", "deepseek", "perplexity")
SAID = "Hello from the fake provider"
ADDRESS = re.compile(r"https?://[\w.-]+(:\d+)?")


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    secrets: dict[str, Any] = {f"secret_{name.replace('-', '_')}__api_key": key for name, key in KEYS.items()}
    running = RunningService(tmp_path_factory.mktemp("import"), **secrets)
    yield running
    running.stop()


@pytest.fixture(autouse=True)
def empty(service: RunningService) -> None:
    """A name of one configuration may be a model and of another one a route."""
    for kind in ("routes", "models"):
        for name in list_of(service, kind):
            service.http.delete(f"/api/v1/{kind}/{name}").raise_for_status()


def list_of(service: RunningService, kind: str) -> dict[str, int]:
    """Names of what is defined, with revisions."""
    return {one["name"]: one["revision"] for one in service.http.get(f"/api/v1/{kind}").json()[kind]}


def command(service: RunningService, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "serve_app.cli", *arguments],
        cwd=ROOT,
        env={**os.environ, "VOYAGER_URL": service.url, "COLUMNS": "160"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def redirected(name: str, folder: Path, provider: FakeProvider) -> tuple[Path, dict[str, str]]:
    """A configuration whose addresses are the fake provider's, and the variables for those that it leaves
    out."""
    text = (FOLDER / f"{name}.yaml").read_text()
    hosts = {match[0] for match in ADDRESS.finditer(text)}
    for number, host in enumerate(sorted(hosts, key=len, reverse=True)):
        provider.profile(f"{name}-{number}")
        text = text.replace(host, f"{provider.url}/{name}-{number}")
    text = text.replace(
        "model: publicai/swiss-ai/apertus-8b",
        f"model: publicai/swiss-ai/apertus-8b\n      api_base: {provider.profile('publicai')}",
    )
    path = folder / f"{name}.yaml"
    path.write_text(text)
    keys = tuple(KEYS.values())
    variables = {f"{of.upper()}_API_BASE": provider.profile(of, keys=keys) for of in HOSTED}
    return path, variables


def options(variables: dict[str, str]) -> list[str]:
    return [f"--env={name}={value}" for name, value in variables.items()]


def ask(service: RunningService, name: str, definition: dict[str, Any]) -> str:
    """What a model says; of one that embeds, as if it had said it."""
    if "embed" in definition["model_name"] or "bge" in definition["model_name"]:
        answer = service.http.post("/v1/embeddings", json={"model": name, "input": "hello"})
        assert answer.status_code == 200, answer.text
        return SAID if answer.json()["data"][0]["embedding"] else ""
    answer = service.chat(name)
    assert answer.status_code == 200, f"{name}: {answer.text}"
    return answer.json()["choices"][0]["message"]["content"]


@pytest.mark.parametrize(
    ("name", "status"),
    [("simple", 0), ("balanced", 4), ("azure", 5), ("local", 5), ("hidden", 5), ("company", 5)],
)
def test_every_imported_model_and_route_answers(
    service: RunningService, provider: FakeProvider, tmp_path: Path, name: str, status: int
) -> None:
    path, variables = redirected(name, tmp_path, provider)
    done = command(service, "import-litellm", str(path), *options(variables))
    assert done.returncode == status, done.stdout + done.stderr
    result = import_file(path, variables, ())
    models = {model["name"]: model for model in result.models}
    for model in models.values():
        assert ask(service, model["name"], model) == SAID
    for route in result.routes:
        assert ask(service, route["name"], models[route["targets"][0]["model"]]) == SAID
    for definition in (*result.models, *result.routes):
        for alias in definition.get("aliases", ()):
            assert service.chat(alias).status_code == 200, alias
    # What is imported twice is the same.
    again = command(service, "import-litellm", str(path), *options(variables))
    assert " created" not in again.stdout
    assert " updated" not in again.stdout


def test_manifests_are_applied_as_they_are_written(
    service: RunningService, provider: FakeProvider, tmp_path: Path
) -> None:
    path, variables = redirected("balanced", tmp_path, provider)
    done = command(service, "import-litellm", str(path), "--out", str(tmp_path / "out"), *options(variables))
    assert done.returncode == 4
    assert len(list((tmp_path / "out").rglob("*.yaml"))) == 12
    command(service, "import-litellm", str(path), *options(variables))
    applied = command(service, "apply", "-f", str(tmp_path / "out"))
    assert applied.returncode == 0, applied.stderr
    assert applied.stdout.count("unchanged") == 12


def test_a_key_reaches_its_own_provider_alone(
    service: RunningService, provider: FakeProvider, tmp_path: Path
) -> None:
    path, variables = redirected("simple", tmp_path, provider)
    command(service, "import-litellm", str(path), *options(variables))
    for name, of in (("gpt-4o", "openai"), ("claude-sonnet", "anthropic"), ("gemini-flash", "gemini")):
        assert service.chat(name).status_code == 200
        headers = provider.seen(of)["last_headers"]
        sent = [key for key in KEYS.values() if any(key in value for value in headers.values())]
        assert sent == [KEYS[f"{of}-api-key"]]


def test_a_model_of_bedrocks_is_asked_as_bedrock_is(
    service: RunningService, provider: FakeProvider, tmp_path: Path
) -> None:
    base = provider.profile("bedrock").removesuffix("/v1")
    path = tmp_path / "config.yaml"
    path.write_text(
        "model_list:\n  - model_name: bedrock-nova\n    litellm_params:\n      model: "
        "bedrock/amazon.nova-pro-v1:0\n"
        f"      aws_region_name: eu-central-1\n      api_key: os.environ/AWS_BEARER_TOKEN_BEDROCK\n      "
        f"api_base: {base}\n"
    )
    assert command(service, "import-litellm", str(path)).returncode == 0
    service.chat("bedrock-nova")
    seen = provider.seen("bedrock")
    assert seen["last_path"].endswith("/converse")
    assert KEYS["aws-bearer-token-bedrock"] in seen["last_headers"]["authorization"]


def test_what_is_no_configuration_says_so_and_changes_nothing(
    service: RunningService, tmp_path: Path
) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(
        "model_list:\n  - {model_name: new, litellm_params: {model: openai/x}}\n  - {model_name: bad}\n"
    )
    done = command(service, "import-litellm", str(path))
    assert done.returncode == 2
    assert "config.yaml:3: " in done.stderr.replace("\n", "")
    assert list_of(service, "models") == {}


def test_what_the_service_refuses_leaves_nothing_half(
    service: RunningService, provider: FakeProvider, tmp_path: Path
) -> None:
    """A model called as the configuration's route stands in its way."""
    path, variables = redirected("balanced", tmp_path, provider)
    service.model("careful", provider.profile("careful"))
    refused = command(service, "import-litellm", str(path), *options(variables))
    assert refused.returncode == 1
    assert "route/careful" in refused.stderr
    assert "model careful is called 'careful' already" in " ".join(refused.stderr.split())
    assert list_of(service, "models") == {"careful": 1}
    assert list_of(service, "routes") == {}
