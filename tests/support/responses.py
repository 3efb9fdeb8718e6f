"""For tests of the Responses API: models that speak it, OpenAI's own client of a service and its types."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import openai
import orjson
from openai.types.responses import Response, ResponseStreamEvent
from pydantic import TypeAdapter

from scripts.fake_provider.running import FakeProvider
from tests.support.calls import DIALECTS
from tests.support.service import LocalService
from voyager_llm.domain.definition import Kind
from voyager_llm.domain.operation import Operation
from voyager_llm.snapshot import Change, Delta

EVENT: TypeAdapter[Any] = TypeAdapter(ResponseStreamEvent)
WEATHER: dict[str, Any] = {
    "type": "function",
    "name": "get_weather",
    "description": "Weather of a city.",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    "strict": False,
}
# Who answers in OpenAI's own words, and who in others.
NATIVE, TRANSLATED = "native", ("openai", "anthropic", "gemini", "ollama")


async def define(
    service: LocalService, provider: FakeProvider, upstream: str, name: str, **behaviour: Any
) -> None:
    """A model of this name at an upstream that speaks like one of `TRANSLATED`, or `NATIVE`; define the
    native ones last."""
    kind, model_name, path = DIALECTS["openai" if upstream == NATIVE else upstream]
    base = provider.profile(name, **behaviour).removesuffix("/v1") + path
    await service.model(name, base, provider=kind, model_name=model_name)
    if upstream == NATIVE:
        await speak_responses(service, name)


async def speak_responses(service: LocalService, name: str) -> None:
    """What is compiled for OpenAI's own address alone, which no test can be at."""
    config = service.replica.snapshots.current
    compiled = config.models[name]
    endpoints = tuple(replace(one, apis=(Operation.RESPONSES,)) for one in compiled.endpoints)
    change = Change(Kind.MODEL, name, "", replace(compiled, endpoints=endpoints))
    await service.replica.apply(Delta(config.version, config.version + 1, (change,)))


def client_of(service: LocalService, user: str = "ada") -> openai.AsyncOpenAI:
    """OpenAI's own, as somebody."""
    return openai.AsyncOpenAI(
        base_url="http://service/v1",
        api_key="any",
        http_client=service.http,  # pyright: ignore[reportArgumentType]
        default_headers={"x-voyager-user": user},
        max_retries=0,
    )


def events_of(text: str) -> list[dict[str, Any]]:
    """A stream's events, each under its own name."""
    events: list[dict[str, Any]] = []
    for block in text.strip().split("\n\n"):
        name, data = block.split("\n")
        event = orjson.loads(data.removeprefix("data: "))
        assert name == f"event: {event['type']}"
        events.append(event)
    return events


def check_events(events: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The response that a stream ends with, where its events are those that OpenAI promises."""
    for event in events:
        EVENT.validate_python(event)
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    assert [event["type"] for event in events[:2]] == ["response.created", "response.in_progress"]
    added = [event for event in events if event["type"] == "response.output_item.added"]
    done = {event["output_index"]: event["item"] for event in events
            if event["type"] == "response.output_item.done"}  # fmt: skip
    assert [event["output_index"] for event in added] == list(range(len(added)))
    response = events[-1]["response"]
    assert [done[i] for i in range(len(added))] == response["output"]
    assert [event["item"]["id"] for event in added] == [item["id"] for item in response["output"]]
    _check_parts(events)
    Response.model_validate(response)
    return response


def _check_parts(events: Sequence[dict[str, Any]]) -> None:
    """What the deltas of a part say is what its end says, and every part has one."""
    said: dict[tuple[Any, ...], str] = {}
    for event in events:
        kind, _, step = event["type"].rpartition(".")
        if step not in ("delta", "done") or "item_id" not in event or kind.endswith("_part"):
            continue
        key = (kind, event["item_id"], event.get("content_index"), event.get("summary_index"))
        if step == "delta":
            assert event["delta"], "an empty delta says nothing"
            said[key] = said.get(key, "") + event["delta"]
        else:
            whole = next(event[name] for name in ("text", "refusal", "arguments", "input") if name in event)
            assert whole == said.pop(key, "")
    assert not said
