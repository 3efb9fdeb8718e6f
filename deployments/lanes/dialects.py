"""Providers whose protocol has something that LiteLLM's common adapter interface has not.

What all providers have in common stands in `translation.py`. Used by `adapter.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from mimetypes import guess_type
from types import MappingProxyType
from typing import Any, cast
from urllib.parse import urlsplit

from litellm.anthropic_beta_headers_manager import update_request_with_filtered_beta
from litellm.llms.anthropic.chat.handler import ModelResponseIterator as AnthropicEvents
from litellm.llms.anthropic.chat.transformation import ANTHROPIC_TOOL_NAME_REVERSE_MAP_KEY
from litellm.llms.ollama.chat.transformation import OllamaChatCompletionResponseIterator as OllamaEvents
from litellm.llms.vertex_ai.gemini.transformation import transform_request_body as gemini_body
from litellm.llms.vertex_ai.gemini.vertex_and_google_ai_studio_gemini import (
    ModelResponseIterator as GeminiEvents,
)
from litellm.types.utils import LlmProviders
from litellm.utils import ProviderConfigManager

from deployments.lanes.cohere import FINISH, CohereEvents
from deployments.lanes.media import TEXT_ALONE, Media
from deployments.lanes.translation import Dialect, NoLog, Outgoing
from voyager_llm.errors import UpstreamMisconfigured

_PICTURES = frozenset({"image_url"})
_DOCUMENTS = frozenset({"image_url", "file", "document"})


class AnthropicDialect(Dialect):
    """Anthropic's features are asked for in headers; its names of tools have fewer letters than OpenAI's."""

    streams = True

    def __init__(self, config: Any) -> None:
        super().__init__(config, Media(_DOCUMENTS, fetched=_DOCUMENTS))

    def _translated(self, model: str, base: str, key: str, body: dict[str, Any], stream: bool) -> Outgoing:
        for file in _files(body["messages"]):
            if str(file.get("file_id") or "").startswith("http"):
                file.pop("format", None)  # LiteLLM would take the address for a name
        request = super()._translated(model, base, key, body, stream)
        if "anthropic-beta" in request.headers:
            update_request_with_filtered_beta(request.headers, request.body, "anthropic")
        return request

    def events(self, request: Outgoing) -> Any:
        names = request.notes.get(ANTHROPIC_TOOL_NAME_REVERSE_MAP_KEY)
        return AnthropicEvents(iter(()), True, request.json_mode, tool_name_reverse_map=names)

    def finish(self, document: dict[str, Any], index: int, read: str | None) -> str | None:
        ended = document.get("stop_reason") or (document.get("delta") or {}).get("stop_reason")
        return "length" if ended == "model_context_window_exceeded" else read


class OllamaDialect(Dialect):
    """Ollama's native protocol streams one JSON object a line."""

    json_lines = True
    streams = True

    def __init__(self, config: Any) -> None:
        super().__init__(config, Media(_PICTURES))

    def events(self, request: Outgoing) -> Any:
        return OllamaEvents(iter(()), True, request.json_mode)


class MistralDialect(Dialect):
    """Mistral speaks nearly OpenAI's protocol, in streams too."""

    streams = True

    def __init__(self, config: Any) -> None:
        super().__init__(config, Media(_PICTURES | {"file"}, fetched=_PICTURES))

    def events(self, request: Outgoing) -> Any:
        return self._config.get_model_response_iterator(iter(()), True, request.json_mode)


class CohereDialect(Dialect):
    """LiteLLM's adapter reads neither Cohere's streams nor why an answer ended."""

    streams = True

    def __init__(self, config: Any) -> None:
        super().__init__(config, Media(_PICTURES, fetched=_PICTURES))

    def events(self, request: Outgoing) -> Any:
        return CohereEvents()

    def finish(self, document: dict[str, Any], index: int, read: str | None) -> str | None:
        ended = document.get("finish_reason")
        return FINISH.get(ended, read) if isinstance(ended, str) else read


class GeminiDialect(Dialect):
    """Gemini's adapter builds its body and address elsewhere than the common interface says, fetches every
    picture itself, and its stream parser finishes every chunk."""

    streams = True

    def __init__(self, config: Any) -> None:
        super().__init__(
            config, Media(frozenset({"image_url", "input_audio", "file"}), frozenset({"image_url", "file"}))
        )

    def finish(self, document: dict[str, Any], index: int, read: str | None) -> str | None:
        if self.blocks(document):
            return read
        candidates = cast("list[dict[str, Any]]", document.get("candidates") or [])
        ended = any(one.get("finishReason") for one in candidates if one.get("index", 0) == index)
        return read if ended else None

    def blocks(self, document: dict[str, Any]) -> bool:
        feedback = document.get("promptFeedback") or {}
        return bool(feedback.get("blockReason")) and not document.get("candidates")

    def _translated(self, model: str, base: str, key: str, body: dict[str, Any], stream: bool) -> Outgoing:
        messages = body.pop("messages")
        for message in messages:
            if isinstance(message.get("content"), list):
                message["content"] = [_by_address(part) for part in message["content"]]
        tier = body.get("service_tier")
        parameters = self._parameters(model, body)
        if "service_tier" in parameters:
            parameters["service_tier"] = tier  # LiteLLM makes "priority" of "auto", at another price
        translated: dict[str, Any] = dict(
            gemini_body(
                messages=messages, model=model, optional_params=dict(parameters),
                custom_llm_provider="gemini", litellm_params={}, cached_content=None,
            )
        )  # fmt: skip
        _leave_kinds_open(translated)
        verb = "streamGenerateContent?alt=sse" if stream else "generateContent"
        # In a header, not in the URL: URLs end up in logs.
        headers = {"x-goog-api-key": key} if key else {}
        return Outgoing(f"{base}/models/{model}:{verb}", headers, translated, parameters)

    def events(self, request: Outgoing) -> Any:
        return GeminiEvents(iter(()), True, cast("Any", NoLog(request.parameters)))


# The kind of what nobody here knows the kind of: LiteLLM wants one, and Gemini looks itself.
_ANY_KIND = "*/*"


def _by_address(part: dict[str, Any]) -> dict[str, Any]:
    """A picture or file that Gemini fetches itself, as LiteLLM's adapter takes one without fetching it."""
    if part.get("type") == "image_url":
        given = part.get("image_url")
        given = given if isinstance(given, dict) else {"url": given}
        address, kind = str(given.get("url") or ""), given.get("format")
    elif part.get("type") == "file" and isinstance(part.get("file"), dict):
        address, kind = str(part["file"].get("file_id") or ""), part["file"].get("format")
    else:
        return part
    if not address.startswith("https://"):
        return part
    kind = kind or guess_type(urlsplit(address).path)[0] or _ANY_KIND
    return {"type": "file", "file": {"file_id": address, "format": kind}}


def _leave_kinds_open(body: dict[str, Any]) -> None:
    for content in body.get("contents") or ():
        for part in content.get("parts") or ():
            if (part.get("file_data") or {}).get("mime_type") == _ANY_KIND:
                del part["file_data"]["mime_type"]


def _files(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [
        part["file"]
        for message in messages
        if isinstance(message.get("content"), list)
        for part in message["content"]
        if isinstance(part.get("file"), dict)
    ]


_MEDIA = {"cloudflare": Media(_PICTURES)}
_DIALECTS: Mapping[str, Callable[[Any], Dialect]] = MappingProxyType(
    {
        "anthropic": AnthropicDialect,
        "codestral": MistralDialect,
        "cohere": CohereDialect,
        "cohere_chat": CohereDialect,
        "gemini": GeminiDialect,
        "mistral": MistralDialect,
        "ollama_chat": OllamaDialect,
    }
)


@lru_cache(maxsize=512)
def dialect(provider: str, model: str) -> Dialect:
    """The dialect of a provider. Raises `UpstreamMisconfigured` when LiteLLM does not know it."""
    try:
        config: Any = ProviderConfigManager.get_provider_chat_config(model, LlmProviders(provider))
    except ValueError:
        config = None
    if config is None:
        raise UpstreamMisconfigured(f"provider {provider} is not known", "provider")
    if made := _DIALECTS.get(provider):
        return made(config)
    return Dialect(config, _MEDIA.get(provider, TEXT_ALONE))
