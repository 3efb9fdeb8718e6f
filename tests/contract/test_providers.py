"""Providers as the installed LiteLLM knows them: the names, the addresses, and where each key goes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import orjson
import pytest

from deployments.lanes.caller import (
    ProviderCaller,  # before LiteLLM, which asks the network when it comes first
)
from tests.hostile.watch import Watch
from tests.support.calls import MESSAGES, call

# isort: split
import litellm
from litellm.types.utils import LlmProviders

from voyager_llm.definitions.compiler import compile_model
from voyager_llm.domain.definition import parse
from voyager_llm.domain.model import ModelDefinition
from voyager_llm.domain.operation import Operation
from voyager_llm.domain.providers import ALIASES, PROVIDERS, reaches
from voyager_llm.errors import InvalidArgument, VoyagerError
from voyager_llm.settings import Settings

LITELLMS = frozenset(provider.value for provider in LlmProviders)

# LiteLLM's other names: what completes and embeds nothing; agents and LiteLLM's own routers; sign-in by
# browser, key file or a token service of their own; and APIs that speak OpenAI's protocol, for `custom`.
NOT_OFFERED = frozenset(
    """
    assemblyai aws_polly aws_textract azure_speech black_forest_labs cursor deepgram elevenlabs fal_ai manus
    nvidia_riva recraft reducto runwayml soniox stability topaz transcribe typesafe
    milvus mongodb pg_vector s3_vectors valkey
    a2a a2a_agent auto_router dotprompt humanloop langflow langfuse langgraph litellm_agent ragflow
    strands_decider
    chatgpt gdc gigachat github_copilot oci sap
    ai21 aiohttp_openai amazon_nova anthropic_text apertis bedrock_mantle bytez charity_engine clarifai
    cognition cometapi compactifai cortecs darkbloom datarobot edenai empower galadriel gradient_ai helicone
    libertai maritalk meta nadir nano-gpt neosantara nlp_cloud oobabooga parasail petals pinstripes predibase
    prism publicai qwen_ai_platform qwencloud sagemaker_nova sail scx-ai synthetic tencent tensormesh
    text-completion-codestral text-completion-inception text-completion-openai xiaomi_mimo
    """.split()
)

# Where our address differs from LiteLLM's, and why.
OTHER_ADDRESS = {
    "together_ai": "LiteLLM's api.together.ai is an alias of the documented api.together.xyz",
}


def test_every_provider_is_one_of_litellms() -> None:
    assert PROVIDERS.keys() <= LITELLMS
    assert set(ALIASES.values()) <= PROVIDERS.keys()


def test_every_provider_of_litellms_is_offered_or_known_not_to_be() -> None:
    assert LITELLMS - PROVIDERS.keys() == NOT_OFFERED


@pytest.mark.parametrize("name", sorted(NOT_OFFERED | {"nope", "Open AI", "", "openai "}))
def test_another_provider_is_refused_by_name(name: str) -> None:
    with pytest.raises(InvalidArgument) as refused:
        parse(ModelDefinition, {"name": "m", "provider": name, "model_name": "x"})
    assert refused.value.field == "provider"


@pytest.mark.parametrize("name", sorted(name for name, of in PROVIDERS.items() if of.address))
def test_addresses_are_litellms(name: str) -> None:
    known = litellm.get_llm_provider(f"{name}/some-model")[3]
    if known and name not in OTHER_ADDRESS and "localhost" not in known:
        assert urlsplit(PROVIDERS[name].address).hostname == urlsplit(known).hostname


@pytest.mark.parametrize("name", sorted(name for name, of in PROVIDERS.items() if of.needs_endpoint))
def test_a_provider_without_an_address_needs_an_endpoint(name: str) -> None:
    with pytest.raises(InvalidArgument, match=r"endpoints\.primary is required"):
        parse(ModelDefinition, {"name": "m", "provider": name, "model_name": "x"})


@pytest.fixture
async def caller(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[ProviderCaller]:
    secret = tmp_path / "provider-key" / "api_key"
    secret.parent.mkdir()
    secret.write_text("canary-key")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "id")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    running = ProviderCaller(Settings(secrets_dir=tmp_path))
    yield running
    await running.close()


BODIES: dict[Operation, dict[str, Any]] = {
    Operation.CHAT: {"messages": MESSAGES, "temperature": 0.5, "response_format": {"type": "json_object"}},
    Operation.TEXT: {"prompt": "hi"},
    Operation.EMBEDDINGS: {"input": ["hi"]},
}


@pytest.mark.parametrize("name", sorted(name for name, of in PROVIDERS.items() if not of.needs_endpoint))
async def test_a_key_goes_to_its_providers_hosts_alone(caller: ProviderCaller, name: str) -> None:
    """A model with a name alone: whatever is asked of it, only hosts of its provider are looked up."""
    auth = {"type": "bearer_token", "secret_ref": {"name": "provider-key", "key": "api_key"}}
    fields = {"authentication": auth} if PROVIDERS[name].key_argument else {}
    of = compile_model(parse(ModelDefinition, {"name": "m", "provider": name, "model_name": "x/y", **fields}))
    hosts = PROVIDERS[name].may_receive("")
    assert of.endpoints[0].hosts == hosts
    with Watch() as watch:
        for operation, body in BODIES.items():
            document = orjson.dumps({"model": "x/y", **body})
            made = replace(call(of), operation=operation, body=document)
            with suppress(VoyagerError):
                await caller.call(made)
            with suppress(VoyagerError):
                streamed = orjson.dumps({"model": "x/y", "stream": True, **body})
                async for _ in caller.stream(replace(made, body=streamed, stream=True)):
                    pass
    for host in watch.look_ups | {where[0] for where in watch.connections}:
        assert reaches(host, hosts), f"{name} turns to {host}"
