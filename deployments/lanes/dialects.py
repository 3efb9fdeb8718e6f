"""What the adapter lane needs to know of a provider, through LiteLLM's own adapters.

LiteLLM's adapters share a base class, but Gemini's request and everybody's stream parsers are reached
differently. That stands here, so that `adapter.py` reads the same for all. LiteLLM is untyped: its
values are `Any` here and nowhere else.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import litellm.utils
from litellm.llms.anthropic.chat.handler import ModelResponseIterator as AnthropicEvents
from litellm.llms.ollama.chat.transformation import OllamaChatCompletionResponseIterator as OllamaEvents
from litellm.llms.vertex_ai.gemini.transformation import transform_request_body as gemini_body
from litellm.llms.vertex_ai.gemini.vertex_and_google_ai_studio_gemini import (
    ModelResponseIterator as GeminiEvents,
)
from litellm.types.utils import LlmProviders
from litellm.utils import ProviderConfigManager

from deployments.lanes.seclusion import secluded
from voyager_llm.domain.operation import Operation
from voyager_llm.domain.parameters import PARAMETERS, may_be_allowed
from voyager_llm.errors import UpstreamMisconfigured

# LiteLLM looks a model's entry up several times a request, and merges its tables of Azure models anew each
# time: a third of what a translation costs. The tables never change in this process, so its function is
# replaced by itself with a memory, as LiteLLM does for callers of its own.
_look_up = litellm.utils.get_model_info_helper
litellm.utils.get_model_info_helper = lru_cache(maxsize=4096)(_look_up)


class NoLog:
    """Stands where LiteLLM's adapters want its logging object: they report prompts and keys to it."""

    def __init__(self, parameters: dict[str, Any]) -> None:
        self.optional_params = parameters
        self.model_call_details: dict[str, Any] = {}
        self.litellm_params: dict[str, Any] = {}

    def post_call(self, *args: Any, **kwargs: Any) -> None:
        """Say nothing."""

    pre_call = post_call


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A request in the provider's own protocol."""

    url: str
    headers: dict[str, str]
    body: dict[str, Any]
    # OpenAI parameters after LiteLLM mapped them; its response parsers want them again.
    parameters: dict[str, Any]


class Dialect:
    """A provider that LiteLLM's common adapter interface covers."""

    # Of the events of a stream: server-sent events, or one JSON object a line.
    json_lines = False

    def __init__(self, config: Any, make_events: Callable[[NoLog], Any] | None) -> None:
        self._config = config
        self._make_events = make_events
        # LiteLLM looks the model up in its tables each time; the answer never changes.
        self._supported = lru_cache(maxsize=1)(self._look_up_supported)

    def _look_up_supported(self, model: str) -> frozenset[str]:
        return frozenset(self._config.get_supported_openai_params(model=model) or ())

    @property
    def streams(self) -> bool:
        return self._make_events is not None

    def outgoing(self, model: str, base: str, key: str, body: dict[str, Any], stream: bool) -> Outgoing:
        """Translate an OpenAI body. May raise any of LiteLLM's exceptions."""
        with secluded():
            return self._translated(model, base, key, body, stream)

    def _translated(self, model: str, base: str, key: str, body: dict[str, Any], stream: bool) -> Outgoing:
        messages = body.pop("messages")
        parameters = self._parameters(model, body)
        headers = self._config.validate_environment(
            headers={}, model=model, messages=messages, optional_params=parameters,
            litellm_params={}, api_key=key or "none", api_base=base or None,
        )  # fmt: skip
        url = self._config.get_complete_url(
            api_base=base or None, api_key=key or "none", model=model, optional_params=parameters,
            litellm_params={}, stream=stream,
        )  # fmt: skip
        if stream and self._config.supports_stream_param_in_request_body:
            parameters["stream"] = True
        translated = self._config.transform_request(
            model=model, messages=messages, optional_params=dict(parameters), litellm_params={},
            headers=headers,
        )  # fmt: skip
        return Outgoing(url, headers, translated, parameters)

    def events(self, parameters: dict[str, Any]) -> Any:
        """A parser whose ``chunk_parser`` turns one event into an OpenAI chunk."""
        assert self._make_events is not None
        return self._make_events(NoLog(parameters))

    def ends(self, event: dict[str, Any]) -> bool:
        """Whether an event may carry a finish reason."""
        return True

    def blocks(self, document: dict[str, Any]) -> bool:
        """Whether an answer or an event says, instead of anything else, that the prompt is blocked."""
        return False

    def transform_response(self, **arguments: Any) -> Any:
        with secluded():
            return self._config.transform_response(**arguments)

    def _parameters(self, model: str, body: dict[str, Any]) -> dict[str, Any]:
        """OpenAI's parameters as the provider's; those that it lacks are dropped, and the provider's own
        and what the model allows pass under their own names."""
        supported = self._supported(model)
        known = {k: v for k, v in body.items() if k in supported and k not in _SAID_OTHERWISE}
        mapped: dict[str, Any] = self._config.map_openai_params(
            non_default_params=known, optional_params={}, model=model, drop_params=True
        )
        own = {k: v for k, v in body.items() if k not in supported | _OPENAI and may_be_allowed(k)}
        return {**mapped, **own}


_SAID_OTHERWISE = frozenset({"model", "stream", "stream_options"})
# Parameters of OpenAI's that mean nothing elsewhere; sent along, other providers refuse the request.
_OPENAI = frozenset(name for name, parameter in PARAMETERS[Operation.CHAT].items() if parameter.is_standard)


class OllamaDialect(Dialect):
    """Ollama's native protocol streams one JSON object a line."""

    json_lines = True


class GeminiDialect(Dialect):
    """Gemini's adapter builds its body and address elsewhere than the common interface says, and its
    stream parser finishes every chunk."""

    def ends(self, event: dict[str, Any]) -> bool:
        candidates = event.get("candidates") or ()
        return self.blocks(event) or any(candidate.get("finishReason") for candidate in candidates)

    def blocks(self, document: dict[str, Any]) -> bool:
        feedback = document.get("promptFeedback") or {}
        return bool(feedback.get("blockReason")) and not document.get("candidates")

    def _translated(self, model: str, base: str, key: str, body: dict[str, Any], stream: bool) -> Outgoing:
        messages = body.pop("messages")
        parameters = self._parameters(model, body)
        translated = gemini_body(
            messages=messages, model=model, optional_params=dict(parameters),
            custom_llm_provider="gemini", litellm_params={}, cached_content=None,
        )  # fmt: skip
        verb = "streamGenerateContent?alt=sse" if stream else "generateContent"
        # In a header, not in the URL: URLs end up in logs.
        headers = {"x-goog-api-key": key} if key else {}
        url = f"{base}/models/{model}:{verb}"
        return Outgoing(url, headers, dict(translated), parameters)


@lru_cache(maxsize=512)
def dialect(provider: str, model: str) -> Dialect:
    """The dialect of a provider. Raises `UpstreamMisconfigured` when LiteLLM does not know it."""
    try:
        config = ProviderConfigManager.get_provider_chat_config(model, LlmProviders(provider))
    except ValueError:
        config = None
    if config is None:
        raise UpstreamMisconfigured(f"provider {provider} is not known", "provider")
    if provider == "gemini":
        return GeminiDialect(config, lambda log: GeminiEvents(iter(()), True, log))  # pyright: ignore[reportArgumentType]
    if provider == "anthropic":
        return Dialect(config, lambda log: AnthropicEvents(iter(()), True))
    if provider == "ollama_chat":
        return OllamaDialect(config, lambda log: OllamaEvents(iter(()), True))
    return Dialect(config, None)
