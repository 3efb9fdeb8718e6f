"""The REST and OpenAI APIs: the specification's examples, definitions' whole life, and bad input."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import Any

import openai
import pytest

from scripts.fake_provider.running import FakeProvider
from tests.support.service import LocalService, start

UUID = re.compile(r"^[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}$")
INSTANT = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")

# The specification's request bodies, as they stand there.
MODEL: dict[str, Any] = {
    "name": "gpt-4-production",
    "provider": "openai",
    "model_name": "gpt-4",
    "parameters": {"max_tokens": 4096, "temperature": 0.7},
    "capabilities": ["text_generation", "reasoning"],
    "cost": {"input_token_cost": 0.00003, "output_token_cost": 0.00006},
}
PROMPT: dict[str, Any] = {
    "name": "customer_support_response",
    "version": "1.0.0",
    "template": "You are a helpful customer support agent. Customer inquiry: {{inquiry}}\n\n"
    "Provide a helpful and professional response.",
    "parameters": [
        {"name": "inquiry", "type": "string", "required": True, "description": "Customer inquiry text"}
    ],
    "model_requirements": {"min_context_length": 2000, "capabilities": ["text_generation"]},
}
COMPLETION: dict[str, Any] = {
    "prompt": "Explain quantum computing in simple terms",
    "parameters": {"temperature": "0.7", "max_tokens": "500"},
    "metadata": {"user_id": "user-123", "session_id": "session-456"},
}


async def test_the_specifications_examples(local: LocalService, provider: FakeProvider) -> None:
    created = await local.http.post("/api/v1/models", json=MODEL)
    assert created.status_code == 201
    body = created.json()
    assert list(body) == ["model_id", "name", "status", "created_at"]
    assert UUID.match(body["model_id"])
    assert (body["name"], body["status"]) == ("gpt-4-production", "Pending")
    assert INSTANT.match(body["created_at"])
    created = await local.http.post("/api/v1/prompts", json=PROMPT)
    assert created.status_code == 201
    assert list(created.json()) == ["prompt_id", "name", "version", "created_at"]
    await local.http.patch(
        "/api/v1/models/gpt-4-production",
        json={"endpoints": {"primary": provider.profile("spec", tokens=95)}},
    )
    answer = await local.http.post("/api/v1/models/gpt-4-production/completions", json=COMPLETION)
    assert answer.status_code == 200
    body = answer.json()
    assert set(body) == {"completion", "metadata", "usage", "tool_calls"}
    assert body["metadata"]["model_used"] == "gpt-4"
    assert isinstance(body["metadata"]["completion_time_ms"], int)
    assert body["metadata"]["trace_id"]
    assert body["usage"]["input_tokens"] == 12
    assert body["usage"]["output_tokens"] == 95
    sent = provider.seen("spec")["last_body"]
    assert (sent["temperature"], sent["max_tokens"]) == (0.7, 500)


async def test_a_models_whole_life(local: LocalService) -> None:
    http = local.http
    await http.post("/api/v1/models", json=MODEL, headers={"x-voyager-user": "ada"})
    model = (await http.get("/api/v1/models/gpt-4-production")).json()["model"]
    assert (model["revision"], model["author"], model["cost"]["currency"]) == (1, "ada", "USD")
    assert model["cost"]["input_token_cost"] == 0.00003
    first = model["etag"]
    changed = await http.patch(
        "/api/v1/models/gpt-4-production?update_mask=parameters.temperature&etag=" + first,
        json={"parameters": {"temperature": 0.1, "max_tokens": 1}, "provider": "custom"},
    )
    model = changed.json()["model"]
    assert model["parameters"]["temperature"] == 0.1
    assert model["parameters"]["max_tokens"] == 4096, "what the mask does not name stays"
    snake = await http.patch(
        "/api/v1/models/gpt-4-production?update_mask=context_length", json={"context_length": 9000}
    )
    assert snake.json()["model"]["context_length"] == 9000
    unknown = await http.patch("/api/v1/models/gpt-4-production?update_mask=no_such", json={"version": "2"})
    assert (unknown.status_code, unknown.json()["message"]) == (
        400,
        "update_mask: there is no field 'no_such'",
    )
    stale = await http.patch(f"/api/v1/models/gpt-4-production?etag={first}", json={"version": "2"})
    assert stale.status_code == 409
    assert stale.json()["details"][1]["field_violations"][0]["field"] == "etag"
    versions = (await http.get("/api/v1/models/gpt-4-production/versions?page_size=1")).json()
    assert [v["revision"] for v in versions["versions"]] == [3]
    token = versions["next_page_token"]
    more = (await http.get(f"/api/v1/models/gpt-4-production/versions?page_token={token}")).json()
    assert [v["revision"] for v in more["versions"]] == [2, 1]
    back = await http.post("/api/v1/models/gpt-4-production/rollback", json={"revision": 1})
    assert (back.json()["model"]["revision"], back.json()["model"]["parameters"]["temperature"]) == (4, 0.7)
    assert (await http.delete("/api/v1/models/gpt-4-production")).status_code == 200
    assert (await http.get("/api/v1/models/gpt-4-production")).status_code == 404


async def test_a_prompts_versions(local: LocalService) -> None:
    http = local.http
    await http.post("/api/v1/prompts", json=PROMPT)
    path = "/api/v1/prompts/customer_support_response"
    clash = await http.patch(path, json={"version": "1.0.0", "template": "other {{inquiry}}"})
    assert clash.status_code == 409
    assert "immutable" in clash.json()["message"]
    patched = (await http.patch(path, json={"template": "Second: {{inquiry}}"})).json()["prompt"]
    assert patched["version"] == "1.0.1"
    rendered = await http.post(f"{path}/render", json={"variables": {"inquiry": "where?"}})
    assert rendered.json()["rendered_prompt"] == "Second: where?"
    old = await http.post(f"{path}/render", json={"version": "1.0.0", "variables": {"inquiry": "where?"}})
    assert old.json()["rendered_prompt"].startswith("You are a helpful")
    assert old.json()["resolved_variables"] == {"inquiry": "where?"}
    assert old.json()["metadata"]["version"] == "1.0.0"
    back = (await http.post(f"{path}/rollback", json={"version": "1.0.0"})).json()["prompt"]
    assert (back["version"], back["template"]) == ("1.0.2", PROMPT["template"])
    assert (await http.get(f"{path}?version=1.0.1")).json()["prompt"]["template"] == "Second: {{inquiry}}"


async def test_a_chat_prompt(local: LocalService, provider: FakeProvider) -> None:
    await local.model("m", provider.profile("chat-prompt"))
    messages = [
        {"role": "system", "content": "You are {{who}}."},
        {"role": "user", "content": "Greet {{name}}."},
    ]
    parameters = [{"name": "who", "default": "kind"}, {"name": "name", "required": True}]
    prompt = {"name": "chat", "version": "1.0.0", "messages": messages, "parameters": parameters}
    assert (await local.http.post("/api/v1/prompts", json=prompt)).status_code == 201
    body = {"model": "prompt:chat@1.0.0", "target": "m", "variables": {"name": "Ada"}}
    await local.http.post("/v1/chat/completions", json=body)
    assert provider.seen("chat-prompt")["last_body"]["messages"] == [
        {"role": "system", "content": "You are kind."},
        {"role": "user", "content": "Greet Ada."},
    ]
    assert "variables" not in provider.seen("chat-prompt")["last_body"]
    reference = {"prompt_ref": {"name": "chat"}, "variables": {"name": "Bob"}}
    answer = await local.http.post("/api/v1/models/m/completions", json=reference)
    assert answer.json()["metadata"]["prompt"] == {"name": "chat", "version": "1.0.0"}


async def test_lists_come_in_pages(local: LocalService) -> None:
    for i in range(7):
        await local.http.post("/api/v1/models", json={**MODEL, "name": f"model-{i}"})
    found: list[str] = []
    token = ""
    while True:
        page = (await local.http.get(f"/api/v1/models?page_size=3&page_token={token}")).json()
        found += [model["name"] for model in page["models"]]
        token = page["next_page_token"]
        if not token:
            break
    assert found == [f"model-{i}" for i in range(7)]
    assert (await local.http.get("/api/v1/models?page_token=%21%21")).status_code == 400
    assert (await local.http.get("/api/v1/models?page_size=1001")).status_code == 400


async def test_evaluations_and_scores(local: LocalService) -> None:
    await local.http.post("/api/v1/models", json=MODEL)
    await local.http.post("/api/v1/prompts", json=PROMPT)
    evaluation = {
        "name": "e",
        "model_ref": {"name": "gpt-4-production"},
        "prompt_ref": {"name": "customer_support_response", "version": "1.0.0"},
        "metrics": [{"name": "relevance", "weight": 1.0, "measurement": "semantic_similarity"}],
        "schedule": {"frequency": "daily", "time": "02:00"},
    }
    created = await local.http.post("/api/v1/evaluations", json=evaluation)
    assert created.status_code == 201, created.text
    missing = await local.http.post(
        "/api/v1/evaluations", json={**evaluation, "name": "f", "model_ref": {"name": "no"}}
    )
    assert missing.status_code == 409
    pairs = [
        {"output": "The capital of France is Paris.", "reference": "Paris is the capital of France."},
        {"output": "Bananas are yellow.", "reference": "Paris is the capital of France."},
    ]
    metrics = [
        {"name": "relevance", "weight": 0.5, "measurement": "semantic_similarity"},
        {"name": "coverage", "weight": 0.5, "measurement": "keyword_coverage"},
    ]
    scored = await local.http.post("/api/v1/scores", json={"pairs": pairs, "metrics": metrics})
    good, bad = scored.json()["scores"]
    assert good["metrics"]["coverage"] == 1.0
    assert good["metrics"]["relevance"] > 0.8 > bad["metrics"]["relevance"]
    assert good["score"] == pytest.approx(sum(good["metrics"].values()) / 2)
    unknown = {"pairs": pairs, "metrics": [{"name": "x", "weight": 1, "measurement": "vibes"}]}
    assert (await local.http.post("/api/v1/scores", json=unknown)).status_code == 400


async def test_what_is_needed_cannot_be_deleted(local: LocalService, provider: FakeProvider) -> None:
    await local.model("m", provider.profile("needed"))
    await local.route("r", "m")
    refused = await local.http.delete("/api/v1/models/m")
    assert (refused.status_code, refused.json()["message"]) == (409, "name: route r uses this model")
    missing = await local.http.post("/api/v1/routes", json={"name": "x", "targets": [{"model": "nope"}]})
    assert "nope" in missing.json()["message"]


BAD_REST: list[tuple[str, Any, str]] = [
    ("/api/v1/models", {**MODEL, "cost": {"input_token_cost": -1}}, "cost.input_token_cost"),
    ("/api/v1/models", {**MODEL, "cost": {"input_token_cost": "cheap"}}, "cost.input_token_cost"),
    ("/api/v1/models", {**MODEL, "parameters": {"max_tokens": "many"}}, "parameters.max_tokens"),
    ("/api/v1/models", {**MODEL, "no_such_field": 1}, "no_such_field"),
    ("/api/v1/models", {**MODEL, "capabilities": "all"}, "capabilities"),
    ("/api/v1/prompts", {**PROMPT, "template": "{{ x.__class__ }}"}, "template"),
    ("/api/v1/prompts", {**PROMPT, "template": "{{ nope }}"}, "template"),
    ("/api/v1/prompts", {**PROMPT, "version": "one"}, ""),
    ("/api/v1/models/m/completions", {}, "prompt"),
    (
        "/api/v1/models/m/completions",
        {"prompt": "x", "parameters": {"temperature": "hot"}},
        "parameters.temperature",
    ),
    ("/api/v1/models/m/completions", {"prompt": "x", "parameters": {"stream": "true"}}, "parameters.stream"),
    ("/api/v1/models/nope/completions", {"prompt": "x"}, "model_name"),
    ("/api/v1/models/prompt:/completions", {"prompt": "x"}, "model_name"),
    ("/api/v1/models/prompt:nope/completions", {}, "model_name"),
    ("/api/v1/models/m/completions", {"prompt_ref": {"name": "nope"}}, "prompt_ref.name"),
    ("/api/v1/prompts/nope/render", {}, "prompt_name"),
]


@pytest.mark.parametrize(("path", "body", "field"), BAD_REST)
async def test_bad_rest_input_names_the_field(
    local: LocalService, provider: FakeProvider, path: str, body: Any, field: str
) -> None:
    await local.model("m", provider.profile("bad"))
    answer = await local.http.post(path, json=body)
    assert answer.status_code in (400, 404)
    named = [
        violation["field"]
        for detail in answer.json()["details"]
        for violation in detail.get("field_violations", ())
    ]
    if field:
        assert named == [field], answer.text


BAD_OPENAI: list[tuple[Any, int, str | None]] = [
    (b"{", 400, "body"),
    (b"[]", 400, "body"),
    (b'{"model": "\xff\xfe"}', 400, "body"),
    (b'{"model": "m", "messages": ' + b"[" * 5000 + b"]" * 5000 + b"}", 400, None),
    ({"messages": []}, 400, "model"),
    ({"model": 5}, 400, "model"),
    ({"model": "m"}, 400, "messages"),
    ({"model": "m", "messages": []}, 400, "messages"),
    ({"model": "m", "messages": ["hi"]}, 400, "messages.0"),
    ({"model": "m", "messages": [{"role": "user"}], "temperature": "0.5"}, 400, "temperature"),
    ({"model": "m", "messages": [{"role": "user"}], "max_tokens": 0}, 400, "max_tokens"),
    ({"model": "m", "messages": [{"role": "user"}], "stream": "yes"}, 400, "stream"),
    ({"model": "m", "messages": [{"role": "user"}], "stop": [1]}, 400, "stop"),
    ({"model": "prompt:", "messages": []}, 400, "model"),
    ({"model": "prompt:nope"}, 404, "prompt"),
    ({"model": "nope", "messages": [{"role": "user"}]}, 404, "model"),
]


@pytest.mark.parametrize(("body", "status", "field"), BAD_OPENAI)
async def test_bad_openai_input_names_the_field(
    local: LocalService, provider: FakeProvider, body: Any, status: int, field: str | None
) -> None:
    await local.model("m", provider.profile("bad-openai"))
    sent = {"content": body} if isinstance(body, bytes) else {"json": body}
    answer = await local.http.post("/v1/chat/completions", **sent)
    assert answer.status_code == status, answer.text
    assert answer.json()["error"]["type"] == "invalid_request_error"
    if field:
        assert answer.json()["error"]["param"] == field


async def test_a_prompt_of_sixty_megabytes(local: LocalService) -> None:
    answer = await local.chat("m", padding="x" * 60_000_000)
    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "request_too_large")


async def test_paths_that_are_none(local: LocalService) -> None:
    assert (await local.http.get("/nope")).status_code == 404
    assert (await local.http.post("/api/v1/nope")).status_code == 404
    wrong = await local.http.put("/api/v1/models")
    assert wrong.status_code == 405
    assert "use GET, POST" in wrong.json()["message"]
    assert wrong.headers["allow"] == "GET, HEAD, OPTIONS, POST"


async def test_with_a_key_nothing_works_without_it(tmp_path: Path, provider: FakeProvider) -> None:
    (tmp_path / "client-key").mkdir()
    (tmp_path / "client-key" / "key").write_text("let-me-in")
    service = await start(tmp_path, api_key={"name": "client-key", "key": "key"}, host="0.0.0.0")
    for path in ("/v1/models", "/api/v1/models", "/metrics", "/docs", "/openapi.json"):
        assert (await service.http.get(path)).status_code == 401
        wrong = await service.http.get(path, headers={"authorization": "Bearer wrong"})
        assert wrong.status_code == 401
        right = await service.http.get(path, headers={"authorization": "Bearer let-me-in"})
        assert right.status_code == 200
    assert (await service.http.get("/healthz")).status_code == 200
    await service.close()


async def test_an_open_service_refuses_to_listen_to_the_world(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="VOYAGER_API_KEY"):
        await start(tmp_path, host="0.0.0.0")


async def test_documents(local: LocalService) -> None:
    document = (await local.http.get("/openapi.json")).json()
    assert (
        document["paths"]["/api/v1/models/{model_name}/completions"]["post"]["operationId"]
        == "GenerateCompletion"
    )
    assert "/v1/chat/completions" in document["paths"]
    page = (await local.http.get("/docs")).text
    assert "GenerateCompletion" in page
    assert "<script" not in page


async def test_metrics_count(local: LocalService, provider: FakeProvider) -> None:
    await local.model("m", provider.profile("metrics"), cost={"input_token_cost": 1, "output_token_cost": 2})
    await local.chat("m")
    await local.chat("made-up-by-the-client")
    text = (await local.http.get("/metrics")).text
    assert 'voyager_completions_total{model="m",outcome="ok",route=""} 1.0' in text
    assert 'voyager_completions_total{model="",outcome="not_found",route=""} 1.0' in text
    assert 'voyager_tokens_total{direction="output",model="m",route=""} 5.0' in text
    assert 'voyager_cost_total{model="m",route=""} 22.0' in text
    assert 'voyager_attempts_total{endpoint="m",outcome="ok",reason="first",route=""} 1.0' in text


async def test_the_openai_package(local: LocalService, provider: FakeProvider) -> None:
    """The real client, over the application."""
    await local.model("m", provider.profile("sdk"))
    client = openai.AsyncOpenAI(
        base_url="http://service/v1", api_key="none", http_client=local.http, max_retries=0
    )
    messages: Any = [{"role": "user", "content": "hello"}]
    answer = await client.chat.completions.create(model="m", messages=messages)
    assert answer.choices[0].message.content == "Hello from the fake provider"
    stream = await client.chat.completions.create(
        model="m", messages=messages, stream=True, stream_options={"include_usage": True}
    )
    chunks = [chunk async for chunk in stream]
    assert (
        "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)
        == answer.choices[0].message.content
    )
    assert chunks[-1].usage is not None
    assert [model.id async for model in client.models.list()] == ["m"]
    with pytest.raises(openai.NotFoundError) as caught:
        await client.chat.completions.create(model="nope", messages=messages)
    assert caught.value.code == "not_found"
    await local.model("cut", provider.profile("sdk-cut", truncate_after=2))
    with pytest.raises(openai.APIError, match="broke off"):
        async for _ in await client.chat.completions.create(model="cut", messages=messages, stream=True):
            pass


async def test_a_client_that_goes_away_cancels_the_provider(
    local: LocalService, provider: FakeProvider
) -> None:
    await local.model("m", provider.profile("gone", latency_s=5))
    body = b'{"model": "m", "messages": [{"role": "user", "content": "x"}]}'
    came = asyncio.Event()

    async def receive() -> dict[str, Any]:
        if not came.is_set():
            came.set()
            return {"type": "http.request", "body": body}
        await asyncio.sleep(0.3)
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        raise AssertionError(message)

    scope = {
        "type": "http",
        "method": "POST",
        "path": "/v1/chat/completions",
        "query_string": b"",
        "headers": [],
    }
    with pytest.raises(asyncio.CancelledError):
        await asyncio.create_task(local.ingress(scope, receive, send))
    await asyncio.sleep(0.2)
    assert provider.seen("gone")["aborted"] == 1
