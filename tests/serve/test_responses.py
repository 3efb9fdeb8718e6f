"""Responses through HAProxy and Serve: what one router keeps, every other finds; what a hub takes along."""

from __future__ import annotations

import asyncio
import signal
import time
from typing import Any

import httpx
import openai
import orjson
import psutil
import pytest

from scripts.fake_provider.running import FakeProvider
from tests.serve.test_http import fresh
from tests.support.responses import check_events, events_of
from tests.support.running import RunningService, until


def client_of(running: RunningService, user: str = "ada") -> openai.OpenAI:
    """A connection of its own: HAProxy takes another router for each in turn."""
    return openai.OpenAI(
        base_url=f"{running.url}/v1",
        api_key="any",
        default_headers={"x-voyager-user": user, "connection": "close"},
        max_retries=0,
    )


def test_a_conversation_goes_on_at_every_router(running: RunningService, provider: FakeProvider) -> None:
    name = fresh("talks")
    running.model(name, provider.profile(name))
    last = ""
    for turn in range(8):
        with client_of(running) as client:
            more: Any = {"previous_response_id": last} if last else {}
            made = client.responses.create(model=name, input=f"turn {turn}", **more)
            last = made.id
        with client_of(running) as client:
            assert client.responses.retrieve(last).id == last
    said = [message["content"] for message in provider.seen(name)["last_body"]["messages"][::2]]
    assert said == [f"turn {turn}" for turn in range(8)]
    with client_of(running, "bob") as client, pytest.raises(openai.NotFoundError):
        client.responses.retrieve(last)


async def test_the_id_of_a_stream_is_good_at_its_end(running: RunningService, provider: FakeProvider) -> None:
    """Many at a time, each read at another connection the moment its last event is there."""
    name = fresh("streams")
    running.model(name, provider.profile(name))
    body = {"model": name, "input": "hi", "stream": True}

    async def one() -> tuple[str, Any]:
        async with httpx.AsyncClient(base_url=running.url, timeout=60) as client:
            text = (await client.post("/v1/responses", json=body)).text
        response = orjson.loads(text.strip().rpartition("data: ")[2])["response"]
        async with httpx.AsyncClient(base_url=running.url, timeout=60) as client:
            kept = await client.get(f"/v1/responses/{response['id']}")
        return text, kept.json()

    for text, kept in await asyncio.gather(*(one() for _ in range(24))):
        assert check_events(events_of(text)) == kept


def test_a_long_conversation_comes_back_whole(running: RunningService, provider: FakeProvider) -> None:
    """Longer than one message between replicas."""
    name = fresh("long")
    running.model(name, provider.profile(name))
    last = ""
    for turn in range(3):
        with client_of(running) as client:
            more: Any = {"previous_response_id": last} if last else {}
            last = client.responses.create(model=name, input=str(turn) * 2_000_000, **more).id
    said = [len(message["content"]) for message in provider.seen(name)["last_body"]["messages"][::2]]
    assert said == [2_000_000] * 3


def test_a_hub_that_hangs_costs_a_moment(running: RunningService, provider: FakeProvider) -> None:
    name = fresh("hangs")
    running.model(name, provider.profile(name))
    (pid,) = running.replicas("ConfigHub")
    hub = psutil.Process(pid)
    hub.suspend()
    try:
        began = time.monotonic()
        answer = running.http.post("/v1/responses", json={"model": name, "input": "hi"})
        assert (answer.status_code, answer.json()["store"]) == (200, False)
        assert time.monotonic() - began < 3
    finally:
        hub.resume()

    def kept() -> bool:
        answer = running.http.post("/v1/responses", json={"model": name, "input": "hi"})
        return answer.json()["store"] is True

    until(kept, "responses are kept again", 60)


def test_a_hub_that_dies_takes_them_along_and_says_so(
    running: RunningService, provider: FakeProvider
) -> None:
    name = fresh("dies")
    running.model(name, provider.profile(name))
    body: dict[str, Any] = {"model": name, "input": "hi"}
    made = running.http.post("/v1/responses", json=body).json()
    (pid,) = running.replicas("ConfigHub")
    psutil.Process(pid).send_signal(signal.SIGKILL)
    # Whoever does not go on from another is answered all along.
    assert running.http.post("/v1/responses", json=body).status_code == 200

    def refused() -> bool:
        answer = running.http.post("/v1/responses", json={**body, "previous_response_id": made["id"]})
        assert answer.status_code in (400, 503)
        return answer.status_code == 400 and answer.json()["error"]["code"] == "previous_response_not_found"

    until(refused, "the new hub knows of none", 90)
    assert running.http.post("/v1/responses", json=body).json()["store"] is True


async def test_what_is_said_arrives_as_it_is_said(running: RunningService, provider: FakeProvider) -> None:
    name = fresh("slowly")
    running.model(name, provider.profile(name, tokens=5, token_delay_s=0.4))
    body = {"model": name, "input": "hi", "stream": True}
    arrived: dict[str, float] = {}
    async with (
        httpx.AsyncClient(base_url=running.url, timeout=60) as client,
        client.stream("POST", "/v1/responses", json=body) as answer,
    ):
        async for line in answer.aiter_lines():
            if line.startswith("event: "):
                arrived.setdefault(line.removeprefix("event: "), time.monotonic())
    assert arrived["response.completed"] - arrived["response.output_text.delta"] > 1


async def test_a_client_that_leaves_cancels_the_provider(
    running: RunningService, provider: FakeProvider
) -> None:
    name = fresh("leaves")
    running.model(name, provider.profile(name, tokens=400, token_delay_s=0.05))
    body = {"model": name, "input": "hi", "stream": True}
    async with (
        httpx.AsyncClient(base_url=running.url, timeout=60) as client,
        client.stream("POST", "/v1/responses", json=body) as answer,
    ):
        async for _ in answer.aiter_lines():
            break
    until(lambda: provider.seen(name)["aborted"] == 1, "the provider's stream is cancelled", 20)
