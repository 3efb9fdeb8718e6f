"""Every provider that a model may name: how it is called, at which address, and where its key may go.

The names are LiteLLM's. A provider without an address of its own here is one that runs wherever its owner
put it, or whose address holds an account: a definition says it (`endpoints.primary`). So no address is ever
left to LiteLLM, whose own guess for some forty providers is another company's. Used by `model.py` and
`definitions/compiler.py`; `tests/contract/test_providers.py` compares with the installed LiteLLM.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from types import MappingProxyType
from urllib.parse import urlsplit

from voyager_llm.domain.operation import Operation


class Lane(StrEnum):
    """How a provider is called; the answer is the same on each."""

    WIRE = "wire"  # the upstream speaks OpenAI: the body is forwarded
    ADAPTER = "adapter"  # LiteLLM's adapter translates, our client sends
    FULL = "full"  # litellm.acompletion


@dataclass(frozen=True, slots=True)
class Provider:
    """One provider. A host that begins with a dot stands for all names under it."""

    lane: Lane
    # Where its API is unless a model says otherwise; empty: a model must say it, or `hosts` does.
    address: str = ""
    # Of providers whose address LiteLLM makes out of a region: hosts that it may be.
    hosts: tuple[str, ...] = ()
    # Hosts besides the API's that take its key, to exchange it for a token.
    token_hosts: tuple[str, ...] = ()
    # What `parameters.extra` of a model may set of the call itself: names of regions and projects.
    settings: frozenset[str] = frozenset()
    # What LiteLLM calls the secret; empty: it takes none, since this machine's own identity is used.
    key_argument: str = "api_key"
    # Where below a host its API begins, for a definition that gives the host alone.
    path: str = ""
    # What it speaks besides what its lane stands for: anyone under its name, where the lane is not `WIRE`,
    # else at its own address alone.
    apis: tuple[Operation, ...] = ()

    @property
    def needs_endpoint(self) -> bool:
        """Whether a model of it must say where it is."""
        return not self.address and not self.hosts

    def may_receive(self, endpoint: str) -> tuple[str, ...]:
        """The hosts that a call to ``endpoint`` (empty: the provider's own address) may reach."""
        base = endpoint or self.address
        own = (urlsplit(base).hostname or "",) if base else self.hosts
        return (*own, *self.token_hosts)


def reaches(host: str, hosts: tuple[str, ...]) -> bool:
    """Whether ``host`` is one of ``hosts``, or under one that begins with a dot."""
    return any(host == known or (known.startswith(".") and host.endswith(known)) for known in hosts)


def _at(lane: Lane, addresses: Mapping[str, str]) -> dict[str, Provider]:
    return {name: Provider(lane, address, path=urlsplit(address).path) for name, address in addresses.items()}


def _wire(**addresses: str) -> dict[str, Provider]:
    return _at(Lane.WIRE, addresses)


def _adapter(**addresses: str) -> dict[str, Provider]:
    return _at(Lane.ADAPTER, addresses)


def _own_server(**paths: str) -> dict[str, Provider]:
    """Of servers that speak OpenAI's protocol wherever their owner runs them."""
    return {name: Provider(Lane.WIRE, path=path) for name, path in paths.items()}


_AWS = Provider(Lane.FULL, hosts=(".amazonaws.com",), settings=frozenset({"aws_region_name"}))
_SAGEMAKER = replace(_AWS, key_argument="")
_VERTEX = Provider(
    Lane.FULL,
    hosts=(".googleapis.com",),
    settings=frozenset({"vertex_project", "vertex_location"}),
    key_argument="vertex_credentials",
)
_COHERE = Provider(Lane.ADAPTER, "https://api.cohere.com/v2/chat", path="/v2/chat", apis=(Operation.RERANK,))
_AZURE = Provider(Lane.FULL, settings=frozenset({"api_version"}))
_WATSONX = Provider(
    Lane.FULL, token_hosts=("iam.cloud.ibm.com",), settings=frozenset({"project_id", "space_id"})
)

# What a user may write, and what LiteLLM calls it.
ALIASES: Mapping[str, str] = MappingProxyType({"claude": "anthropic", "google": "gemini"})

PROVIDERS: Mapping[str, Provider] = MappingProxyType(
    {
        # Those that speak OpenAI's protocol at an address of their own.
        **_wire(
            ai21_chat="https://api.ai21.com/studio/v1",
            aiml="https://api.aimlapi.com/v1",
            baseten="https://inference.baseten.co/v1",
            cerebras="https://api.cerebras.ai/v1",
            chutes="https://llm.chutes.ai/v1",
            dashscope="https://dashscope.aliyuncs.com/compatible-mode/v1",
            deepinfra="https://api.deepinfra.com/v1/openai",
            deepseek="https://api.deepseek.com/v1",
            featherless_ai="https://api.featherless.ai/v1",
            fireworks_ai="https://api.fireworks.ai/inference/v1",
            friendliai="https://api.friendli.ai/serverless/v1",
            github="https://models.inference.ai.azure.com",
            groq="https://api.groq.com/openai/v1",
            huggingface="https://router.huggingface.co/v1",
            hyperbolic="https://api.hyperbolic.xyz/v1",
            inception="https://api.inceptionlabs.ai/v1",
            jina_ai="https://api.jina.ai/v1",
            lambda_ai="https://api.lambda.ai/v1",
            meta_llama="https://api.llama.com/compat/v1",
            minimax="https://api.minimax.io/v1",
            modelscope="https://api-inference.modelscope.cn/v1",
            moonshot="https://api.moonshot.ai/v1",
            morph="https://api.morphllm.com/v1",
            nebius="https://api.studio.nebius.ai/v1",
            novita="https://api.novita.ai/v3/openai",
            nscale="https://inference.api.nscale.com/v1",
            nvidia_nim="https://integrate.api.nvidia.com/v1",
            openrouter="https://openrouter.ai/api/v1",
            ovhcloud="https://oai.endpoints.kepler.ai.cloud.ovh.net/v1",
            perplexity="https://api.perplexity.ai",
            poe="https://api.poe.com/v1",
            reka="https://api.reka.ai/v1",
            sambanova="https://api.sambanova.ai/v1",
            scaleway="https://api.scaleway.ai/v1",
            together_ai="https://api.together.xyz/v1",
            v0="https://api.v0.dev/v1",
            vercel_ai_gateway="https://ai-gateway.vercel.sh/v1",
            volcengine="https://ark.cn-beijing.volces.com/api/v3",
            wandb="https://api.inference.wandb.ai/v1",
            xai="https://api.x.ai/v1",
            zai="https://api.z.ai/api/paas/v4",
        ),
        # Those that speak OpenAI's protocol wherever their owner runs them.
        **_own_server(
            custom="/v1",
            custom_openai="/v1",
            docker_model_runner="/engines/v1",
            heroku="/v1",
            hosted_vllm="/v1",
            infinity="",
            lemonade="/api/v1",
            litellm_proxy="/v1",
            llamafile="/v1",
            lm_studio="/v1",
            openai_like="/v1",
            vllm="/v1",
            xinference="/v1",
        ),
        **_wire(ollama="http://127.0.0.1:11434/v1"),
        "openai": Provider(
            Lane.WIRE, "https://api.openai.com/v1", path="/v1", apis=(Operation.RESPONSES,)
        ),
        # Those with a protocol of their own.
        **_adapter(
            codestral="https://codestral.mistral.ai/v1",
            gemini="https://generativelanguage.googleapis.com/v1beta",
            ollama_chat="http://127.0.0.1:11434",
            voyage="https://api.voyageai.com/v1",
            cloudflare="",
            triton="",
        ),
        "cohere": _COHERE,
        "cohere_chat": _COHERE,
        "mistral": Provider(
            Lane.ADAPTER, "https://api.mistral.ai/v1", path="/v1",
            apis=(Operation.MODERATIONS, Operation.TRANSCRIPTIONS),
        ),
        "anthropic": Provider(
            Lane.ADAPTER, "https://api.anthropic.com/v1/messages", path="/v1/messages",
            apis=(Operation.MESSAGES, Operation.COUNT_TOKENS),
        ),
        # Those with a way of their own to say who calls, which only LiteLLM's whole client knows.
        "azure": _AZURE,
        "azure_ai": _AZURE,
        "azure_text": _AZURE,
        "bedrock": _AWS,
        "databricks": Provider(Lane.FULL),
        "replicate": Provider(Lane.FULL, "https://api.replicate.com/v1"),
        "sagemaker": _SAGEMAKER,
        "sagemaker_chat": _SAGEMAKER,
        "snowflake": Provider(Lane.FULL),
        "vertex_ai": _VERTEX,
        "vertex_ai_beta": _VERTEX,
        "watsonx": _WATSONX,
        "watsonx_text": _WATSONX,
    }
)  # fmt: skip

# All that a definition may say.
NAMES = tuple(sorted({*PROVIDERS, *ALIASES}))


def provider(name: str) -> Provider:
    """The provider of a name or alias. Raises `KeyError` for an unknown one."""
    return PROVIDERS[ALIASES.get(name, name)]
