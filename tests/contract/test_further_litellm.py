"""What is no text, of providers that only LiteLLM's functions speak to: the same guards, the same answers."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from deployments.lanes.caller import ProviderCaller
from scripts.fake_provider.further import SOUND
from scripts.fake_provider.running import FakeProvider
from tests.support.calls import model
from voyager_llm.domain.completion import Call, StreamEnd
from voyager_llm.domain.form import Part, write_form
from voyager_llm.domain.operation import Operation
from voyager_llm.errors import UpstreamUnavailable, UpstreamUnsupported
from voyager_llm.settings import Settings

AUTH = {"type": "api_key", "secret_ref": {"name": "provider-key", "key": "api_key"}}


@pytest.fixture
async def caller(tmp_path: Path) -> AsyncIterator[ProviderCaller]:
    (tmp_path / "provider-key").mkdir()
    (tmp_path / "provider-key" / "api_key").write_text("canary-secret-1")
    running = ProviderCaller(Settings(secrets_dir=tmp_path))
    yield running
    await running.close()


def asked(
    base: str, operation: Operation, body: bytes | dict[str, Any], *, provider: str = "azure",
    kind: str = "", name: str = "deployed",
) -> Call:  # fmt: skip
    endpoint = model("m", provider, name, base.removesuffix("/v1"), authentication=AUTH).endpoints[0]
    raw = body if isinstance(body, bytes) else orjson.dumps({"model": name, **body})
    headers = (("content-type", kind),) if kind else ()
    return Call(operation, endpoint, raw, operation is Operation.SPEECH, False, 20, 20, 20, headers)


async def test_pictures(provider: FakeProvider, caller: ProviderCaller) -> None:
    base = provider.profile("azure-draw")
    answer = await caller.call(asked(base, Operation.IMAGES, {"prompt": "a cat", "n": 2}, name="gpt-image-1"))
    assert len(orjson.loads(answer.body)["data"]) == 2
    assert answer.usage is not None
    assert (answer.usage.images, answer.usage.image_output_tokens) == (2, 100)
    seen = provider.seen("azure-draw")
    assert seen["last_headers"]["api-key"] == "canary-secret-1"
    assert seen["last_body"]["prompt"] == "a cat"


async def test_speech(provider: FakeProvider, caller: ProviderCaller) -> None:
    base = provider.profile("azure-speak", tokens=2)
    call = asked(base, Operation.SPEECH, {"input": "hi", "voice": "alloy"})
    blocks = [block async for block in caller.stream(call)]
    assert blocks[0] == b"audio/mpeg\n" + SOUND * 2
    assert isinstance(blocks[-1], StreamEnd)
    assert blocks[-1].error is None


async def test_a_transcription(provider: FakeProvider, caller: ProviderCaller) -> None:
    base = provider.profile("azure-hear")
    form = write_form(
        [
            Part("model", b"deployed"),
            Part("file", b"sound", "talk.mp3", "audio/mpeg"),
            Part("language", b"en"),
        ]
    )
    answer = await caller.call(asked(base, Operation.TRANSCRIPTIONS, form.body, kind=form.content_type))
    assert orjson.loads(answer.body)["text"] == "Hello from the fake provider"
    assert "canary" not in answer.body.decode()


async def test_a_ranking(provider: FakeProvider, caller: ProviderCaller) -> None:
    base = provider.profile("azure-rank")
    body = {"query": "q", "documents": ["a", "b"], "top_n": 1}
    answer = await caller.call(
        asked(base, Operation.RERANK, body, provider="azure_ai", name="cohere-rerank-v3-english")
    )
    results = orjson.loads(answer.body)["results"]
    assert [(result["index"], result["relevance_score"]) for result in results] == [(0, 1.0)]


async def test_a_failure_is_judged_as_on_every_lane(provider: FakeProvider, caller: ProviderCaller) -> None:
    base = provider.profile("azure-down", status=503)
    with pytest.raises(UpstreamUnavailable) as failed:
        await caller.call(asked(base, Operation.IMAGES, {"prompt": "x"}))
    assert "canary" not in str(failed.value)


@pytest.mark.parametrize("operation", [Operation.MODERATIONS, Operation.IMAGE_EDITS, Operation.FILES])
async def test_what_litellm_is_not_asked_for_is_refused_by_name(
    provider: FakeProvider, caller: ProviderCaller, operation: Operation
) -> None:
    with pytest.raises(UpstreamUnsupported, match="azure"):
        await caller.call(asked(provider.profile("azure-lacks"), operation, {"input": "x"}))
    assert provider.seen("azure-lacks")["requests"] == 0
