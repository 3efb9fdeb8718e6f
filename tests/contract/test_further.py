"""What is no text, through the whole service by OpenAI's own SDK, against a provider that fails on demand."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx
import openai
import pytest
from openai import AsyncOpenAI

from scripts.fake_provider.further import SOUND
from scripts.fake_provider.running import FakeProvider
from tests.support.service import LocalService

TEXT = "Hello from the fake provider"
FILE = ("talk.mp3", b"\xff\xfbsound\r\n--not-a-boundary\r\n" * 2000)


@pytest.fixture
async def client(local: LocalService) -> AsyncIterator[AsyncOpenAI]:
    transport = httpx.ASGITransport(local.ingress)  # pyright: ignore[reportArgumentType]
    http = httpx.AsyncClient(transport=transport, base_url="http://service")
    async with AsyncOpenAI(
        api_key="x", base_url="http://service/v1", http_client=http, max_retries=0
    ) as running:
        yield running


def metric(local: LocalService, name: str) -> float:
    """A counter of the replica, over all of its labels."""
    lines = local.replica.meter.text().decode().splitlines()
    return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith(name))


async def openais(local: LocalService, name: str, base: str, model_name: str, **fields: Any) -> None:
    """A model with a price of the list."""
    await local.model(name, base, provider="openai", model_name=model_name, **fields)


async def test_moderations(local: LocalService, provider: FakeProvider, client: AsyncOpenAI) -> None:
    await openais(local, "guard", provider.profile("mod"), "omni-moderation-latest")
    answer = await client.moderations.create(model="guard", input=["fine", "bad"])
    assert [result.flagged for result in answer.results] == [False, True]
    assert provider.seen("mod")["last_body"] == {"model": "omni-moderation-latest", "input": ["fine", "bad"]}
    assert provider.seen("mod")["last_path"] == "/mod/v1/moderations"


@pytest.mark.parametrize("path", ["/v1/rerank", "/v2/rerank"])
async def test_a_ranking_is_paid_by_the_search(
    local: LocalService, provider: FakeProvider, path: str
) -> None:
    base = provider.profile("rank").removesuffix("/v1") + "/v2/chat"
    await local.model("ranker", base, provider="cohere", model_name="rerank-v3.5")
    asked = {"model": "ranker", "query": "q", "documents": ["a", {"text": "b"}], "top_n": 1}
    answer = await local.http.post(path, json=asked)
    assert answer.json()["results"] == [{"index": 0, "relevance_score": 1.0}]
    assert answer.headers["x-voyager-cost"] == "0.002"
    seen = provider.seen("rank")
    assert seen["last_path"] == "/rank/v2/rerank"
    assert seen["last_body"] == {**asked, "model": "rerank-v3.5"}
    assert metric(local, "voyager_units_total") == 1


async def test_pictures_are_paid_by_their_tokens(
    local: LocalService, provider: FakeProvider, client: AsyncOpenAI
) -> None:
    await openais(local, "artist", provider.profile("draw"), "gpt-image-1")
    answer = await client.images.with_raw_response.generate(
        model="artist", prompt="a cat", n=2, size="1024x1024"
    )
    drawn = answer.parse()
    assert len(drawn.data or ()) == 2
    # 9 tokens of text at 5e-6, 100 of pictures at 4e-5.
    assert answer.headers["x-voyager-cost"] == "0.004045"
    assert metric(local, "voyager_units_total") == 2


async def test_a_picture_in_parts(local: LocalService, provider: FakeProvider, client: AsyncOpenAI) -> None:
    await openais(local, "artist", provider.profile("draw-stream"), "gpt-image-1")
    events = await client.images.generate(model="artist", prompt="a cat", stream=True, partial_images=1)
    assert [event.type async for event in events] == [
        "image_generation.partial_image", "image_generation.completed",
    ]  # fmt: skip
    assert metric(local, "voyager_cost_total") == pytest.approx(0.004045)


async def test_speech_comes_as_it_is_spoken(
    local: LocalService, provider: FakeProvider, client: AsyncOpenAI
) -> None:
    await openais(local, "voice", provider.profile("speak", tokens=3), "tts-1")
    asked = client.audio.speech.with_streaming_response.create(
        model="voice", voice="alloy", input="twenty characters !!", response_format="wav"
    )
    async with asked as answer:
        assert answer.headers["content-type"] == "audio/wav"
        assert b"".join([block async for block in answer.iter_bytes()]) == SOUND * 3
    assert metric(local, "voyager_cost_total") == pytest.approx(20 * 0.000015)
    assert metric(local, "voyager_units_total") == 20
    assert metric(local, 'voyager_tokens_total{direction="output"') == 0


async def test_a_body_that_has_to_be_written_anew_says_what_it_said(
    local: LocalService, provider: FakeProvider, client: AsyncOpenAI
) -> None:
    """Of two texts "model" the bytes alone do not tell which is the name; a path may name the model."""
    await local.model("voice", provider.profile("anew"))
    async with client.audio.speech.with_streaming_response.create(model="voice", voice="v", input="model"):
        pass
    assert provider.seen("anew")["last_body"] == {"model": "fake", "voice": "v", "input": "model"}
    path = "/openai/deployments/voice/audio"
    assert (await local.http.post(f"{path}/speech", json={"input": "x", "voice": "v"})).content
    assert provider.seen("anew")["last_body"] == {"model": "fake", "voice": "v", "input": "x"}
    heard = await local.http.post(f"{path}/transcriptions", files={"file": FILE})
    assert heard.json()["text"] == TEXT
    assert "fake" in provider.seen("anew")["last_body"]


async def test_speech_in_events(local: LocalService, provider: FakeProvider, client: AsyncOpenAI) -> None:
    await openais(local, "voice", provider.profile("speak-sse", tokens=2), "gpt-4o-mini-tts")
    asked = client.audio.speech.with_streaming_response.create(
        model="voice", voice="alloy", input="hi", stream_format="sse"
    )
    async with asked as answer:
        text = (await answer.read()).decode()
    assert text.count("event: speech.audio.delta\n") == 2
    assert text.count("event: speech.audio.done\n") == 1
    assert metric(local, 'voyager_tokens_total{direction="output"') == 40


@pytest.mark.parametrize("shape", ["text", "srt", "vtt", "json", "verbose_json"])
async def test_a_transcription_in_every_shape(
    local: LocalService, provider: FakeProvider, client: AsyncOpenAI, shape: Any
) -> None:
    await openais(local, "ear", provider.profile(f"hear-{shape}"), "whisper-1")
    answer = await client.audio.transcriptions.with_raw_response.create(
        model="ear", file=FILE, response_format=shape, temperature=0.2, timestamp_granularities=["word"]
    )
    assert TEXT in answer.text
    is_json = shape.endswith("json")
    assert answer.headers["content-type"].startswith("application/json" if is_json else "text/plain")
    # 12 seconds as reported, or as many as the file's length is taken for.
    seconds = 12 if is_json else len(FILE[1]) // 15_000 + 1
    assert float(answer.headers["x-voyager-cost"]) == pytest.approx(seconds * 0.0001)
    assert metric(local, "voyager_usage_estimated_total") == (0 if is_json else 1)
    sent = provider.seen(f"hear-{shape}")["last_body"]
    assert 'name=\\"model\\"\\r\\n\\r\\nwhisper-1\\r\\n' in sent.replace('"', '\\"')


async def test_a_transcription_as_it_is_heard(
    local: LocalService, provider: FakeProvider, client: AsyncOpenAI
) -> None:
    await openais(local, "ear", provider.profile("hear-stream"), "gpt-4o-transcribe")
    events = await client.audio.transcriptions.create(model="ear", file=FILE, stream=True)
    heard = [event async for event in events]
    assert heard[-1].type == "transcript.text.done"
    assert heard[-1].text == TEXT
    assert metric(local, "voyager_cost_total") == pytest.approx(30 * 2.5e-6 + 5 * 1e-5)


async def test_translations_edits_and_variations(
    local: LocalService, provider: FakeProvider, client: AsyncOpenAI
) -> None:
    await openais(local, "ear", provider.profile("translate"), "whisper-1")
    await openais(local, "artist", provider.profile("edit"), "gpt-image-1")
    assert (await client.audio.translations.create(model="ear", file=FILE)).text == TEXT
    pictures = [("a.png", b"\x89PNG a"), ("b.png", b"\x89PNG b")]
    edited = await client.images.edit(model="artist", image=pictures, mask=("m.png", b"m"), prompt="blue")
    assert len(edited.data or ()) == 1
    varied = await client.images.create_variation(model="artist", image=pictures[0], n=2)
    assert len(varied.data or ()) == 2
    assert provider.seen("edit")["last_path"] == "/edit/v1/images/variations"


@pytest.mark.parametrize("status", [429, 500])
async def test_another_target_answers_where_one_fails(
    local: LocalService, provider: FakeProvider, client: AsyncOpenAI, status: int
) -> None:
    await local.model("a", provider.profile("further-bad", status=status))
    await local.model("b", provider.profile("further-good"))
    await local.route("r", "a", fallbacks=["b"])
    drawn = await client.images.with_raw_response.generate(model="r", prompt="x")
    assert drawn.headers["x-voyager-model"] == "b"
    heard = await client.audio.transcriptions.with_raw_response.create(model="r", file=FILE)
    assert heard.headers["x-voyager-model"] == "b"
    async with client.audio.speech.with_streaming_response.create(model="r", voice="v", input="x") as spoken:
        assert spoken.headers["x-voyager-model"] == "b"


async def test_who_lacks_an_operation_answers_chats_as_before(
    local: LocalService, provider: FakeProvider, client: AsyncOpenAI
) -> None:
    await local.model("a", provider.profile("lacking", lacks=True))
    await local.model("b", provider.profile("having"))
    await local.route("r", "a", fallbacks=["b"])
    for _ in range(6):
        answer = await client.moderations.with_raw_response.create(model="r", input="x")
        assert answer.headers["x-voyager-model"] == "b"
    assert provider.seen("lacking")["requests"] == 3, "then it is asked after the others"
    assert (await local.chat("r")).headers["x-voyager-model"] == "a"
    with pytest.raises(openai.APIStatusError) as refused:
        await client.moderations.create(model="a", input="x")
    assert refused.value.code == "upstream_unsupported"


async def test_an_adapter_provider_without_the_operation_is_refused_by_name(
    local: LocalService, provider: FakeProvider, client: AsyncOpenAI
) -> None:
    base = provider.profile("no-pictures").removesuffix("/v1")
    await local.model("claude", base + "/v1/messages", provider="anthropic", model_name="claude-haiku-4-5")
    with pytest.raises(openai.APIStatusError) as refused:
        await client.images.generate(model="claude", prompt="x")
    assert refused.value.code == "upstream_unsupported"
    assert "anthropic" in refused.value.message
    assert provider.seen("no-pictures")["requests"] == 0


@pytest.mark.parametrize(
    "behaviour",
    [
        {"stream_type": "text/html"},
        {"raw": "<html>", "raw_type": "text/html"},
        {"error_in_body": True},
        {"raw": '{"object": "list"}'},
    ],
    ids=str,
)
async def test_an_answer_of_another_type_is_none(
    local: LocalService, provider: FakeProvider, client: AsyncOpenAI, behaviour: dict[str, Any]
) -> None:
    await local.model("m", provider.profile("wrong-type", **behaviour))
    with pytest.raises(openai.APIStatusError) as refused:
        async with client.audio.speech.with_streaming_response.create(model="m", voice="v", input="x"):
            pass
    assert refused.value.status_code in (500, 502, 503)


async def test_limits_are_kept(local: LocalService, provider: FakeProvider, client: AsyncOpenAI) -> None:
    await local.model("m", provider.profile("further-limit"), rate_limits={"requests_per_minute": 2})
    for _ in range(2):
        await client.images.generate(model="m", prompt="x")
    with pytest.raises(openai.RateLimitError):
        await client.images.generate(model="m", prompt="x")
    assert provider.seen("further-limit")["requests"] == 2


async def test_what_is_cut_off_in_events_says_so(
    local: LocalService, provider: FakeProvider, client: AsyncOpenAI
) -> None:
    await local.model("m", provider.profile("further-cut", truncate_after=2))
    events = await client.audio.transcriptions.create(model="m", file=FILE, stream=True)
    with pytest.raises(openai.APIError, match="broke off"):
        async for _ in events:
            pass
    assert metric(local, 'voyager_completions_total{model="m",outcome="stream_interrupted"') == 1


REFUSED: list[tuple[str, dict[str, Any], str]] = [
    ("/v1/moderations", {"model": "m"}, "input"),
    ("/v1/moderations", {"input": "x"}, "model"),
    ("/v1/moderations", {"model": "m", "input": "x", "api_base": "http://canary"}, "api_base"),
    ("/v1/rerank", {"model": "m", "query": "q", "documents": []}, "documents"),
    ("/v1/rerank", {"model": "m", "query": "q", "documents": ["x"], "top_n": 0}, "top_n"),
    ("/v1/rerank", {"model": "m", "query": "q", "documents": ["x"] * 10_001}, "documents"),
    ("/v1/images/generations", {"model": "m", "prompt": "x", "n": 11}, "n"),
    ("/v1/audio/speech", {"model": "m", "input": "x", "speed": 5}, "speed"),
    ("/v1/audio/speech", {"model": "m", "input": "x", "response_fromat": "mp3"}, "response_fromat"),
]  # fmt: skip


@pytest.mark.parametrize(("path", "body", "field"), REFUSED, ids=str)
async def test_a_wrong_body_is_refused_by_the_fields_name(
    local: LocalService, provider: FakeProvider, path: str, body: dict[str, Any], field: str
) -> None:
    await local.model("m", provider.profile("further-unasked"))
    answer = await local.http.post(path, json=body)
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, field)
    assert provider.seen("further-unasked")["requests"] == 0


WRONG_FORMS: list[tuple[dict[str, Any], Any, str]] = [
    ({}, {"file": FILE}, "model"),
    ({"model": "m"}, {"other": FILE}, "other"),
    ({"model": "m"}, {}, "body"),
    ({"model": "m"}, {"file": ("x.mp3", b"")}, "file"),
    ({"model": "m"}, [("file", FILE), ("file", FILE)], "file"),
    ({"model": ["m", "n"]}, {"file": FILE}, "model"),
    ({"model": "m", "temperature": "hot"}, {"file": FILE}, "temperature"),
    ({"model": "m", "timeout": "1"}, {"file": FILE}, "timeout"),
    ({"model": "m", "A b": "1"}, {"file": FILE}, "body"),
]


@pytest.mark.parametrize(("fields", "files", "field"), WRONG_FORMS, ids=lambda value: str(value)[:40])
async def test_a_wrong_form_is_refused_by_the_fields_name(
    local: LocalService, provider: FakeProvider, fields: dict[str, Any], files: Any, field: str
) -> None:
    await local.model("m", provider.profile("form-unasked"))
    answer = await local.http.post("/v1/audio/transcriptions", data=fields, files=files)
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, field)
    assert provider.seen("form-unasked")["requests"] == 0
