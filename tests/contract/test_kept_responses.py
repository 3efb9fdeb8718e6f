"""What is kept of the Responses API: conversations that any model goes on with; whose, and for how long."""

from __future__ import annotations

from pathlib import Path

import openai
import pytest

from scripts.fake_provider.running import FakeProvider
from tests.support.responses import (
    NATIVE,
    TRANSLATED,
    check_events,
    client_of,
    define,
    events_of,
    speak_responses,
)
from tests.support.service import LocalService, start

UPSTREAMS = [NATIVE, *TRANSLATED]
SAID = "Hello from the fake provider"


async def test_a_conversation_goes_on_at_a_model_that_speaks_it_with_all_that_was_said(
    local: LocalService, provider: FakeProvider
) -> None:
    await local.model("before", provider.profile("before", thought="The user greets."))
    await define(local, provider, NATIVE, "after", thought="The user greets.")
    client = client_of(local)
    first = await client.responses.create(model="before", input="one")
    second = await client.responses.create(model="after", input="two", previous_response_id=first.id)
    third = await client.responses.create(model="after", input="three", previous_response_id=second.id)
    seen = provider.seen("after")["last_body"]
    kinds = [(item["type"], item.get("role")) for item in seen["input"]]
    # Reasoning out of a chat is none of a provider's items; its own comes back to it.
    assert kinds == [
        ("message", "user"), ("message", "assistant"), ("message", "user"),
        ("reasoning", None), ("message", "assistant"), ("message", "user"),
    ]  # fmt: skip
    assert "previous_response_id" not in seen
    assert seen["store"] is False
    assert third.previous_response_id == second.id
    assert third.store is True  # pyright: ignore[reportAttributeAccessIssue]


@pytest.mark.parametrize("upstream", UPSTREAMS)
async def test_whatever_is_kept_can_be_read_and_deleted(
    local: LocalService, provider: FakeProvider, upstream: str
) -> None:
    name = f"kept-{upstream}"
    await define(local, provider, upstream, name)
    client = client_of(local)
    made = await client.responses.create(model=name, input="one")
    made = await client.responses.create(model=name, input="two", previous_response_id=made.id)
    assert (await client.responses.retrieve(made.id)).to_dict() == made.to_dict()
    pages = client.responses.input_items.list(made.id, order="asc", limit=2)
    items = [item async for item in pages]
    told = [(item.role, item.content[0].text) for item in items]  # type: ignore[union-attr]
    assert told == [("user", "one"), ("assistant", SAID), ("user", "two")]
    assert len({item.id for item in items}) == 3  # type: ignore[union-attr]
    latest = await client.responses.input_items.list(made.id, limit=1)
    assert latest.data[0].content[0].text == "two"  # type: ignore[union-attr]
    with pytest.raises(openai.BadRequestError, match="only responses in the background"):
        await client.responses.cancel(made.id)
    await client.responses.delete(made.id)
    for gone in (client.responses.retrieve, client.responses.delete, client.responses.cancel):
        with pytest.raises(openai.NotFoundError):
            await gone(made.id)


async def test_a_response_is_its_makers_alone(local: LocalService, provider: FakeProvider) -> None:
    await local.model("private", provider.profile("private"))
    made = await client_of(local, "ada").responses.create(model="private", input="one")
    other = client_of(local, "bob").responses
    for read in (other.retrieve, other.delete, other.input_items.list):
        with pytest.raises(openai.NotFoundError):
            await read(made.id)
    with pytest.raises(openai.BadRequestError) as told:
        await other.create(model="private", input="two", previous_response_id=made.id)
    assert (told.value.code, told.value.param) == ("previous_response_not_found", "previous_response_id")
    assert (await client_of(local, "ada").responses.retrieve(made.id)).id == made.id


async def test_what_is_not_to_be_stored_is_not(local: LocalService, provider: FakeProvider) -> None:
    await local.model("unkept", provider.profile("unkept"))
    client = client_of(local)
    made = await client.responses.create(model="unkept", input="one", store=False)
    with pytest.raises(openai.NotFoundError):
        await client.responses.retrieve(made.id)


async def test_a_conversation_falls_back_in_its_middle(local: LocalService, provider: FakeProvider) -> None:
    base = provider.profile("fragile")
    await local.model("fragile", base, provider="openai")
    await local.model("spare", provider.profile("spare"))
    await local.route("steady", "fragile", fallbacks=["spare"])
    await speak_responses(local, "fragile")
    client = client_of(local)
    first = await client.responses.create(model="steady", input="one")
    provider.profile("fragile", status=500)
    second = await client.responses.create(model="steady", input="two", previous_response_id=first.id)
    assert second.output_text == SAID
    roles = [message["role"] for message in provider.seen("spare")["last_body"]["messages"]]
    assert roles == ["user", "assistant", "user"]


async def test_a_response_expires(tmp_path: Path, provider: FakeProvider) -> None:
    now = 1000.0
    service = await start(tmp_path, clock=lambda: now, response_lifetime_s=60)
    try:
        await service.model("brief", provider.profile("brief"))
        client = client_of(service)
        made = await client.responses.create(model="brief", input="one")
        now += 59
        await client.responses.retrieve(made.id)
        now += 1
        with pytest.raises(openai.NotFoundError):
            await client.responses.retrieve(made.id)
    finally:
        await service.close()


async def test_what_does_not_fit_the_store_says_so(tmp_path: Path, provider: FakeProvider) -> None:
    service = await start(tmp_path, max_responses_bytes=0)
    try:
        await service.model("full", provider.profile("full"))
        body = {"model": "full", "input": "hi"}
        whole = (await service.http.post("/v1/responses", json=body)).json()
        events = events_of((await service.http.post("/v1/responses", json={**body, "stream": True})).text)
        assert (whole["store"], check_events(events)["store"]) == (False, False)
    finally:
        await service.close()
