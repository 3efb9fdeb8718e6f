"""Completions through the whole pipeline against a provider that fails on demand."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from pathlib import Path
from typing import Any

import orjson
import pytest

from scripts.fake_provider.running import FakeProvider
from tests.support.service import LocalService, start


async def test_an_answer_with_its_cost(local: LocalService, provider: FakeProvider) -> None:
    cost = {"input_token_cost": 0.00003, "output_token_cost": 0.00006, "cached_input_token_cost": 0.00001}
    await local.model("m", provider.profile("cost"), cost=cost)
    answer = await local.chat("m")
    assert answer.json()["choices"][0]["message"]["content"] == "Hello from the fake provider"
    # 8 fresh and 4 cached input tokens, 5 output tokens: 0.00024 + 0.00004 + 0.0003
    assert answer.headers["x-voyager-cost"] == "0.00058"
    assert answer.headers["x-voyager-attempts"] == "1"


async def test_the_specifications_sample_cost(local: LocalService, provider: FakeProvider) -> None:
    """Twelve input and 95 output tokens at the sample's prices: 0.00606, counting both directions."""
    base = provider.profile("sample", tokens=95)
    await local.model("m", base, cost={"input_token_cost": 0.00003, "output_token_cost": 0.00006})
    answer = await local.http.post("/api/v1/models/m/completions", json={"prompt": "hi"})
    assert answer.json()["usage"]["total_cost"] == 0.00606


async def test_what_the_provider_gets(local: LocalService, provider: FakeProvider) -> None:
    """Defaults under the request's own values, the provider's name of the model, nothing of ours."""
    allow = ["some_new_parameter"]
    parameters = {"max_tokens": 10, "temperature": 0.1, "extra": {"top_k": 5}, "allow": allow}
    await local.model("m", provider.profile("body"), parameters=parameters)
    tools = [{"type": "function", "function": {"name": "f"}}]
    await local.chat("m", temperature=0.9, tools=tools, seed=7, logprobs=True, n=2, some_new_parameter=[1])
    body = provider.seen("body")["last_body"]
    assert body["model"] == "fake"
    assert (body["max_tokens"], body["temperature"], body["top_k"]) == (10, 0.9, 5)
    assert (body["seed"], body["logprobs"], body["n"], body["tools"]) == (7, True, 2, tools)
    assert body["some_new_parameter"] == [1]


async def test_a_parameter_that_no_model_allows_is_refused_by_name(
    local: LocalService, provider: FakeProvider
) -> None:
    """A route answers by those of its models that allow it."""
    await local.model("strict", provider.profile("strict"))
    await local.model("open", provider.profile("open"), parameters={"allow": ["new_one"]})
    await local.route("r", "strict", fallbacks=["strict"])
    await local.route("s", "strict", "open")
    for name in ("strict", "r"):
        answer = await local.chat(name, new_one=1)
        assert (answer.status_code, answer.json()["error"]["param"]) == (400, "new_one")
    assert (await local.chat("open", new_one=1)).status_code == 200
    for _ in range(5):
        assert (await local.chat("s", new_one=1)).headers["x-voyager-model"] == "open"
    assert provider.seen("strict")["requests"] == 0
    by_map = {"prompt": "hi", "parameters": {"new_one": "[1]"}}
    assert (await local.http.post("/api/v1/models/open/completions", json=by_map)).status_code == 200
    assert provider.seen("open")["last_body"]["new_one"] == [1]
    refused = await local.http.post("/api/v1/models/strict/completions", json=by_map)
    assert refused.status_code == 400


async def test_a_body_nested_too_deeply_is_the_clients_mistake(
    local: LocalService, provider: FakeProvider
) -> None:
    """As far as we have to write it: what is forwarded as it came is the provider's to judge."""
    await local.model("m", provider.profile("deep"))
    schema: dict[str, object] = {}
    for _ in range(300):
        schema = {"properties": schema}
    assert (await local.chat("m", response_format=schema)).status_code == 200
    answer = await local.chat("m", response_format=schema, user="model")
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, "body")


async def test_fallback_to_the_backup_endpoint(local: LocalService, provider: FakeProvider) -> None:
    backup = provider.profile("backup-ok")
    await local.model("m", provider.profile("backup-down", status=503), endpoints={"backup": backup})
    answer = await local.chat("m")
    assert answer.status_code == 200
    assert answer.headers["x-voyager-attempts"] == "2"


async def test_fallback_down_the_chain_of_a_route(local: LocalService, provider: FakeProvider) -> None:
    for name, status in (("a", 500), ("b", 429), ("c", 0)):
        await local.model(name, provider.profile(f"chain-{name}", status=status))
    await local.route("r", "a", fallbacks=["b", "c"])
    answer = await local.chat("r")
    assert (answer.status_code, answer.headers["x-voyager-model"]) == (200, "c")
    assert answer.headers["x-voyager-attempts"] == "3"


async def test_a_wrong_request_is_not_tried_elsewhere(local: LocalService, provider: FakeProvider) -> None:
    await local.model("a", provider.profile("wrong-a", status=400, error_message="bad temperature"))
    await local.model("b", provider.profile("wrong-b"))
    await local.route("r", "a", fallbacks=["b"])
    answer = await local.chat("r")
    assert answer.status_code == 400
    assert "bad temperature" in answer.json()["error"]["message"]
    assert provider.seen("wrong-b")["requests"] == 0


@pytest.mark.parametrize(
    ("code", "chain"),
    [
        ("context_length_exceeded", "context_window_fallbacks"),
        ("content_policy_violation", "content_policy_fallbacks"),
    ],
)
async def test_fallbacks_for_their_own_cause(
    local: LocalService, provider: FakeProvider, code: str, chain: str
) -> None:
    await local.model("small", provider.profile("cause-small", status=400, error_code=code))
    await local.model("outage", provider.profile("cause-outage"))
    await local.model("other", provider.profile("cause-other"))
    await local.route("r", "small", fallbacks=["outage"], **{chain: ["other"]})
    answer = await local.chat("r")
    assert (answer.status_code, answer.headers["x-voyager-model"]) == (200, "other")
    assert provider.seen("cause-outage")["requests"] == 0


async def test_a_transient_failure_is_repeated(local: LocalService, provider: FakeProvider) -> None:
    await local.model("m", provider.profile("transient", status=503, fail_first=2))
    answer = await local.chat("m")
    assert (answer.status_code, answer.headers["x-voyager-attempts"]) == (200, "3")


async def test_repeats_at_a_failing_endpoint_are_a_share_of_its_calls(
    local: LocalService, provider: FakeProvider
) -> None:
    """100 requests, 10 in reserve and 20 % on top. A walk to other endpoints adds nothing to any of them."""
    names = [f"storm-{i}" for i in range(4)]
    for name in names:
        await local.model(name, provider.profile(name, status=500))
    await local.route("r", *names)
    await asyncio.gather(*(local.chat("r") for _ in range(100)))
    for name in names:
        assert provider.seen(name)["requests"] <= 100 + 10 + 20 + 1


async def test_retry_after_is_honoured(local: LocalService, provider: FakeProvider) -> None:
    await local.model("m", provider.profile("wait", status=429, retry_after="30"))
    first = await local.chat("m")
    assert (first.status_code, first.headers["retry-after"]) == (429, "30")
    second = await local.chat("m")
    assert second.status_code == 429
    assert 25 <= int(second.headers["retry-after"]) <= 30
    assert provider.seen("wait")["requests"] == 1


async def test_the_rate_limit_is_kept_before_calling(local: LocalService, provider: FakeProvider) -> None:
    await local.model("m", provider.profile("limit"), rate_limits={"requests_per_minute": 20})
    answers = await asyncio.gather(*(local.chat("m") for _ in range(50)))
    counted = Counter(answer.status_code for answer in answers)
    assert counted == {200: 20, 429: 30}
    assert provider.seen("limit")["requests"] == 20
    refused = next(answer for answer in answers if answer.status_code == 429)
    assert int(refused.headers["retry-after"]) > 30
    assert refused.json()["error"]["type"] == "rate_limit_error"


async def test_a_limited_model_falls_back(local: LocalService, provider: FakeProvider) -> None:
    await local.model("a", provider.profile("limit-a"), rate_limits={"requests_per_minute": 1})
    await local.model("b", provider.profile("limit-b"))
    await local.route("r", "a", fallbacks=["b"])
    answered = [(await local.chat("r")).headers["x-voyager-model"] for _ in range(3)]
    assert answered[0] == "a"
    assert "b" in answered[1:]


async def test_the_token_limit_is_kept(local: LocalService, provider: FakeProvider) -> None:
    await local.model("m", provider.profile("tokens"), rate_limits={"tokens_per_minute": 300})
    answers = [await local.chat("m", max_tokens=100) for _ in range(20)]
    # 17 tokens each are really used: settling gives back what was reserved too much.
    passed = sum(answer.status_code == 200 for answer in answers)
    assert 3 < passed <= 300 // 17


async def test_a_deadline_is_shared_by_the_attempts(local: LocalService, provider: FakeProvider) -> None:
    await local.model("hangs", provider.profile("deadline-a", hang=True))
    await local.model("works", provider.profile("deadline-b"))
    await local.route("r", "hangs", fallbacks=["works"], timeout_ms=2000)
    started = time.monotonic()
    answer = await local.chat("r")
    assert (answer.status_code, answer.headers["x-voyager-model"]) == (200, "works")
    assert time.monotonic() - started < 1.9


async def test_hedging_answers_with_the_faster(local: LocalService, provider: FakeProvider) -> None:
    await local.model("slow", provider.profile("hedge-a", latency_s=3))
    await local.model("fast", provider.profile("hedge-b"))
    await local.route("r", "slow", fallbacks=["fast"], hedging={"delay_ms": 100})
    answer = await local.chat("r")
    assert answer.headers["x-voyager-model"] == "fast"
    await asyncio.sleep(0.2)
    assert provider.seen("hedge-a")["aborted"] == 1, "the loser is cancelled"


async def test_cheapest_and_requirements(local: LocalService, provider: FakeProvider) -> None:
    base = provider.profile("cheap")

    async def model(name: str, price: float, context: int, *capabilities: str) -> None:
        cost = {"input_token_cost": price, "output_token_cost": price}
        await local.model(name, base, cost=cost, context_length=context, capabilities=list(capabilities))

    await model("cheap-small", 0.000001, 1000, "text_generation")
    await model("mid", 0.00001, 8000, "text_generation", "reasoning")
    await model("dear", 0.0001, 8000, "text_generation", "reasoning")
    await local.route("r", "dear", "mid", "cheap-small", policy="cheapest")
    assert (await local.chat("r")).headers["x-voyager-model"] == "cheap-small"
    prompt = {
        "name": "p", "version": "1.0.0", "template": "Think about {{x}}",
        "parameters": [{"name": "x", "type": "string", "required": True}],
        "model_requirements": {"min_context_length": 4000, "capabilities": ["reasoning"]},
    }  # fmt: skip
    assert (await local.http.post("/api/v1/prompts", json=prompt)).status_code == 201
    for target in ({}, {"target": "r"}):
        body = {"model": "prompt:p", "variables": {"x": "y"}, **target}
        answer = await local.http.post("/v1/chat/completions", json=body)
        assert answer.headers["x-voyager-model"] == "mid", answer.text
    body = {"model": "prompt:p@1.0.0", "variables": {"x": "y"}, "target": "cheap-small"}
    refused = await local.http.post("/v1/chat/completions", json=body)
    assert refused.status_code == 409
    assert "does not offer" in refused.json()["error"]["message"]


async def test_sticky_sessions(local: LocalService, provider: FakeProvider) -> None:
    for name in "abcd":
        await local.model(name, provider.profile(f"sticky-{name}"))
    await local.route("r", *"abcd", policy="sticky")
    chosen: dict[str, set[str]] = {}
    for i in range(40):
        answer = await local.chat("r", user=f"session-{i % 10}")
        chosen.setdefault(f"session-{i % 10}", set()).add(answer.headers["x-voyager-model"])
    assert all(len(models) == 1 for models in chosen.values())
    assert len(set.union(*chosen.values())) > 1


async def test_weights(local: LocalService, provider: FakeProvider) -> None:
    for name in "ab":
        await local.model(name, provider.profile(f"weight-{name}"))
    targets = [{"model": "a", "weight": 9}, {"model": "b", "weight": 1}]
    await local.http.post("/api/v1/routes", json={"name": "r", "targets": targets})
    answers = await asyncio.gather(*(local.chat("r") for _ in range(300)))
    share = sum(answer.headers["x-voyager-model"] == "a" for answer in answers) / 300
    assert 0.82 < share < 0.97


def events(text: str) -> list[Any]:
    lines = [line.removeprefix("data: ") for line in text.split("\n") if line.startswith("data: ")]
    return [line if line == "[DONE]" else orjson.loads(line) for line in lines]


async def test_a_stream_falls_back_until_its_first_byte(local: LocalService, provider: FakeProvider) -> None:
    await local.model("a", provider.profile("sfb-a", status=500))
    await local.model("b", provider.profile("sfb-b"))
    await local.route("r", "a", fallbacks=["b"])
    found = events((await local.chat("r", stream=True)).text)
    assert found[-1] == "[DONE]"
    assert (
        "".join(e["choices"][0]["delta"].get("content", "") for e in found[:-1])
        == "Hello from the fake provider"
    )
    assert not any("usage" in event for event in found[:-1])


async def test_after_the_first_byte_there_is_no_switch(local: LocalService, provider: FakeProvider) -> None:
    await local.model("a", provider.profile("cut-a", truncate_after=2))
    await local.model("b", provider.profile("cut-b"))
    await local.route("r", "a", fallbacks=["b"])
    found = events((await local.chat("r", stream=True)).text)
    assert found[-1]["error"]["code"] == "stream_interrupted"
    assert len(found) == 3
    assert provider.seen("cut-b")["requests"] == 0


async def test_a_stream_shows_usage_to_who_asks(local: LocalService, provider: FakeProvider) -> None:
    await local.model("m", provider.profile("stream-usage"))
    answer = await local.chat("m", stream=True, stream_options={"include_usage": True})
    assert events(answer.text)[-2]["usage"]["completion_tokens"] == 5


async def test_a_stream_without_usage_is_estimated(local: LocalService, provider: FakeProvider) -> None:
    await local.model("m", provider.profile("estimate", no_usage=True))
    await local.chat("m", stream=True)
    await local.chat("m")
    assert 'voyager_usage_estimated_total{model="m",route=""} 2.0' in local.replica.meter.text().decode()


async def test_rest_stream(local: LocalService, provider: FakeProvider) -> None:
    await local.model("m", provider.profile("rest-stream"))
    answer = await local.http.post("/api/v1/models/m/completions:stream", json={"prompt": "hi"})
    found = events(answer.text)
    assert "".join(event.get("delta", "") for event in found) == "Hello from the fake provider"
    assert found[-1]["usage"]["output_tokens"] == 5
    assert found[-1]["metadata"]["finish_reason"] == "stop"


async def test_embeddings_and_text(local: LocalService, provider: FakeProvider) -> None:
    await local.model("m", provider.profile("other-ops"), parameters={"temperature": 0.5})
    answer = await local.http.post("/v1/embeddings", json={"model": "m", "input": ["a", "b"]})
    assert len(answer.json()["data"]) == 2
    assert "temperature" not in provider.seen("other-ops")["last_body"]
    answer = await local.http.post("/v1/completions", json={"model": "m", "prompt": "hi"})
    assert answer.json()["choices"][0]["text"] == "Hello from the fake provider"


async def test_back_pressure(tmp_path: Path, provider: FakeProvider) -> None:
    service = await start(tmp_path, max_ongoing_requests=4)
    await service.model("m", provider.profile("full", latency_s=0.5))
    answers = await asyncio.gather(*(service.chat("m") for _ in range(10)))
    counted = Counter(answer.status_code for answer in answers)
    assert counted == {200: 4, 503: 6}
    refused = next(answer for answer in answers if answer.status_code == 503)
    assert refused.headers["retry-after"] == "1"
    assert refused.json()["error"]["code"] == "overloaded"
    await service.close()


async def test_a_change_of_configuration_spares_requests_under_way(
    local: LocalService, provider: FakeProvider
) -> None:
    """A request keeps its snapshot: the model may go while it is answered."""
    await local.model("m", provider.profile("pinned", latency_s=0.3))
    under_way = asyncio.create_task(local.chat("m"))
    await asyncio.sleep(0.1)
    assert (await local.http.delete("/api/v1/models/m")).status_code == 200
    assert (await under_way).status_code == 200
    assert (await local.chat("m")).status_code == 404
