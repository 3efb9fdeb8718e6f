"""Every way to write a provider's address leads to the one that is called."""

from __future__ import annotations

from itertools import product
from urllib.parse import urlsplit

import pytest

from voyager_llm.definitions.compiler import compile_model
from voyager_llm.domain.definition import parse
from voyager_llm.domain.endpoint import Endpoint
from voyager_llm.domain.model import ModelDefinition
from voyager_llm.domain.providers import PROVIDERS, Lane


def endpoint(provider: str, primary: str = "") -> Endpoint:
    fields = {"name": "m", "provider": provider, "model_name": "x", "endpoints": {"primary": primary}}
    return compile_model(parse(ModelDefinition, fields)).endpoints[0]


OWN = sorted(name for name, of in PROVIDERS.items() if of.address and of.lane is not Lane.FULL)
SLASHES = ("", "/")


@pytest.mark.parametrize("name", OWN)
def test_every_form_of_a_providers_own_address_is_its_address(name: str) -> None:
    address = PROVIDERS[name].address
    parts = urlsplit(address)
    host = f"{parts.scheme}://{parts.netloc}"
    assert endpoint(name).base_url == address
    for form, slash in product((host, f"{host}/v1", address), SLASHES):
        assert endpoint(name, form + slash).base_url == address, form + slash


@pytest.mark.parametrize("name", [name for name in OWN if PROVIDERS[name].lane is Lane.WIRE])
def test_a_path_in_full_is_taken_as_it_stands(name: str) -> None:
    for operation in ("/chat/completions", "/completions", "/embeddings"):
        assert endpoint(name, f"http://proxy.test{operation}").base_url == "http://proxy.test"
        assert endpoint(name, f"http://proxy.test/a/b{operation}/").base_url == "http://proxy.test/a/b"


HOST = "http://host.test:8000"
ANTHROPIC, COHERE, GEMINI = f"{HOST}/v1/messages", f"{HOST}/v2/chat", f"{HOST}/v1beta"


@pytest.mark.parametrize(
    ("provider", "written", "expected"),
    [
        ("openai", "", f"{HOST}/v1"),
        ("openai", "/v1", f"{HOST}/v1"),
        ("openai", "/v1/responses", f"{HOST}/v1"),
        ("openai", "/prefix", f"{HOST}/prefix"),
        ("custom", "", f"{HOST}/v1"),
        ("hosted_vllm", "/v1", f"{HOST}/v1"),
        ("hosted_vllm", "/chat/completions", HOST),
        ("docker_model_runner", "", f"{HOST}/engines/v1"),
        ("infinity", "", HOST),
        ("groq", "", f"{HOST}/openai/v1"),
        ("perplexity", "", HOST),
        ("mistral", "", f"{HOST}/v1"),
        ("mistral", "/v1/chat/completions", f"{HOST}/v1"),
        ("anthropic", "", ANTHROPIC),
        ("anthropic", "/v1", ANTHROPIC),
        ("anthropic", "/v1/messages", ANTHROPIC),
        ("anthropic", "/claude", f"{HOST}/claude/v1/messages"),
        ("anthropic", "/claude/v1", f"{HOST}/claude/v1/messages"),
        ("claude", "/v1", ANTHROPIC),
        ("cohere", "", COHERE),
        ("cohere", "/v1", COHERE),
        ("cohere", "/v2", COHERE),
        ("cohere_chat", "/v2/chat", COHERE),
        ("gemini", "", GEMINI),
        ("gemini", "/v1", GEMINI),
        ("gemini", "/v1beta/models", GEMINI),
        ("gemini", "/v1beta/models/gemini-2.5-flash:generateContent", GEMINI),
        ("gemini", "/v1/models/gemini-2.5-flash:streamGenerateContent", f"{HOST}/v1"),
        ("google", "/prefix", f"{HOST}/prefix/v1beta"),
        ("ollama_chat", "", HOST),
        ("ollama_chat", "/v1", HOST),
        ("ollama_chat", "/api", HOST),
        ("ollama_chat", "/api/chat", HOST),
        ("ollama", "", f"{HOST}/v1"),
        ("ollama", "/v1", f"{HOST}/v1"),
        ("ollama", "/v1/chat/completions", f"{HOST}/v1"),
        ("triton", "/v2/models/m/generate", f"{HOST}/v2/models/m/generate"),
    ],
)
@pytest.mark.parametrize("slash", SLASHES)
def test_an_address_elsewhere(provider: str, written: str, slash: str, expected: str) -> None:
    assert endpoint(provider, HOST + written + slash).base_url == expected


@pytest.mark.parametrize("written", ["/api", "/api/chat", "/api/generate", "/prefix/api/chat/"])
def test_ollamas_own_protocol_is_spoken_where_the_address_is_its(written: str) -> None:
    of = endpoint("ollama", HOST + written)
    assert (of.provider, of.lane) == ("ollama_chat", Lane.ADAPTER)
    assert of.base_url == HOST + written.partition("/api")[0]


def test_an_address_that_litellm_makes_out_of_a_region_stays_empty() -> None:
    assert endpoint("bedrock").base_url == ""
    assert endpoint("replicate").base_url == ""
