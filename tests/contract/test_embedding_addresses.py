"""An address that a definition gives for chats serves its provider's embeddings, too."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import orjson
import pytest

from deployments.lanes.caller import ProviderCaller
from tests.support.calls import model
from tests.support.recorder import recording
from voyager_llm.domain.completion import Call
from voyager_llm.domain.operation import Operation
from voyager_llm.errors import VoyagerError
from voyager_llm.settings import Settings


@pytest.mark.parametrize("form", ["", "/v1", "/"])
@pytest.mark.parametrize(
    ("provider", "name", "target"),
    [
        ("cohere", "embed-english-v3.0", "/v2/embed"),
        ("gemini", "text-embedding-004", "/v1beta/models/text-embedding-004:batchEmbedContents"),
        ("mistral", "mistral-embed", "/v1/embeddings"),
        ("ollama_chat", "nomic-embed-text", "/api/embed"),
        ("ollama", "nomic-embed-text", "/v1/embeddings"),
        ("openai", "text-embedding-3-small", "/v1/embeddings"),
        ("voyage", "voyage-3", "/v1/embeddings"),
    ],
)
async def test_embeddings_are_asked_for_where_they_are(
    tmp_path: Path, provider: str, name: str, target: str, form: str
) -> None:
    caller = ProviderCaller(Settings(secrets_dir=tmp_path))
    async with recording() as recorder:
        of = model("m", provider, name, recorder.url + form)
        body = orjson.dumps({"model": name, "input": ["hi"]})
        with suppress(VoyagerError):  # not every provider's answer is made here
            await caller.call(Call(Operation.EMBEDDINGS, of.endpoints[0], body, False, False, 5.0, 5.0, 5.0))
        assert [seen.target for seen in recorder.seen] == [target]
    await caller.close()
