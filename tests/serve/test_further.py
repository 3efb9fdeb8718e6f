"""What is no text, over real sockets in both topologies: sound as it comes, breaks, lost clients, batches."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from uuid import uuid4

import httpx
import openai
import pytest
from openai import OpenAI

from scripts.fake_provider.further import SOUND
from scripts.fake_provider.running import FakeProvider
from tests.support.running import RunningService, until

FILE = ("talk.mp3", b"\xff\xfb" * 500_000)


@pytest.fixture
def client(running: RunningService) -> Iterator[OpenAI]:
    with OpenAI(api_key="x", base_url=f"{running.url}/v1", max_retries=0) as made:
        yield made


def fresh(running: RunningService, provider: FakeProvider, **behaviour: object) -> str:
    """A model of its own name and profile."""
    name = f"f-{uuid4().hex[:12]}"
    running.model(name, provider.profile(name, **behaviour), provider="openai", model_name="gpt-4o")
    return name


def test_json_forms_and_sound_go_through(
    running: RunningService, provider: FakeProvider, client: OpenAI
) -> None:
    name = fresh(running, provider)
    assert not client.moderations.create(model=name, input="x").results[0].flagged
    assert client.audio.transcriptions.create(model=name, file=FILE).text == "Hello from the fake provider"
    assert "1\n00:00" in client.audio.transcriptions.create(model=name, file=FILE, response_format="srt")
    with client.audio.speech.with_streaming_response.create(model=name, voice="v", input="x") as spoken:
        assert spoken.headers["content-type"] == "audio/mpeg"
        assert b"".join(spoken.iter_bytes()) == SOUND * 5


def test_sound_begins_before_its_end(running: RunningService, provider: FakeProvider, client: OpenAI) -> None:
    name = fresh(running, provider, token_delay_s=0.4, tokens=6)
    began = time.monotonic()
    with client.audio.speech.with_streaming_response.create(model=name, voice="v", input="x") as spoken:
        first = next(spoken.iter_bytes())
        until_first = time.monotonic() - began
    assert SOUND.startswith(first[: len(SOUND)])
    assert until_first < 1.5


def test_sound_that_is_cut_off_has_no_end(
    running: RunningService, provider: FakeProvider, client: OpenAI
) -> None:
    name = fresh(running, provider, truncate_after=2)
    asked = client.audio.speech.with_streaming_response.create(model=name, voice="v", input="x")
    heard: list[bytes] = []
    with asked as spoken, pytest.raises((httpx.HTTPError, openai.APIError)):
        heard.extend(spoken.iter_bytes())
    assert b"".join(heard) == SOUND * 2
    assert running.chat(name).status_code == 200


def test_whoever_leaves_is_left(running: RunningService, provider: FakeProvider, client: OpenAI) -> None:
    name = fresh(running, provider, token_delay_s=0.2, tokens=300)
    with client.audio.speech.with_streaming_response.create(model=name, voice="v", input="x") as spoken:
        next(spoken.iter_bytes())
    until(lambda: provider.seen(name)["aborted"] == 1, "the provider's call is cancelled", 10)


def test_a_batch_is_charged_once_over_all_routers(
    running: RunningService, provider: FakeProvider, client: OpenAI
) -> None:
    name = fresh(running, provider)
    body = {"model": name, "messages": [{"role": "user", "content": "hi"}]}
    line = {"custom_id": "1", "method": "POST", "url": "/v1/chat/completions", "body": body}
    given = ("in.jsonl", json.dumps(line).encode())
    file = client.files.create(file=given, purpose="batch", extra_body={"model": name})
    batch = client.batches.create(
        input_file_id=file.id, endpoint="/v1/chat/completions", completion_window="24h"
    )
    polls = [client.batches.with_raw_response.retrieve(batch.id) for _ in range(12)]
    costs = [float(poll.headers["x-voyager-cost"]) for poll in polls]
    assert costs[0] == pytest.approx(1000 * 1.25e-6 + 100 * 5e-6)
    assert costs[1:] == [0] * 11
    ended = polls[-1].parse()
    assert ended.output_file_id is not None
    assert b"gpt-4o" in client.files.content(ended.output_file_id).content
