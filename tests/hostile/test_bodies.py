"""A body that is odd or huge is its sender's mistake: a 400 at once, and nobody else notices."""

from __future__ import annotations

import itertools
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from scripts.fake_provider.running import FakeProvider
from tests.hostile.test_parameters import MODELS
from tests.support.service import LocalService, start
from voyager_llm.domain.operation import Operation
from voyager_llm.domain.parameters import PARAMETERS

AUTH = {"type": "bearer_token", "secret_ref": {"name": "provider-key", "key": "api_key"}}
DEEP = '{"a":' * 300 + "1" + "}" * 300


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[LocalService]:
    secret = tmp_path / "provider-key" / "api_key"
    secret.parent.mkdir()
    secret.write_text("canary-key")
    running = await start(tmp_path)
    yield running
    await running.close()


def called(arguments: str) -> list[dict[str, Any]]:
    call = {"id": "1", "type": "function", "function": {"name": "f", "arguments": arguments}}
    return [
        {"role": "user", "content": "x"},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "1", "content": "y"},
    ]


def said(content: Any, **more: Any) -> list[dict[str, Any]]:
    return [{"role": "user", "content": content, **more}]


# None of these is a request of OpenAI's API.
ODD: list[Any] = [
    said(5), said(True), said({"a": 1}), said([5]), said(["x"]), said([[["x"]]]), said([{}]),
    said([{"type": 5}]),
    said([{"type": "text", "text": 5}]), said([{"type": "text"}]), said("x", tool_calls=5),
    said("x", tool_calls=[5]), [5], ["x"], [[]], [{"role": 5, "content": "x"}], [{"content": "x"}],
    [{"role": "user", "content": "x"}] * 4097, said([{"type": "text", "text": "x"}] * 1025),
]  # fmt: skip

# These look like one, until somebody reads on: a provider's adapter may refuse them.
STRANGE: list[Any] = [
    called("[" * 300), called(DEEP), called("{"), called("5"), called(""), said([{"type": "nope"}]),
    said([{"type": "tool_use", "id": 1}]), said([{"type": "image_url"}]),
    said([{"type": "image_url", "image_url": 5}]),
    said([{"type": "image_url", "image_url": {"url": "data:;,"}}]), said([{"type": "file", "file": {}}]),
    said([{"type": "input_audio", "input_audio": {"data": "!", "format": "nope"}}]),
    [{"role": "nope", "content": "x"}], [{"role": "tool", "content": "x"}],
    [{"role": "assistant", "tool_calls": []}],
]  # fmt: skip


# Those whose protocol the fake provider speaks: what it does not know, it is right to be blamed for.
@pytest.mark.parametrize(
    "name", ["wire", "anthropic", "gemini", "ollama", "mistral", "azure", "azure_ai", "databricks"]
)
async def test_odd_messages_hurt_nobody_else(
    service: LocalService, provider: FakeProvider, name: str
) -> None:
    kind, model_name, path = MODELS[name]
    base = provider.profile(f"odd-{name}").removesuffix("/v1") + path
    await service.model("m", base, provider=kind, model_name=model_name, authentication=AUTH)
    for messages, stream in itertools.product([*ODD, *STRANGE], (False, True)):
        body = {"model": "m", "messages": messages, "stream": stream}
        answer = await service.http.post("/v1/chat/completions", content=orjson.dumps(body))
        assert answer.status_code != 500, (messages, answer.text)
        if messages in ODD:
            assert answer.status_code == 400, (str(messages)[:200], answer.text)
            assert answer.json()["error"]["param"].startswith("messages"), answer.text
    endpoint = service.replica.snapshots.current.models["m"].endpoints[0]
    for health in service.replica.endpoints.known(endpoint):
        assert health.admits(time.monotonic()), health.message
        assert not health.is_suspect(time.monotonic()), health.message


# Values of each of JSON's types, and such as look like another one.
TYPES: list[Any] = [True, -1, 1.5, "true", [5], [{}], {"a": 1}, [{"type": "function", "function": 5}]]


@pytest.mark.parametrize("name", ["wire", "anthropic", "gemini", "mistral", "azure"])
async def test_no_parameter_of_any_type_is_a_fault_of_ours(
    service: LocalService, provider: FakeProvider, name: str
) -> None:
    kind, model_name, path = MODELS[name]
    base = provider.profile(f"typed-{name}").removesuffix("/v1") + path
    await service.model("m", base, provider=kind, model_name=model_name, authentication=AUTH)
    for parameter, value in itertools.product(PARAMETERS[Operation.CHAT], TYPES):
        body = {"model": "m", "messages": said("x"), parameter: value}
        answer = await service.http.post("/v1/chat/completions", json=body)
        assert answer.status_code != 500, (body, answer.text)
        texts = {parameter: value if isinstance(value, str) else orjson.dumps(value).decode()}
        answer = await service.http.post(
            "/api/v1/models/m/completions", json={"prompt": "x", "parameters": texts}
        )
        assert answer.status_code != 500, (texts, answer.text)


HUGE: list[tuple[str, str, Any]] = [
    ("/v1/chat/completions", "messages", [{"role": "user", "content": "x"}] * 200_000),
    ("/v1/chat/completions", "tools", [{"type": "function", "function": {"name": "f"}}] * 100_000),
    ("/v1/chat/completions", "response_format", {"type": "x", "y": [[]] * 2_000_000}),
    ("/v1/completions", "prompt", ["x"] * 1_000_000),
    ("/v1/embeddings", "input", ["x"] * 1_000_000),
    ("/v1/embeddings", "input", list(range(1_000_000))),
    ("/api/v1/routes", "targets", [{"model": "m"}] * 300_000),
    ("/api/v1/prompts", "messages", [{"role": "user", "content": "x"}] * 200_000),
    ("/api/v1/prompts", "parameters", [{"name": "x"}] * 200_000),
    ("/api/v1/models", "capabilities", ["x"] * 700_000),
    ("/api/v1/prompts/p/render", "variables", {f"v{i}": "x" for i in range(300_000)}),
]


@pytest.mark.parametrize(("path", "field", "value"), HUGE, ids=[f"{path} {field}" for path, field, _ in HUGE])
async def test_a_huge_body_is_refused_before_it_costs_much(
    service: LocalService, path: str, field: str, value: Any
) -> None:
    """By processor time, in ratio to reading the JSON, which everybody must do."""
    given = {"messages": [{"role": "user", "content": "x"}]} if "chat" in path else {}
    body = orjson.dumps({"model": "m", "name": "x", **given, field: value})[: 8 * 1024 * 1024 - 1]
    if not body.endswith(b"}"):
        pytest.fail("the case is larger than a body may be")
    begun = time.process_time()
    orjson.loads(body)
    reading = time.process_time() - begun
    begun = time.process_time()
    answer = await service.http.post(path, content=body)
    assert answer.status_code == 400, answer.text[:300]
    assert time.process_time() - begun < 10 * reading
