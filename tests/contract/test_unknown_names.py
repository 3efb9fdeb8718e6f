"""An unknown model, route or prompt is a 404 that says what was probably meant, on every wire."""

from __future__ import annotations

import pytest

from scripts.fake_provider.running import FakeProvider
from tests.support.service import LocalService

PROMPT = {"name": "support", "version": "1.0.0", "template": "Hello", "aliases": ["help_desk"]}


@pytest.fixture
async def defined(local: LocalService, provider: FakeProvider) -> LocalService:
    await local.model("gpt-4-production", provider.profile("near"), aliases=["openrouter/gpt-4:free"])
    await local.route("cheapest", "gpt-4-production")
    assert (await local.http.post("/api/v1/prompts", json=PROMPT)).status_code == 201
    return local


@pytest.mark.parametrize(
    ("asked", "meant"),
    [
        ("gpt-4-prodution", "gpt-4-production"),
        ("openrouter/gpt4:free", "openrouter/gpt-4:free"),
        ("cheepest", "cheapest"),
        ("support", "prompt:support"),
        ("help_desk", "prompt:help_desk"),
    ],
)
async def test_the_nearest_name_is_suggested(defined: LocalService, asked: str, meant: str) -> None:
    text = f"no model or route is named {asked!r}; did you mean {meant!r}?"
    chat = await defined.chat(asked)
    assert (chat.status_code, chat.json()["error"]["param"]) == (404, "model")
    assert text in chat.json()["error"]["message"]
    found = await defined.http.get(f"/v1/models/{asked}")
    assert found.status_code == 404
    assert text in found.json()["error"]["message"]
    if "/" not in asked:
        rest = await defined.http.post(f"/api/v1/models/{asked}/completions", json={"prompt": "hi"})
        assert (rest.status_code, rest.json()["message"]) == (404, f"model_name: {text}")


async def test_a_prompt_is_suggested_for_a_prompt(defined: LocalService) -> None:
    text = "no prompt is named 'suport'; did you mean 'support'?"
    chat = await defined.chat("prompt:suport")
    assert chat.status_code == 404
    assert text in chat.json()["error"]["message"]
    rendered = await defined.http.post("/api/v1/prompts/suport/render", json={})
    assert rendered.status_code == 404
    assert text in rendered.json()["message"]
    other = await defined.chat("prompt:cheapest")
    assert "mean" not in other.json()["error"]["message"], "a route is no prompt"


async def test_what_is_deleted_is_suggested_no_more(defined: LocalService) -> None:
    assert (await defined.http.delete("/api/v1/routes/cheapest")).status_code == 200
    assert "mean" not in (await defined.chat("cheepest")).json()["error"]["message"]


async def test_a_name_of_megabytes_is_cut_short(defined: LocalService) -> None:
    answer = await defined.chat("gpt-4-production" * 100_000)
    assert answer.status_code == 404
    assert len(answer.content) < 1_000
