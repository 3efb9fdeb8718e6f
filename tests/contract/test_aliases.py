"""A request calls models, routes and prompts by aliases; everything else knows them by their names."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import openai
import pytest

from scripts.fake_provider.running import FakeProvider
from tests.support.service import LocalService

MODEL = "openrouter/anthropic/claude-3"
ROUTE = "gpt-4o:free"
BOTH = "Team A/gpt"
PROMPT = {"version": "1.0.0", "template": "Say {{word}}.", "parameters": [{"name": "word", "required": True}]}


@pytest.fixture
async def called(local: LocalService, provider: FakeProvider) -> LocalService:
    await local.model("m", provider.profile("alias"), aliases=[MODEL, BOTH])
    await local.route("r", "m", aliases=[ROUTE])
    document = {"name": "p", "aliases": ["the_prompt"], **PROMPT}
    assert (await local.http.post("/api/v1/prompts", json=document)).status_code == 201
    return local


@pytest.mark.parametrize("alias", [MODEL, BOTH, ROUTE])
async def test_an_answer_tells_the_models_name(called: LocalService, alias: str) -> None:
    answer = await called.chat(alias)
    assert answer.status_code == 200, answer.text
    assert answer.headers["x-voyager-model"] == "m"
    streamed = await called.chat(alias, stream=True)
    assert streamed.headers["x-voyager-model"] == "m"


async def test_rest_and_its_paths_take_aliases(called: LocalService) -> None:
    path = f"/api/v1/models/{quote(ROUTE, safe='')}/completions"
    answer = await called.http.post(path, json={"prompt": "hello"})
    assert answer.status_code == 200, answer.text
    assert answer.json()["metadata"]["model"] == "m"


async def test_a_prompt_is_called_by_its_alias(called: LocalService, provider: FakeProvider) -> None:
    body: dict[str, Any] = {"target": BOTH, "variables": {"word": "yes"}}
    for model in ("prompt:the_prompt", "prompt:the_prompt@1.0.0"):
        answer = await called.http.post("/v1/chat/completions", json={"model": model, **body})
        assert answer.status_code == 200, answer.text
    assert provider.seen("alias")["last_body"]["messages"][0]["content"] == "Say yes."
    rendered = await called.http.post("/api/v1/prompts/the_prompt/render", json={"variables": {"word": "no"}})
    assert rendered.json()["rendered_prompt"] == "Say no."


async def test_metrics_know_names_alone(called: LocalService) -> None:
    await called.chat(MODEL)
    await called.chat(ROUTE)
    text = (await called.http.get("/metrics")).text
    assert 'route="r"' in text
    assert 'model="m"' in text
    for alias in (MODEL, ROUTE, BOTH, "the_prompt"):
        assert alias not in text


async def test_models_are_listed_by_all_their_names(called: LocalService) -> None:
    listed = (await called.http.get("/v1/models")).json()["data"]
    owners = {entry["id"]: entry["owned_by"] for entry in listed}
    assert len(owners) == len(listed)
    assert owners == {
        "m": "custom", MODEL: "custom", BOTH: "custom", "r": "route", ROUTE: "route",
        "prompt:p": "prompt", "prompt:the_prompt": "prompt",
    }  # fmt: skip
    for name, owner in owners.items():
        found = await called.http.get(f"/v1/models/{quote(name, safe='')}")
        assert found.json()["id"] == name
        assert found.json()["owned_by"] == owner
    plain = await called.http.get(f"/v1/models/{MODEL}")
    assert plain.json()["id"] == MODEL
    assert (await called.http.get("/v1/models/openrouter%2Fanthropic")).status_code == 404


async def test_openais_client_finds_an_alias(called: LocalService) -> None:
    async with openai.AsyncOpenAI(
        base_url="http://service/v1", api_key="none", http_client=called.http
    ) as client:
        assert (await client.models.retrieve(MODEL)).id == MODEL
        answer = await client.chat.completions.create(
            model=BOTH, messages=[{"role": "user", "content": "hello"}]
        )
        assert answer.choices[0].message.content


TAKEN: list[tuple[str, dict[str, Any], str, str]] = [
    ("models", {"name": "n", "aliases": ["m"]}, "aliases", "model m is called 'm' already"),
    ("models", {"name": "n", "aliases": ["r"]}, "aliases", "route r is called 'r' already"),
    ("models", {"name": "n", "aliases": ["new", ROUTE]}, "aliases", f"route r is called '{ROUTE}' already"),
    ("routes", {"name": "n", "aliases": [MODEL]}, "aliases", f"model m is called '{MODEL}' already"),
    ("routes", {"name": "m"}, "name", "model m is called 'm' already"),
    ("prompts", {"name": "q", "aliases": ["p"]}, "aliases", "prompt p is called 'p' already"),
    ("prompts", {"name": "the_prompt"}, "name", "prompt p is called 'the_prompt' already"),
]


@pytest.mark.parametrize(("plural", "document", "field", "text"), TAKEN)
async def test_what_is_taken_is_refused_by_its_field(
    called: LocalService, plural: str, document: dict[str, Any], field: str, text: str
) -> None:
    rest: dict[str, dict[str, Any]] = {
        "models": {"provider": "openai", "model_name": "gpt-4"},
        "routes": {"targets": [{"model": "m"}]},
        "prompts": PROMPT,
    }
    answer = await called.http.post(f"/api/v1/{plural}", json={**rest[plural], **document})
    assert answer.status_code == 409, answer.text
    assert answer.json()["message"] == f"{field}: {text}"


async def test_an_alias_moves_once_it_is_given_up(called: LocalService, provider: FakeProvider) -> None:
    await called.model("n", provider.profile("other"))
    path = "/api/v1/models/n"
    refused = await called.http.patch(path, json={"aliases": [BOTH]})
    assert refused.status_code == 409
    # Its holder may write it again, and give it up.
    assert (await called.http.patch("/api/v1/models/m", json={"aliases": [BOTH, MODEL]})).status_code == 200
    assert (await called.http.patch("/api/v1/models/m", json={"aliases": [MODEL]})).status_code == 200
    moved = await called.http.patch(path, json={"aliases": [BOTH]})
    assert moved.json()["model"]["aliases"] == [BOTH]
    assert (await called.chat(BOTH)).headers["x-voyager-model"] == "n"


async def test_definitions_refer_by_names(called: LocalService) -> None:
    by_alias = {"name": "s", "targets": [{"model": "gpt"}]}
    assert (await called.http.patch("/api/v1/models/m", json={"aliases": ["gpt"]})).status_code == 200
    assert (await called.http.post("/api/v1/routes", json=by_alias)).status_code == 409
    metrics = [{"name": "a", "weight": 1, "measurement": "keyword_coverage"}]
    evaluation = {"name": "e", "model_ref": {"name": "m"}, "prompt_ref": {"name": "p"}, "metrics": metrics}
    for change in ({"prompt_ref": {"name": "the_prompt"}}, {"model_ref": {"name": "gpt"}}):
        refused = await called.http.post("/api/v1/evaluations", json={**evaluation, **change})
        assert refused.status_code == 409, refused.text
    assert (await called.http.post("/api/v1/evaluations", json=evaluation)).status_code == 201
