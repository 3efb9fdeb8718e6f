"""Clients of other gateways and of Azure, browsers and whoever asks what there is: all are answered."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import openai
import pytest

from scripts.fake_provider.running import FakeProvider
from tests.support.service import LocalService, start

KEY = "let-me-in"
MESSAGES: list[Any] = [{"role": "user", "content": "hello"}]
BODIES: dict[str, dict[str, Any]] = {
    "/chat/completions": {"messages": MESSAGES},
    "/completions": {"prompt": "hello"},
    "/embeddings": {"input": "hello"},
}
PAGE = "https://app.example"


@pytest.fixture
async def keyed(tmp_path: Path) -> AsyncIterator[LocalService]:
    """Where a key is asked for."""
    (tmp_path / "client-key").mkdir()
    (tmp_path / "client-key" / "key").write_text(KEY)
    service = await start(tmp_path, api_key={"name": "client-key", "key": "key"})
    service.http.headers["api-key"] = KEY
    yield service
    await service.close()


@pytest.mark.parametrize("base", ["", "/v1", "/openai/v1"])
@pytest.mark.parametrize("path", BODIES)
@pytest.mark.parametrize("ending", ["", "/"])
async def test_openais_paths_under_each_base_address(
    local: LocalService, provider: FakeProvider, base: str, path: str, ending: str
) -> None:
    await local.model("m", provider.profile("bases"))
    answer = await local.http.post(base + path + ending, json={"model": "m", **BODIES[path]})
    assert answer.status_code == 200, answer.text
    listed = await local.http.get(f"{base}/models{ending}")
    assert [entry["id"] for entry in listed.json()["data"]] == ["m"]
    again = await local.http.get(f"{base}/models{ending}")
    assert listed.json() == again.json(), "also when it was created"
    assert (await local.http.get(f"{base}/models/m{ending}")).json() == listed.json()["data"][0]


@pytest.mark.parametrize("prefix", ["/openai/deployments", "/engines", "/v1/engines"])
@pytest.mark.parametrize("path", BODIES)
async def test_the_path_names_the_destination_and_the_body_does_not(
    local: LocalService, provider: FakeProvider, prefix: str, path: str
) -> None:
    await local.model("m", provider.profile("deployments"))
    for body in (BODIES[path], {"model": "nobody", **BODIES[path]}, {"model": None, **BODIES[path]}):
        answer = await local.http.post(f"{prefix}/m{path}?api-version=2024-10-21", json=body)
        assert answer.status_code == 200, answer.text
        assert answer.headers["x-voyager-model"] == "m"


async def test_a_deployment_may_be_a_stored_prompt(local: LocalService, provider: FakeProvider) -> None:
    await local.model("m", provider.profile("deployed-prompt"))
    prompt = {"name": "p", "version": "1.0.0", "template": "hi {{ x }}"}
    parameters = [{"name": "x", "type": "string"}]
    await local.http.post("/api/v1/prompts", json={**prompt, "parameters": parameters})
    body = {"target": "m", "variables": {"x": "you"}}
    answer = await local.http.post("/openai/deployments/prompt%3Ap%401.0.0/chat/completions", json=body)
    assert answer.status_code == 200, answer.text
    assert provider.seen("deployed-prompt")["last_body"]["messages"][-1]["content"] == "hi you"


async def test_an_unknown_deployment_is_told_as_a_model(local: LocalService) -> None:
    answer = await local.http.post("/openai/deployments/none/chat/completions", json={"messages": MESSAGES})
    assert answer.status_code == 404
    assert answer.json()["error"]["param"] == "model"


async def test_azures_own_client(keyed: LocalService, provider: FakeProvider) -> None:
    await keyed.model("m", provider.profile("azure"))
    del keyed.http.headers["api-key"]
    async with openai.AsyncAzureOpenAI(
        api_key=KEY, azure_endpoint="http://service", api_version="2024-10-21", http_client=keyed.http
    ) as client:
        answer = await client.chat.completions.create(model="m", messages=MESSAGES)
        assert answer.choices[0].message.content
        stream = await client.chat.completions.create(model="m", messages=MESSAGES, stream=True)
        assert [chunk async for chunk in stream]
        assert [model.id async for model in client.models.list()] == ["m"]
        with pytest.raises(openai.AuthenticationError):
            await client.with_options(api_key="wrong").chat.completions.create(model="m", messages=MESSAGES)


@pytest.mark.parametrize(
    "path", ["/v1/models", "/models/", "/docs", "/healthz", "/api/v1/models", "/metrics"]
)
async def test_head_is_get_without_the_body(local: LocalService, path: str) -> None:
    read, head = await local.http.get(path), await local.http.head(path)
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-type"] == read.headers["content-type"]
    assert int(head.headers["content-length"]) > 0


@pytest.mark.parametrize("path", ["/v1/models/nope", "/api/v1/models/nope", "/nope"])
async def test_head_of_what_is_not_there(local: LocalService, path: str) -> None:
    head = await local.http.head(path)
    assert (head.status_code, head.content) == (404, b"")


ALLOWED = [
    ("/v1/chat/completions", "OPTIONS, POST"),
    ("/engines/m/completions/", "OPTIONS, POST"),
    ("/v1/models", "GET, HEAD, OPTIONS"),
    ("/healthz", "GET, HEAD, OPTIONS"),
    ("/api/v1/models", "GET, HEAD, OPTIONS, POST"),
    ("/api/v1/models/m/", "DELETE, GET, HEAD, OPTIONS, PATCH"),
    ("/api/v1/models/m/completions:stream", "OPTIONS, POST"),
]


@pytest.mark.parametrize(("path", "methods"), ALLOWED)
async def test_options_and_a_wrong_method_say_what_is_allowed(
    keyed: LocalService, path: str, methods: str
) -> None:
    asked = await keyed.http.options(path, headers={"api-key": ""})
    assert (asked.status_code, asked.content, asked.headers["allow"]) == (204, b"", methods)
    assert not [name for name in asked.headers if name.startswith("access-control")]
    wrong = await keyed.http.put(path, json={})
    assert (wrong.status_code, wrong.headers["allow"]) == (405, methods)
    assert "method_not_allowed" in wrong.text.lower()


@pytest.mark.parametrize("path", ["/nope", "/api/v1/nope"])
async def test_options_of_what_is_not_there(local: LocalService, path: str) -> None:
    assert (await local.http.options(path)).status_code == 404


@pytest.fixture
async def paged(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[LocalService]:
    """Where pages of these origins may call, with a key."""
    (tmp_path / "client-key").mkdir()
    (tmp_path / "client-key" / "key").write_text(KEY)
    service = await start(tmp_path, api_key={"name": "client-key", "key": "key"}, cors_origins=request.param)
    yield service
    await service.close()


EXACT = f"{PAGE}, https://other.example:8443"
PREFLIGHT = {
    "access-control-request-method": "POST",
    "access-control-request-headers": "authorization,x-stainless-lang",
}


@pytest.mark.parametrize("paged", [EXACT], indirect=True)
@pytest.mark.parametrize(
    "path", ["/v1/chat/completions", "/openai/deployments/m/chat/completions", "/api/v1/models"]
)
async def test_a_page_of_an_allowed_origin_may_ask_without_a_key(paged: LocalService, path: str) -> None:
    answer = await paged.http.options(path, headers={"origin": PAGE, **PREFLIGHT})
    assert answer.status_code == 204
    assert answer.headers["access-control-allow-origin"] == PAGE
    assert answer.headers["access-control-allow-credentials"] == "true"
    assert answer.headers["access-control-allow-headers"] == PREFLIGHT["access-control-request-headers"]
    assert "POST" in answer.headers["access-control-allow-methods"]
    assert answer.headers["vary"] == "origin"


ELSEWHERE = ["https://app.example.evil.example", "http://app.example", "https://app.example:444", "null",
             "https://APP.example", "https://app.example/", "", "*"]  # fmt: skip


@pytest.mark.parametrize("paged", [EXACT], indirect=True)
@pytest.mark.parametrize("origin", ELSEWHERE)
async def test_pages_of_other_origins_may_not(paged: LocalService, origin: str) -> None:
    asked = await paged.http.options("/v1/models", headers={"origin": origin, **PREFLIGHT})
    read = await paged.http.get("/v1/models", headers={"origin": origin, "x-api-key": KEY})
    for answer in (asked, read):
        assert not [name for name in answer.headers if name.startswith("access-control")]
        assert answer.headers["vary"] == "origin"


@pytest.mark.parametrize("paged", ["*"], indirect=True)
async def test_all_pages_may_call_but_never_with_the_browsers_credentials(paged: LocalService) -> None:
    asked = await paged.http.options("/v1/models", headers={"origin": PAGE, **PREFLIGHT})
    read = await paged.http.get("/v1/models", headers={"origin": PAGE, "x-api-key": KEY})
    for answer in (asked, read):
        assert answer.headers["access-control-allow-origin"] == "*"
        assert "access-control-allow-credentials" not in answer.headers


@pytest.mark.parametrize("paged", [EXACT], indirect=True)
async def test_a_page_reads_every_answer_and_what_it_says_of_itself(
    paged: LocalService, provider: FakeProvider
) -> None:
    refused = await paged.http.get("/v1/models", headers={"origin": PAGE})
    assert (refused.status_code, refused.headers["access-control-allow-origin"]) == (401, PAGE)
    paged.http.headers["authorization"] = f"Bearer {KEY}"
    await paged.model("m", provider.profile("paged"))
    paged.http.headers["origin"] = PAGE
    for stream in (False, True):
        answer = await paged.chat("m", stream=stream)
        assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (200, PAGE)
        exposed = answer.headers["access-control-expose-headers"].split(", ")
        assert {"x-request-id", "x-voyager-model", "retry-after", "x-ratelimit-remaining-tokens"} <= {
            *exposed
        }
    for answer in (await paged.chat("none"), await paged.http.get("/nope"), await paged.http.get("/healthz")):
        assert answer.headers["access-control-allow-origin"] == PAGE


@pytest.mark.parametrize("paged", [""], indirect=True)
async def test_no_page_may_call_where_nobody_said_so(paged: LocalService) -> None:
    for answer in (
        await paged.http.options("/v1/models", headers={"origin": PAGE, **PREFLIGHT}),
        await paged.http.get("/v1/models", headers={"origin": PAGE, "x-api-key": KEY}),
    ):
        assert not [name for name in answer.headers if name.startswith("access-control")]
        assert "vary" not in answer.headers


OPEN = [("GET", "/healthz"), ("GET", "/readyz"), ("HEAD", "/healthz/"), ("OPTIONS", "/v1/models")]


@pytest.mark.parametrize(("method", "path"), OPEN)
async def test_what_needs_no_key_takes_no_body(local: LocalService, method: str, path: str) -> None:
    """Nobody reads it, and what comes of it after the answer would count as a request under way."""
    answer = await local.http.request(method, path, content=b"x")
    assert (answer.status_code, answer.headers.get("connection")) == (400, "close")
    assert method == "HEAD" or "no body" in answer.text
