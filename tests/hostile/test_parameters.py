"""No argument that LiteLLM takes reaches it from a client, but the parameters of a request.

The names are read out of the installed LiteLLM, so a new version shows here what it added. Each is given
values that would betray a file, a variable or a key, or call another host, if anything obeyed them; every
connection, look-up and opened file of the process is watched.
"""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Collection, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any
from urllib.parse import urlsplit

import orjson
import pytest

from deployments.ingress.asgi import HttpRequest
from deployments.ingress.openai.decode import decode
from deployments.ingress.rpc.completions import decode as decode_rpc
from deployments.lanes.caller import ProviderCaller
from scripts.fake_provider.running import FakeProvider
from tests.hostile.litellm_names import names
from tests.hostile.watch import Watch
from tests.support.calls import call, model
from voyager_llm.domain.definition import parse
from voyager_llm.domain.model import ModelDefinition
from voyager_llm.domain.operation import Operation
from voyager_llm.domain.parameters import PARAMETERS, may_be_allowed
from voyager_llm.domain.providers import PROVIDERS
from voyager_llm.errors import InvalidArgument, VoyagerError
from voyager_llm.settings import Settings
from voyager_llm.snapshot import CompiledModel
from voyager_llm.v1 import completions_pb2 as pb

OTHER_HOST = "http://canary.example/steal"

REQUESTS: dict[Operation, dict[str, Any]] = {
    Operation.CHAT: {"messages": [{"role": "user", "content": "hi"}]},
    Operation.TEXT: {"prompt": "hi"},
    Operation.EMBEDDINGS: {"input": "hi"},
}

# Of what reaches LiteLLM; other APIs' bodies are forwarded as they are, or made into a chat's.
KNOWN = frozenset(name for operation in REQUESTS for name in PARAMETERS[operation])
ALLOWABLE = sorted(name for name in names() - KNOWN if may_be_allowed(name))

# Provider, model, and where below a profile's address its API starts.
MODELS: dict[str, tuple[str, str, str]] = {
    "wire": ("custom", "m", "/v1"),
    "anthropic": ("anthropic", "claude-haiku-4-5-20251001", "/v1/messages"),
    "gemini": ("gemini", "gemini-2.0-flash", "/v1beta"),
    "ollama": ("ollama", "llama3.1", "/api/chat"),
    "mistral": ("mistral", "mistral-small", "/v1"),
    "cohere": ("cohere", "command-r", "/v2/chat"),
    "azure": ("azure", "gpt-4o", ""),
    "azure_ai": ("azure_ai", "some-model", "/v1"),
    "bedrock": ("bedrock", "anthropic.claude-3-haiku-20240307-v1:0", ""),
    "bedrock_invoke": ("bedrock", "invoke/mistral.mistral-7b", ""),
    "bedrock_embeds": ("bedrock", "amazon.titan-embed-text-v2:0", ""),
    "databricks": ("databricks", "dbrx", "/v1"),
    "snowflake": ("snowflake", "arctic", "/v1"),
    "vertex": ("vertex_ai", "gemini-2.0-flash", ""),
    "watsonx": ("watsonx", "ibm/granite", ""),
    "replicate": ("replicate", "meta/llama", "/v1"),
}


@pytest.fixture
def bait(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file and a variable that nothing may read out."""
    path = tmp_path / "bait"
    path.write_text("canary-in-a-file")
    monkeypatch.setenv("CANARY_VARIABLE", "canary-in-the-environment")
    for name in ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "AZURE_API_KEY", "MISTRAL_API_KEY", "COHERE_API_KEY",
                 "DATABRICKS_API_KEY", "REPLICATE_API_KEY"):  # fmt: skip
        monkeypatch.setenv(name, "canary-in-the-environment")
    return path


def poisons(bait: Path) -> list[Any]:
    """Values that do harm wherever they are obeyed."""
    external = {
        "type": "external_account", "audience": "x", "token_url": OTHER_HOST,
        "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
        "credential_source": {"file": str(bait)},
    }  # fmt: skip
    return [
        OTHER_HOST,
        str(bait),
        external,
        orjson.dumps(external).decode(),
        "os.environ/CANARY_VARIABLE",
        "oidc/env/CANARY_VARIABLE",
        f"oidc/file/{bait}",
        [OTHER_HOST],
        True,
        7,
    ]


def http(body: Mapping[str, Any]) -> HttpRequest:
    return HttpRequest("POST", "/v1/chat/completions", "", {}, orjson.dumps(body))


def test_the_names_are_read_out_of_litellm() -> None:
    known = {"api_base", "base_url", "vertex_credentials", "aws_web_identity_token", "aws_sts_endpoint",
             "mock_response", "fallbacks", "num_retries", "extra_headers", "custom_llm_provider"}  # fmt: skip
    assert known <= names()
    assert len(names()) > 700


def test_what_litellm_reads_and_a_model_may_allow_is_known() -> None:
    """One that is new here is a request's parameter, or belongs into `voyager_llm/domain/reserved.py`."""
    known = (Path(__file__).parent / "allowable.txt").read_text().split()
    assert known == ALLOWABLE


@pytest.mark.parametrize("operation", REQUESTS)
def test_no_body_holds_what_litellm_takes(operation: Operation, bait: Path) -> None:
    table = PARAMETERS[operation]
    for name, value in itertools.product(sorted(names() - table.keys() - {"model"}), poisons(bait)):
        request = http({"model": "m", **REQUESTS[operation], name: value})
        if may_be_allowed(name):
            assert decode(request, operation).further == {name}, "only what a model allows goes on"
        else:
            with pytest.raises(InvalidArgument) as refused:
                decode(request, operation)
            assert refused.value.field in (name, "body")


def test_no_string_map_holds_what_litellm_takes(bait: Path) -> None:
    texts = [p if isinstance(p, str) else orjson.dumps(p).decode() for p in poisons(bait)]
    for name, value in itertools.product(sorted(names() - PARAMETERS[Operation.CHAT].keys()), texts):
        request = pb.GenerateCompletionRequest(model_name="m", prompt="hi", parameters={name: value})
        if may_be_allowed(name):
            assert decode_rpc(request, stream=False).further == {name}
        else:
            with pytest.raises(InvalidArgument, match=r"^parameters\."):
                decode_rpc(request, stream=False)


def test_no_definition_allows_or_sets_what_says_how_a_call_is_made(bait: Path) -> None:
    base = {
        "name": "m",
        "provider": "custom",
        "model_name": "m",
        "endpoints": {"primary": "http://127.0.0.1:1"},
    }
    dangerous = sorted(names() - KNOWN - set(ALLOWABLE))
    assert len(dangerous) > 400
    for name in dangerous:
        for parameters in ({"allow": [name]}, {"extra": {name: OTHER_HOST}}, {"extra": {name: True}}):
            with pytest.raises(InvalidArgument):
                parse(ModelDefinition, {**base, "parameters": parameters})
    for provider, setting in (("bedrock", "aws_region_name"), ("vertex_ai", "vertex_location"),
                              ("azure", "api_version"), ("watsonx", "project_id")):  # fmt: skip
        for value in ("evil.example/", "a.b", "x@y", "", "a/b", "a b", 5, "é", "a\n"):
            with pytest.raises(InvalidArgument):
                parse(
                    ModelDefinition, {**base, "provider": provider, "parameters": {"extra": {setting: value}}}
                )


@pytest.fixture
async def caller(tmp_path: Path, bait: Path) -> AsyncIterator[ProviderCaller]:
    secret = tmp_path / "secrets" / "provider-key" / "api_key"
    secret.parent.mkdir(parents=True)
    secret.write_text("canary-key")
    running = ProviderCaller(Settings(secrets_dir=tmp_path / "secrets"))
    yield running
    await running.close()


def at(provider: FakeProvider, name: str) -> CompiledModel:
    """A model of MODELS at a profile of its own."""
    kind, model_name, path = MODELS[name]
    base = provider.profile(f"param-{name}").removesuffix("/v1")
    auth = {"type": "bearer_token", "secret_ref": {"name": "provider-key", "key": "api_key"}}
    return model(name, kind, model_name, base + path, authentication=auth)


async def attempts(caller: ProviderCaller, of: CompiledModel, **body: Any) -> None:
    """A call for each operation and a stream; whether they succeed does not matter."""
    for operation, request in REQUESTS.items():
        document = {**request, "model": of.endpoints[0].model_name, **body}
        made = replace(call(of), operation=operation, body=orjson.dumps(document))
        with suppress(VoyagerError):
            await caller.call(made)
    with suppress(VoyagerError):
        async for _ in caller.stream(call(of, stream=True, **body)):
            pass


def batches(values: Collection[str], size: int, seed: int) -> Iterator[list[str]]:
    """In another company each time, since one argument may keep the others from being read."""
    mixed = Random(seed).sample(sorted(values), len(values))
    return (mixed[i : i + size] for i in range(0, len(mixed), size))


@pytest.mark.parametrize("name", MODELS)
async def test_nothing_in_a_body_leads_a_lane_astray(
    caller: ProviderCaller, provider: FakeProvider, bait: Path, name: str
) -> None:
    """Whatever LiteLLM reads, handed to the lane itself: what the codecs refuse, what a model may allow."""
    of = at(provider, name)
    port = urlsplit(of.endpoints[0].base_url).port
    await attempts(caller, of)  # LiteLLM reads files of its own the first time
    with Watch() as watch:
        for seed, poison in enumerate(poisons(bait)[:6]):
            for parameters in batches(ALLOWABLE, 32, seed):
                await attempts(caller, of, **dict.fromkeys(parameters, poison))
            for parameters in batches(names() - KNOWN - {"model"}, 128, seed):
                await attempts(caller, of, **dict.fromkeys(parameters, poison))
    assert {where for where in watch.connections if where[1] != port} == set()
    assert watch.look_ups <= {"127.0.0.1", *PROVIDERS[MODELS[name][0]].token_hosts}
    assert str(bait) not in watch.files
    seen = provider.seen(f"param-{name}")
    assert seen["requests"] > 50 or name in NOT_FAKED, "most calls reach the endpoint"
    assert "canary-in-" not in orjson.dumps(seen).decode()


# Lanes whose protocol the fake provider does not speak, or that first exchange their key elsewhere.
NOT_FAKED = frozenset({"vertex", "watsonx", "replicate"})


MEDIA: list[dict[str, Any]] = [
    {"type": "image_url", "image_url": {"url": OTHER_HOST}},
    {"type": "image_url", "image_url": OTHER_HOST},
    {"type": "image_url", "image_url": {"url": "HTTP://canary.example/x", "detail": "low"}},
    {"type": "image_url", "image_url": {"url": " http://canary.example/x"}},
    {"type": "image_url", "image_url": {"url": "//canary.example/x"}},
    {"type": "image_url", "image_url": {"url": "file:///etc/passwd"}},
    {"type": "image_url", "image_url": {"url": "gs://bucket/x"}},
    {"type": "image", "source": {"type": "url", "url": OTHER_HOST}},
    {"type": "document", "source": {"type": "url", "url": OTHER_HOST}},
    {"type": "file", "file": {"file_id": OTHER_HOST}},
    {"type": "file", "file": {"file_data": OTHER_HOST, "format": "application/pdf"}},
    {"type": "input_audio", "input_audio": {"data": OTHER_HOST, "format": "wav"}},
    {"type": "video_url", "video_url": {"url": OTHER_HOST}},
    {"type": "anything", "anything": [{"deeper": {"still": OTHER_HOST}}]},
    {"image_url": {"url": OTHER_HOST}},
]


@pytest.mark.parametrize("name", [name for name in MODELS if name != "wire"])
async def test_no_picture_is_fetched(caller: ProviderCaller, provider: FakeProvider, name: str) -> None:
    of = at(provider, name)
    with Watch() as watch:
        for part, role in itertools.product(MEDIA, ("user", "assistant", "tool", "system")):
            message = {"role": role, "content": [{"type": "text", "text": "see"}, part], "tool_call_id": "1"}
            with pytest.raises(InvalidArgument, match=r"messages\.0\.content"):
                await caller.call(call(of, messages=[message]))
    assert watch.look_ups == set()
    assert watch.connections == set()


PROVIDERS_TOOLS: list[dict[str, Any]] = [
    {"type": "url", "url": OTHER_HOST, "name": "x"}, {"type": "web_fetch_20250910", "name": "web_fetch"},
    {"type": "web_search_20250305", "name": "web_search"}, {"googleSearch": {"x": OTHER_HOST}},
    {"retrieval": {"vertexAiSearch": {"datastore": OTHER_HOST}}}, {"type": ["function"]},
    {"type": "Function"},
]  # fmt: skip


@pytest.mark.parametrize("name", ["anthropic", "gemini", "cohere", "azure", "snowflake"])
async def test_no_tool_of_the_providers_is_chosen_by_a_body(
    caller: ProviderCaller, provider: FakeProvider, name: str
) -> None:
    of = at(provider, name)
    for tool in PROVIDERS_TOOLS:
        with pytest.raises(InvalidArgument, match=r"tools\.0\.type"):
            await caller.call(call(of, tools=[tool]))


@pytest.mark.parametrize("name", ["azure", "bedrock", "databricks", "anthropic"])
async def test_no_tool_is_run_here(caller: ProviderCaller, provider: FakeProvider, name: str) -> None:
    of = at(provider, name)
    with Watch() as watch:
        for url in (OTHER_HOST, "litellm_proxy", "litellm_proxy/mcp/x"):
            tool = {"type": "mcp", "server_url": url, "server_label": "x", "require_approval": "never"}
            with pytest.raises(InvalidArgument, match=r"tools\.0\.type"):
                await caller.call(call(of, tools=[tool]))
    assert watch.look_ups == set()
