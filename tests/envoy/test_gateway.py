"""The same requests through Envoy and to our own HTTP ingress give the same answers, errors included."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from typing import Any

import grpc
import httpx
import orjson
import pytest

from scripts.fake_provider.running import FakeProvider
from scripts.kubernetes.gateway import Gateway, gateway
from tests.support.running import RunningService
from voyager_llm.v1 import models_pb2 as pb
from voyager_llm.v1.model_manager_pb2_grpc import ModelManagerStub

KEY = "service-key-one"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    """With an API key, as a cluster would run it."""
    folder = tmp_path_factory.mktemp("service")
    secret = folder / "secrets" / "clients" / "key"
    secret.parent.mkdir(parents=True)
    secret.write_text(KEY)
    running = RunningService(
        folder, topology="fused", api_key='{"name": "clients", "key": "key"}', max_ongoing_requests=8
    )
    running.http.headers["authorization"] = f"Bearer {KEY}"
    yield running
    running.stop()


@pytest.fixture(scope="module")
def envoy(service: RunningService, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    folder = tmp_path_factory.mktemp("envoy")
    with gateway(folder, service.http_port, service.grpc_port, KEY) as running:
        yield running


@pytest.fixture
async def through(envoy: Gateway) -> AsyncIterator[httpx.AsyncClient]:
    async with envoy.client() as client:
        yield client


@pytest.fixture
async def direct(service: RunningService) -> AsyncIterator[httpx.AsyncClient]:
    headers = {"authorization": f"Bearer {KEY}", "x-voyager-user": "tester"}
    async with httpx.AsyncClient(base_url=service.url, headers=headers, timeout=30) as client:
        yield client


# What differs between two calls anyway.
_VOLATILE = re.compile(
    r'"(model_id|prompt_id|route_id|evaluation_id|created_at|updated_at|etag|digest|completion_time_ms|trace_id|request_id'
    r'|last_health_check|average_latency_ms|phase|status|availability)":("[^"]*"|[0-9.]+|\{[^}]*\})'
)


def comparable(answer: httpx.Response) -> tuple[int, Any]:
    text = orjson.dumps(answer.json(), option=orjson.OPT_SORT_KEYS).decode()
    text = re.sub(r"\d+-[0-9a-f]{12}", "ETAG", _VOLATILE.sub(r'"\1":null', text))
    return answer.status_code, orjson.loads(text)


def requests(base: str, name: str) -> list[tuple[str, str, Any]]:
    """Every kind of request once, in an order that makes sense; ``name`` keeps two runs apart."""
    model = {
        "name": name, "provider": "custom", "model_name": "fake", "capabilities": ["reasoning"],
        "parameters": {"max_tokens": 20, "temperature": 0.5, "extra": {"top_k": 3}},
        "cost": {"input_token_cost": 0.00003, "output_token_cost": 0.00006},
        "endpoints": {"primary": base},
    }  # fmt: skip
    prompt = {"name": name, "version": "1.0.0", "template": "Say {{ word }}",
              "parameters": [{"name": "word", "type": "string", "default": "hi"}]}  # fmt: skip
    route = {"name": f"{name}-route", "targets": [{"model": name}]}
    evaluation = {
        "name": name, "model_ref": {"name": name}, "prompt_ref": {"name": name},
        "metrics": [{"name": "a", "weight": 1, "measurement": "keyword_coverage"}],
        "schedule": {"cron": "0 2 * * *"}, "suspend": True,
    }  # fmt: skip
    complete = {"prompt": "hi", "parameters": {"temperature": "0.7"}, "metadata": {"user_id": "u"}}
    pairs = {"pairs": [{"output": "a b", "reference": "a"}],
             "metrics": [{"name": "m", "weight": 1, "measurement": "keyword_coverage"}]}  # fmt: skip
    return [
        ("POST", "/api/v1/models", model),
        ("POST", "/api/v1/models", model),  # 409
        ("POST", "/api/v1/models", {**model, "name": f"{name}-x", "cost": {"input_token_cost": -1}}),
        ("POST", "/api/v1/models", {**model, "name": "no good name!"}),
        ("GET", f"/api/v1/models/{name}", None),
        ("GET", f"/api/v1/models/{name}?revision=7", None),
        ("GET", "/api/v1/models/nobody", None),
        ("PATCH", f"/api/v1/models/{name}", {"parameters": {"max_tokens": 30}}),
        ("PATCH", f"/api/v1/models/{name}?update_mask=version", {"version": "2"}),
        ("PATCH", f"/api/v1/models/{name}?etag=stale", {"version": "3"}),
        ("GET", f"/api/v1/models/{name}/versions?page_size=2", None),
        ("POST", f"/api/v1/models/{name}/rollback", {"revision": 1}),
        ("POST", "/api/v1/prompts", prompt),
        ("POST", "/api/v1/prompts", {**prompt, "template": "other"}),  # version conflict
        ("POST", "/api/v1/prompts", {**prompt, "name": f"{name}-x", "template": "{{"}),
        ("POST", f"/api/v1/prompts/{name}/render", {"variables": {"word": "you"}}),
        ("POST", f"/api/v1/prompts/{name}/render", {"variables": {"other": "you"}}),
        ("POST", "/api/v1/routes", route),
        ("POST", "/api/v1/evaluations", evaluation),
        ("GET", f"/api/v1/evaluations/{name}", None),
        ("DELETE", f"/api/v1/models/{name}", None),  # 409: the route needs it
        ("POST", f"/api/v1/models/{name}/completions", complete),
        ("POST", "/api/v1/models/nobody/completions", complete),
        ("POST", "/api/v1/scores", pairs),
        ("POST", "/api/v1/scores", {"pairs": []}),
        ("DELETE", f"/api/v1/routes/{name}-route", None),
        ("DELETE", f"/api/v1/evaluations/{name}", None),
        ("DELETE", f"/api/v1/models/{name}", None),
        ("DELETE", f"/api/v1/prompts/{name}", None),
    ]


async def test_parity(through: httpx.AsyncClient, direct: httpx.AsyncClient, provider: FakeProvider) -> None:
    base = provider.profile("parity")
    for (verb, path, body), (_, ours, other) in zip(
        requests(base, "parity"), requests(base, "paritx"), strict=True
    ):
        gave = comparable(await through.request(verb, path, json=body))
        expected = comparable(await direct.request(verb, ours, json=other))
        text = orjson.dumps(expected[1]).decode().replace("paritx", "parity")
        assert gave == (expected[0], orjson.loads(text)), (verb, path)


async def test_upstream_errors_have_their_own_status(
    through: httpx.AsyncClient, direct: httpx.AsyncClient, provider: FakeProvider
) -> None:
    for i, fault in enumerate(
        ({"status": 500}, {"status": 429, "retry_after": "7"}, {"status": 401}, {"raw": "<html>"})
    ):
        answers: list[httpx.Response] = []
        for client, name in ((direct, f"fault-{i}-direct"), (through, f"fault-{i}-through")):
            document = {"name": name, "provider": "custom", "model_name": "fake",
                        "endpoints": {"primary": provider.profile(name, **fault)}}  # fmt: skip
            assert (await direct.post("/api/v1/models", json=document)).status_code == 201
            body = {"prompt": "hi", "trace_id": "book-7"}
            answers.append(await client.post(f"/api/v1/models/{name}/completions", json=body))
        ours, theirs = answers
        assert theirs.status_code == ours.status_code, (fault, theirs.text, ours.text)
        assert orjson.loads(theirs.text.replace(f"fault-{i}-through", f"fault-{i}-direct")) == ours.json()
        assert theirs.headers["x-voyager-trace-id"] == ours.headers["x-voyager-trace-id"] == "book-7"
        assert theirs.headers.get("retry-after") == ours.headers.get("retry-after")


async def test_streams_come_as_events(through: httpx.AsyncClient, provider: FakeProvider) -> None:
    document = {"name": "streamed", "provider": "custom", "model_name": "fake",
                "endpoints": {"primary": provider.profile("streamed", token_delay_s=0.05)}}  # fmt: skip
    assert (await through.post("/api/v1/models", json=document)).status_code == 201
    path = "/api/v1/models/streamed/completions:stream"
    arrivals = 0
    text = ""
    async with through.stream("POST", path, json={"prompt": "hi"}) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        async for line in answer.aiter_lines():
            if line.startswith("data: "):
                arrivals += 1
                text += orjson.loads(line[6:]).get("delta", "")
    assert text == "Hello from the fake provider"
    assert arrivals > 3


async def test_openai_grpc_and_health_pass(
    envoy: Gateway, through: httpx.AsyncClient, provider: FakeProvider
) -> None:
    document = {"name": "passed", "provider": "custom", "model_name": "fake",
                "endpoints": {"primary": provider.profile("passed")}}  # fmt: skip
    assert (await through.post("/api/v1/models", json=document)).status_code == 201
    chat = {"model": "passed", "messages": [{"role": "user", "content": "hi"}]}
    assert (await through.post("/v1/chat/completions", json=chat)).status_code == 200
    credentials = grpc.ssl_channel_credentials(envoy.certificate.read_bytes())
    with grpc.secure_channel(f"localhost:{envoy.port}", credentials) as channel:
        metadata = (("authorization", f"Bearer {envoy.token('grpc-user')}"),)
        found = ModelManagerStub(channel).GetModel(pb.GetModelRequest(name="passed"), metadata=metadata)
    assert found.model.author == "tester"  # the token's subject, not what a client says
    async with httpx.AsyncClient(base_url=envoy.url, verify=through._transport._pool._ssl_context) as bare:  # type: ignore[attr-defined]
        assert (await bare.get("/healthz")).status_code == 200


async def test_who_has_no_token_is_refused(envoy: Gateway, through: httpx.AsyncClient) -> None:
    for token in ("x", "rub.bi.sh", envoy.token("x", -600), envoy.token("x", audience="others")):
        refused = await through.get("/api/v1/models", headers={"authorization": f"Bearer {token}"})
        assert refused.status_code in (401, 403)
        assert refused.json()["message"]


async def test_nobody_chooses_his_own_name(through: httpx.AsyncClient, provider: FakeProvider) -> None:
    document = {"name": "named", "provider": "custom", "model_name": "fake",
                "endpoints": {"primary": provider.profile("named")}}  # fmt: skip
    created = await through.post("/api/v1/models", json=document, headers={"x-voyager-user": "boss"})
    assert created.status_code == 201
    assert (await through.get("/api/v1/models/named")).json()["model"]["author"] == "tester"


async def test_limits_hold_at_the_gateway(through: httpx.AsyncClient) -> None:
    large = await through.post("/api/v1/prompts", content=b'{"template": "' + b"x" * 9_000_000 + b'"}')
    assert large.status_code == 413, large.text
    assert large.json()["code"] == 3
    assert (await through.get("/healthz", headers={"x-filler": "y" * 40_000})).status_code == 431
    assert (await through.get("/api/v1/models/a%2Fb")).status_code == 400


async def test_the_services_key_is_rotated(
    envoy: Gateway, service: RunningService, through: httpx.AsyncClient
) -> None:
    """The secret of service and gateway changes under load, in either order; no request is refused."""
    outcomes: Counter[int] = Counter()
    done = asyncio.Event()

    async def load() -> None:
        while not done.is_set():
            outcomes[(await through.get("/api/v1/models")).status_code] += 1

    workers = [asyncio.create_task(load()) for _ in range(2)]
    secret = service.log.parent / "secrets" / "clients" / "key"
    await asyncio.sleep(0.5)
    secret.write_text("service-key-two")
    await asyncio.sleep(1.5)
    envoy.set_key("service-key-two")
    await asyncio.sleep(1.5)
    done.set()
    await asyncio.gather(*workers)
    assert set(outcomes) == {200}, outcomes
