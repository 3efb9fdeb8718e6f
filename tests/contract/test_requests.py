"""What every request may say of itself, and what every answer says of it: traces, deadlines, tags, errors."""

from __future__ import annotations

import time
from typing import Any

import httpx
import orjson
import pytest

from scripts.fake_provider.running import FakeProvider
from tests.support.service import LocalService, start

PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
TRACE = "x-voyager-trace-id"
CHAT = {"messages": [{"role": "user", "content": "hello"}]}
# One path of each codec, and whatever has none.
ANY = [
    ("GET", "/healthz", None),
    ("GET", "/readyz", None),
    ("GET", "/metrics", None),
    ("GET", "/metrics?replicas=some", None),
    ("GET", "/statusz", None),
    ("GET", "/v1/models", None),
    ("GET", "/v1/models/nope", None),
    ("GET", "/docs", None),
    ("GET", "/nope", None),
    ("POST", "/nope", {}),
    ("GET", "/api/v1/models", None),
    ("GET", "/api/v1/models/nope", None),
    ("GET", "/api/v1/nope", None),
    ("POST", "/api/v1/models", {"no_such_field": 1}),
    ("POST", "/api/v1/models/m/completions", {"prompt": "hello"}),
    ("POST", "/api/v1/models/m/completions:stream", {"prompt": "hello"}),
    ("POST", "/api/v1/models/nope/completions", {"prompt": "hello"}),
    ("POST", "/v1/chat/completions", {"model": "m", **CHAT}),
    ("POST", "/v1/chat/completions", {"model": "m", "stream": True, **CHAT}),
    ("POST", "/v1/chat/completions", {"model": "nope", **CHAT}),
    ("POST", "/v1/chat/completions", {"model": "m", "temperature": "hot", **CHAT}),
]


@pytest.mark.parametrize(("verb", "path", "body"), ANY)
async def test_every_answer_names_its_trace(
    local: LocalService, provider: FakeProvider, verb: str, path: str, body: Any
) -> None:
    await local.model("m", provider.profile("traced"))
    answer = await local.http.request(verb, path, json=body, headers={"x-trace-id": "book-7"})
    assert answer.headers.get_list(TRACE) == ["book-7"]
    other = await local.http.request(verb, path, json=body, headers={"traceparent": PARENT})
    assert other.headers[TRACE] == PARENT[3:35]
    assert len((await local.http.request(verb, path, json=body)).headers[TRACE]) == 32
    if other.is_error:
        assert PARENT[3:35] in other.text


async def test_strangers_too(tmp_path: Any) -> None:
    (tmp_path / "client-key").mkdir()
    (tmp_path / "client-key" / "key").write_text("let-me-in")
    service = await start(tmp_path, api_key={"name": "client-key", "key": "key"})
    for path in ("/v1/models", "/api/v1/models"):
        answer = await service.http.get(path, headers={"x-trace-id": "stranger"})
        assert (answer.status_code, answer.headers[TRACE]) == (401, "stranger")
        assert "stranger" in answer.text
    await service.close()


async def test_a_trace_in_letters_that_no_header_has(local: LocalService) -> None:
    body = {"prompt": "x", "trace_id": "Büch-語"}
    answer = await local.http.post("/api/v1/models/nope/completions", json=body)
    assert (answer.status_code, answer.headers[TRACE]) == (404, "B?ch-?")
    assert told(answer)["request_id"] == "Büch-語"


async def test_a_messages_own_trace_wins(local: LocalService, provider: FakeProvider) -> None:
    await local.model("m", provider.profile("own-trace"))
    body = {"prompt": "x", "trace_id": "mine"}
    for path in ("completions", "completions:stream"):
        answer = await local.http.post(
            f"/api/v1/models/m/{path}", json=body, headers={"x-trace-id": "header"}
        )
        assert answer.headers[TRACE] == "mine"
        assert '"trace_id":"mine"' in answer.text


def told(answer: httpx.Response) -> dict[str, Any]:
    """The fields of all details of a REST error."""
    return {name: value for detail in answer.json()["details"] for name, value in detail.items()}


async def broken_route(local: LocalService, provider: FakeProvider) -> None:
    await local.model("first", provider.profile("first-fails", status=500, error_message="secret sauce"))
    await local.model("second", provider.profile("second-fails", status=503))
    await local.route("r", "first", fallbacks=["second"])


async def test_an_error_names_its_attempts_and_no_secrets(
    local: LocalService, provider: FakeProvider
) -> None:
    await broken_route(local, provider)
    headers = {"x-trace-id": "book-7"}
    openai = await local.http.post("/v1/chat/completions", json={"model": "r", **CHAT}, headers=headers)
    error = openai.json()["error"]
    assert error["trace_id"] == "book-7"
    assert [attempt.split(":")[0] for attempt in error["attempts"]][:2] == ["first", "second"]
    rest = await local.http.post("/api/v1/models/r/completions", json={"prompt": "x"}, headers=headers)
    assert (rest.status_code, openai.status_code) == (503, 503)
    assert told(rest)["request_id"] == "book-7"
    metadata = told(rest)["metadata"]
    assert int(metadata["attempts"]) >= 2
    assert metadata["attempt_1"].startswith("first: ")
    for answer in (openai, rest):
        assert answer.headers["retry-after"] == "1"
        assert "secret" not in answer.text
        assert "127.0.0.1" not in answer.text


@pytest.mark.parametrize("path", ["openai", "rest"])
async def test_a_stream_that_breaks_says_so_too(
    local: LocalService, provider: FakeProvider, path: str
) -> None:
    await local.model("cut", provider.profile("told-cut", truncate_after=2))
    await local.model("dead", provider.profile("told-dead", status=500))
    await local.route("r", "dead", fallbacks=["cut"])
    headers = {"x-trace-id": "book-7"}
    if path == "openai":
        body: dict[str, Any] = {"model": "r", "stream": True, **CHAT}
        answer = await local.http.post("/v1/chat/completions", json=body, headers=headers)
        error = event(answer, -1)["error"]
        assert error["trace_id"] == "book-7"
        attempts = error["attempts"]
    else:
        answer = await local.http.post(
            "/api/v1/models/r/completions:stream", json={"prompt": "x"}, headers=headers
        )
        details = {name: value for detail in event(answer, -1)["details"] for name, value in detail.items()}
        assert details["request_id"] == "book-7"
        attempts = [details["metadata"]["attempt_1"], details["metadata"]["attempt_2"]]
    assert answer.status_code == 200
    assert [attempt.split(":")[0] for attempt in attempts] == ["dead", "cut"]


def event(answer: httpx.Response, index: int) -> Any:
    lines = [line for line in answer.text.splitlines() if line.startswith("data: {")]
    return orjson.loads(lines[index].removeprefix("data: "))


async def test_rest_keeps_a_deadline(local: LocalService, provider: FakeProvider) -> None:
    """As the OpenAI path does: half of it for the first model, the rest for its fallback."""
    await local.model("hangs", provider.profile("deadline-hangs", hang=True))
    await local.model("good", provider.profile("deadline-good"))
    await local.route("r", "hangs", fallbacks=["good"])
    headers = {"x-voyager-timeout-ms": "2000"}
    for path, body in (
        ("/api/v1/models/r/completions", {"prompt": "x"}),
        ("/v1/chat/completions", {"model": "r", **CHAT}),
    ):
        began = time.monotonic()
        answer = await local.http.post(path, json=body, headers=headers)
        assert answer.status_code == 200, answer.text
        assert time.monotonic() - began < 2


BAD_TAGS: list[tuple[str, Any, str]] = [
    ("/api/v1/models/m/completions", {f"t{i}": "" for i in range(33)}, "metadata"),
    ("/api/v1/models/m/completions", {"book": "x" * 257}, "metadata.book"),
    ("/v1/chat/completions", {f"t{i}": "" for i in range(17)}, "metadata"),
    ("/v1/chat/completions", {"book": "x" * 513}, "metadata.book"),
    ("/v1/chat/completions", {"book": 7}, "metadata.book"),
]


@pytest.mark.parametrize(("path", "metadata", "field"), BAD_TAGS)
async def test_tags_that_do_not_fit_are_refused_by_name(
    local: LocalService, provider: FakeProvider, path: str, metadata: Any, field: str
) -> None:
    await local.model("m", provider.profile("tags"))
    body = {"model": "m", **CHAT} if path.startswith("/v1") else {"prompt": "x"}
    answer = await local.http.post(path, json={**body, "metadata": metadata})
    assert answer.status_code == 400
    named = answer.json()["error"]["param"] if path.startswith("/v1") else violation(answer)
    assert named == field


def violation(answer: httpx.Response) -> str:
    return told(answer)["field_violations"][0]["field"]


@pytest.mark.parametrize("header", [("x-session-id", "s" * 257), ("x-voyager-timeout-ms", "soon")])
@pytest.mark.parametrize("path", ["/v1/chat/completions", "/api/v1/models/m/completions"])
async def test_headers_that_do_not_fit_are_refused_by_name(
    local: LocalService, header: tuple[str, str], path: str
) -> None:
    answer = await local.http.post(path, json={}, headers=dict([header]))
    assert answer.status_code == 400
    named = answer.json()["error"]["param"] if path.startswith("/v1") else violation(answer)
    assert named == header[0]


async def test_a_limit_says_what_is_left(local: LocalService, provider: FakeProvider) -> None:
    limits = {"requests_per_minute": 3, "tokens_per_minute": 6000}
    await local.model("m", provider.profile("limited"), rate_limits=limits)
    left: list[int] = []
    for _ in range(3):
        answer = await local.chat("m", max_tokens=5)
        assert answer.status_code == 200
        assert answer.headers["x-ratelimit-limit-requests"] == "3"
        assert answer.headers["x-ratelimit-limit-tokens"] == "6000"
        assert 0 < int(answer.headers["x-ratelimit-remaining-tokens"]) < 6000
        assert 55 < float(answer.headers["x-ratelimit-reset-requests"].removesuffix("s")) < 63
        left.append(int(answer.headers["x-ratelimit-remaining-requests"]))
    assert left == [2, 1, 0]
    refused = await local.chat("m")
    assert refused.status_code == 429
    assert refused.json()["error"]["message"] == "model m takes 3 requests a minute, and they are spent"
    assert refused.headers["x-ratelimit-remaining-requests"] == "0"
    assert 55 < int(refused.headers["retry-after"]) < 64
    assert refused.headers[TRACE] == refused.json()["error"]["trace_id"]
    over_rest = await local.http.post("/api/v1/models/m/completions", json={"prompt": "hello"})
    assert (over_rest.status_code, over_rest.json()["code"]) == (429, 8)
    assert over_rest.headers["x-ratelimit-limit-requests"] == "3"
    assert over_rest.headers["x-ratelimit-remaining-requests"] == "0"


async def test_a_route_whose_models_are_all_spent_says_so_too(
    local: LocalService, provider: FakeProvider
) -> None:
    for name in ("m", "n"):
        await local.model(name, provider.profile(f"route-{name}"), rate_limits={"requests_per_minute": 1})
    route = {"name": "both", "targets": [{"model": "m"}, {"model": "n"}]}
    assert (await local.http.post("/api/v1/routes", json=route)).status_code == 201
    answers = [await local.chat("both") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert answers[-1].headers["x-ratelimit-limit-requests"] == "1"
    assert answers[-1].headers["x-ratelimit-remaining-requests"] == "0"
    assert int(answers[-1].headers["retry-after"]) > 0


async def test_a_limit_of_tokens_is_named_as_one(local: LocalService, provider: FakeProvider) -> None:
    await local.model("m", provider.profile("tokens"), rate_limits={"tokens_per_minute": 100})
    answer = await local.chat("m", max_tokens=90, stream=True)
    assert answer.headers["x-ratelimit-limit-tokens"] == "100"
    assert "x-ratelimit-limit-requests" not in answer.headers
    refused = await local.http.post(
        "/api/v1/models/m/completions", json={"prompt": "x", "parameters": {"max_tokens": "95"}}
    )
    assert (refused.status_code, refused.json()["message"]) == (
        429,
        "model m takes 100 tokens a minute, and they are spent",
    )


async def test_a_model_without_limits_names_none(local: LocalService, provider: FakeProvider) -> None:
    await local.model("m", provider.profile("unlimited"))
    answer = await local.chat("m")
    assert not [name for name in answer.headers if name.startswith("x-ratelimit")]
