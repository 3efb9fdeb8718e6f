"""What a new user does: run it, ask the embedded model, define, apply, stop a provider, stop it all."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest

from scripts.fake_provider.running import FakeProvider
from tests.support.running import ROOT, RunningService

CANARY = "a-key-of-a-provider"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    running = RunningService(
        tmp_path_factory.mktemp("first-user"), embedded_llm=True, secret_canary__key=CANARY
    )
    yield running
    if running.process.poll() is None:
        running.stop()


def cli(service: RunningService, *arguments: str, status: int = 0) -> str:
    """Run the command line; its output, both streams."""
    done = subprocess.run(
        [sys.executable, "-m", "serve_app.cli", *arguments],
        cwd=ROOT,
        env={**os.environ, "VOYAGER_URL": service.url, "COLUMNS": "160"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    output = done.stdout + done.stderr
    assert done.returncode == status, output
    return output


def test_the_first_completion(service: RunningService) -> None:
    output = cli(service, "complete", "local", "Write one sentence about the sea.", "-p", "max_tokens=24")
    text, _, account = output.strip().rpartition("\n")
    assert len(text.split()) > 3
    assert "local ·" in account
    assert "tokens" in account


def test_status_and_get(service: RunningService) -> None:
    assert "is ready; " in cli(service, "status")
    assert "local" in cli(service, "get", "models")
    assert "kind: ModelDefinition" in cli(service, "get", "model", "local", "-o", "yaml")


def test_the_specifications_manifests_apply_unchanged(service: RunningService) -> None:
    """Twice: the second time nothing changes. The evaluation is given before what it refers to."""
    files = [f"-f{ROOT / 'examples' / name}.yaml" for name in ("evaluation", "prompt", "model")]
    assert "3 created, 0 updated, 0 unchanged (dry run)" in cli(service, "apply", *files, "--dry-run")
    assert "3 created, 0 updated, 0 unchanged" in cli(service, "apply", *files)
    assert "0 created, 0 updated, 3 unchanged" in cli(service, "apply", *files)
    rendered = cli(service, "render", "process-suggestion-prompt", "-v", "requirements=a library")
    assert "Requirements: a library" in rendered
    assert "Complexity: medium" in rendered
    refused = cli(
        service,
        "render",
        "process-suggestion-prompt",
        "-v",
        "requirements=x",
        "-v",
        "complexity=mad",
        status=1,
    )
    assert "must be one of: simple, medium, complex" in refused


def test_versions_by_hand(service: RunningService, tmp_path: Path) -> None:
    manifest = tmp_path / "model.yaml"
    text = (ROOT / "examples" / "model.yaml").read_text().replace("gpt-4-production", "versioned")
    manifest.write_text(text)
    cli(service, "apply", "-f", str(manifest))
    manifest.write_text(text.replace("temperature: 0.7", "temperature: 0.2"))
    assert "model/versioned updated" in cli(service, "apply", "-f", str(manifest))
    difference = cli(service, "diff", "model", "versioned", "1", status=1)
    assert "-  temperature: 0.7" in difference
    assert "+  temperature: 0.2" in difference
    manifest.write_text(text.replace("    temperature: 0.7\n", "").replace("  version:", "  # version:"))
    assert "model/versioned updated" in cli(service, "apply", "-f", str(manifest))
    assert "temperature" not in cli(service, "get", "model", "versioned", "-o", "yaml"), (
        "what is left out goes"
    )
    assert "revision 4" in cli(service, "rollback", "model", "versioned", "1")
    assert cli(service, "diff", "model", "versioned", "1", "4") == ""
    assert "deleted" in cli(service, "delete", "model", "versioned")
    assert "no model is named" in cli(service, "get", "model", "versioned", status=1)


def test_a_bad_manifest_says_where(service: RunningService, tmp_path: Path) -> None:
    bad = tmp_path / "bad.yaml"
    bad.write_text((ROOT / "examples" / "model.yaml").read_text().replace("0.00003", "-1"))
    assert "cost.input_token_cost" in cli(service, "apply", "-f", str(bad), status=1)


def test_an_imported_litellm_configuration_works(
    service: RunningService, provider: FakeProvider, tmp_path: Path
) -> None:
    config = tmp_path / "config.yaml"
    base = provider.profile("imported")
    config.write_text(
        f"model_list:\n  - model_name: imported\n    litellm_params: {{model: openai/x, api_base: {base}}}\n"
    )
    cli(service, "import-litellm", str(config))
    assert "Hello from the fake provider" in cli(service, "complete", "imported", "hi")


def test_a_fallback_is_seen_when_a_provider_stops(service: RunningService) -> None:
    provider = FakeProvider()
    service.model("stopping", provider.profile("stopping"))
    targets = [{"model": "stopping"}]
    service.http.post("/api/v1/routes", json={"name": "safe", "targets": targets, "fallbacks": ["local"]})
    assert "stopping ·" in cli(service, "complete", "safe", "hi")
    provider.stop()
    assert "local ·" in cli(service, "complete", "safe", "hi", "-p", "max_tokens=8")


def test_the_embedded_model_has_no_secret_and_obeys_nobody_else(service: RunningService) -> None:
    (model,) = service.processes("serve_app.embedded_llm")
    assert CANARY not in " ".join(model.environ().values())
    assert not [name for name in model.environ() if name.startswith(("VOYAGER_SECRET", "RAY_"))]
    port = model.cmdline()[-1]
    body = {"messages": [{"role": "user", "content": "hi"}]}
    answer = httpx.post(f"http://127.0.0.1:{port}/v1/chat/completions", json=body, timeout=30)
    assert answer.status_code == 401


def test_the_embedded_model_comes_back(service: RunningService) -> None:
    (before,) = service.processes("serve_app.embedded_llm")
    before.kill()
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        answer = service.http.post("/api/v1/models/local/completions", json={"prompt": "hi"})
        if answer.status_code == 200:
            break
        assert answer.status_code == 503
        time.sleep(0.5)
    (after,) = service.processes("serve_app.embedded_llm")
    assert after.pid != before.pid


def test_no_service_is_said_plainly(service: RunningService) -> None:
    output = cli(service, "--url", "http://127.0.0.1:9", "status", status=3)
    assert "no service answers" in output
    assert "voyager-llm up" in output


def test_help_reads_well(service: RunningService) -> None:
    output = cli(service, "--help")
    for command in ("up", "status", "apply", "get", "delete", "diff", "rollback", "render", "complete"):
        assert command in output


def test_ctrl_c_leaves_nothing(service: RunningService) -> None:
    running = service.processes()
    assert len(running) > 5
    assert service.stop() == 0
    _, alive = psutil.wait_procs(running, timeout=10)
    assert alive == []
    assert service.processes() == []
