"""Reports of usage, as each wire format has them, into the one normal form of `usage.py`.

One small reader for each format. None raises, whatever JSON it is given: what is no count is none. Used by
`deployments/lanes/`, for what a provider sent and for what LiteLLM made of it; `docs/usage.md` says where the
formats differ.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast

from voyager_llm.domain.usage import MOST, Usage

Report = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class WireFormat:
    """``told`` is what an answer, or an event of a stream, tells of usage; ``read`` makes a usage of it."""

    told: Callable[[Report], Report]
    read: Callable[[Report], Usage]

    def usage(self, document: Report) -> Usage | None:
        """What an answer used; None where it does not say."""
        return self.usage_told(self.told(document))

    def usage_told(self, told: Report) -> Usage | None:
        """As `usage`, of what is told already. No tokens at all are no report: LiteLLM writes so for want of
        one."""
        if not told:
            return None
        usage = self.read(told)
        return usage if usage.total_tokens or usage.audio_seconds else None


class Reports:
    """Reports of one stream: what a later event says holds, and what it leaves out stays."""

    __slots__ = ("_format", "_told")

    def __init__(self, of: WireFormat) -> None:
        self._format = of
        self._told: Report = {}

    def take(self, event: Report) -> None:
        if told := self._format.told(event):
            self._told = {**self._told, **told} if self._told else told

    @property
    def usage(self) -> Usage | None:
        """So far."""
        return self._format.usage_told(self._told)


_NOTHING: Report = {}
# Tokens written to a cache that lives for an hour, as Anthropic and LiteLLM call them.
_HOUR = "ephemeral_1h_input_tokens"


def _part(report: Report, key: str) -> Report:
    found = report.get(key)
    return cast("Report", found) if isinstance(found, dict) else _NOTHING


def _count(report: Report, key: str) -> int:
    value = report.get(key)
    if type(value) is int:
        return max(0, value)
    return int(value) if isinstance(value, float) and 0 < value <= MOST else 0


def _text(report: Report, key: str) -> str:
    value = report.get(key)
    return value.lower() if isinstance(value, str) else ""


def _rows(report: Report, key: str) -> list[Report]:
    found = report.get(key)
    if not isinstance(found, list):
        return []
    return [cast("Report", row) for row in cast("list[Any]", found) if isinstance(row, dict)]


# OpenAI: chat, text and embeddings, and whoever speaks like it.


def _openai_told(document: Report) -> Report:
    usage = document.get("usage")
    if not isinstance(usage, dict):
        return _NOTHING
    tier = document.get("service_tier")
    return {**usage, "service_tier": tier} if tier else cast("Report", usage)


def _read_openai(usage: Report) -> Usage:
    if "input_tokens" in usage and "prompt_tokens" not in usage:
        return _read_responses(usage)
    wrote = _part(usage, "completion_tokens_details")
    prompt, output = _count(usage, "prompt_tokens"), _count(usage, "completion_tokens")
    reasoning, total = _count(wrote, "reasoning_tokens"), _count(usage, "total_tokens")
    if reasoning and (total == prompt + output + reasoning or (reasoning > output and not total)):
        output += reasoning  # xAI's stands beside what was said; the total tells
    if not prompt and not output:
        prompt = total  # of embeddings, some report nothing else
    return _read_like_openai(usage, prompt, output, _part(usage, "prompt_tokens_details"), wrote)


def _read_responses(usage: Report) -> Usage:
    return _read_like_openai(
        usage,
        _count(usage, "input_tokens"),
        _count(usage, "output_tokens"),
        _part(usage, "input_tokens_details"),
        _part(usage, "output_tokens_details"),
    )


def _read_like_openai(usage: Report, prompt: int, output: int, given: Report, wrote: Report) -> Usage:
    return Usage(
        input_tokens=prompt,
        output_tokens=output,
        # OpenAI, LiteLLM of Anthropic, DeepSeek, Mistral, Moonshot.
        cached_input_tokens=_count(given, "cached_tokens")
        or _count(usage, "cache_read_input_tokens")
        or _count(usage, "prompt_cache_hit_tokens")
        or _count(usage, "num_cached_tokens")
        or _count(usage, "cached_tokens"),
        reasoning_tokens=_count(wrote, "reasoning_tokens"),
        # OpenAI and OpenRouter, LiteLLM of Bedrock, LiteLLM of Anthropic.
        cache_write_tokens=_count(given, "cache_write_tokens")
        or _count(given, "cache_creation_tokens")
        or _count(usage, "cache_creation_input_tokens"),
        cache_write_1h_tokens=_count(_part(given, "cache_creation_token_details"), _HOUR),
        audio_input_tokens=_count(given, "audio_tokens"),
        cached_audio_tokens=_count(_part(given, "cached_tokens_details"), "audio_tokens"),
        image_input_tokens=_count(given, "image_tokens"),
        video_input_tokens=_count(given, "video_tokens"),
        audio_output_tokens=_count(wrote, "audio_tokens"),
        image_output_tokens=_count(wrote, "image_tokens"),
        audio_seconds=_count(usage, "prompt_audio_seconds") or _count(usage, "seconds"),
        web_searches=_count(_part(usage, "server_tool_use"), "web_search_requests")
        or _count(given, "web_search_requests")
        or _count(usage, "num_search_queries"),
        requests=1,
        service_tier=_text(usage, "service_tier"),
    )


def _responses_told(document: Report) -> Report:
    # An event of a stream holds the answer.
    return _openai_told(document) or _openai_told(_part(document, "response"))


# Anthropic: input_tokens are those that no cache had to do with.


def _anthropic_told(document: Report) -> Report:
    # The first event of a stream holds the message.
    return _part(document, "usage") or _part(_part(document, "message"), "usage")


def _read_anthropic(usage: Report) -> Usage:
    # Where a conversation was compacted on the way, the sums are those of its steps.
    steps = _rows(usage, "iterations") or [usage]
    cached = sum(_count(step, "cache_read_input_tokens") for step in steps)
    hour = sum(_count(_part(step, "cache_creation"), _HOUR) for step in steps)
    five_minutes = sum(_count(_part(step, "cache_creation"), "ephemeral_5m_input_tokens") for step in steps)
    written = max(sum(_count(step, "cache_creation_input_tokens") for step in steps), hour + five_minutes)
    return Usage(
        input_tokens=sum(_count(step, "input_tokens") for step in steps) + cached + written,
        output_tokens=sum(_count(step, "output_tokens") for step in steps),
        cached_input_tokens=cached,
        reasoning_tokens=_count(_part(usage, "output_tokens_details"), "thinking_tokens"),
        cache_write_tokens=written,
        cache_write_1h_tokens=hour,
        web_searches=_count(_part(usage, "server_tool_use"), "web_search_requests"),
        requests=1,
        service_tier=_text(usage, "service_tier"),
    )


# Gemini: tokens of thoughts and of tools' results stand beside the others, modalities in lists.

_TRAFFIC = {"on_demand_priority": "priority", "on_demand_flex": "flex"}
_SEARCHES = "web_search_queries"


def _gemini_told(document: Report) -> Report:
    usage = _part(document, "usageMetadata")
    queries = 0
    for candidate in _rows(document, "candidates"):
        asked = _part(candidate, "groundingMetadata").get("webSearchQueries")
        queries += len(cast("list[Any]", asked)) if isinstance(asked, list) else 0
    return {**usage, _SEARCHES: queries} if queries else usage


def _read_gemini(usage: Report) -> Usage:
    searches = _count(usage, _SEARCHES)
    # What a search found is not billed as input.
    tools = 0 if searches else _count(usage, "toolUsePromptTokenCount")
    prompt = _count(usage, "promptTokenCount")
    output = _count(usage, "candidatesTokenCount") or _count(usage, "responseTokenCount")
    thoughts = _count(usage, "thoughtsTokenCount")
    total = _count(usage, "totalTokenCount")
    if not total or total != prompt + _count(usage, "toolUsePromptTokenCount") + output:
        output += thoughts  # else they are inside already
    given = _modalities(usage, "promptTokensDetails")
    for modality, tokens in _modalities(usage, "toolUsePromptTokensDetails").items() if tools else ():
        given[modality] = given.get(modality, 0) + tokens
    wrote = _modalities(usage, "candidatesTokensDetails") or _modalities(usage, "responseTokensDetails")
    return Usage(
        input_tokens=prompt + tools,
        output_tokens=output,
        cached_input_tokens=_count(usage, "cachedContentTokenCount"),
        reasoning_tokens=thoughts,
        audio_input_tokens=given.get("audio", 0),
        cached_audio_tokens=_modalities(usage, "cacheTokensDetails").get("audio", 0),
        # Pages of a document are read as pictures.
        image_input_tokens=given.get("image", 0) + given.get("document", 0),
        video_input_tokens=given.get("video", 0),
        audio_output_tokens=wrote.get("audio", 0),
        image_output_tokens=wrote.get("image", 0),
        web_searches=searches,
        requests=1,
        service_tier=_text(usage, "serviceTier") or _TRAFFIC.get(_text(usage, "trafficType"), ""),
    )


def _modalities(usage: Report, key: str) -> dict[str, int]:
    tokens: dict[str, int] = {}
    for row in _rows(usage, key):
        modality = _text(row, "modality")
        tokens[modality] = tokens.get(modality, 0) + _count(row, "tokenCount")
    return tokens


# Bedrock's Converse: as Anthropic, inputTokens are those that no cache had to do with.


def _converse_told(document: Report) -> Report:
    usage, tier = _part(document, "usage"), _text(_part(document, "serviceTier"), "type")
    return {**usage, "service_tier": tier} if usage and tier else usage


def _read_converse(usage: Report) -> Usage:
    cached = _count(usage, "cacheReadInputTokens") or _count(usage, "cacheReadInputTokenCount")
    written = _count(usage, "cacheWriteInputTokens") or _count(usage, "cacheWriteInputTokenCount")
    hour = sum(_count(row, "inputTokens") for row in _rows(usage, "cacheDetails") if row.get("ttl") == "1h")
    return Usage(
        input_tokens=_count(usage, "inputTokens") + cached + written,
        output_tokens=_count(usage, "outputTokens"),
        cached_input_tokens=cached,
        cache_write_tokens=written,
        cache_write_1h_tokens=hour,
        requests=1,
        service_tier=_text(usage, "service_tier"),
    )


# Cohere: tokens of its own prompt are counted and not billed.


def _cohere_told(document: Report) -> Report:
    # The last event of a stream holds it in its delta; an answer with embeddings in its meta.
    return _part(document, "usage") or _part(_part(document, "delta"), "usage") or _part(document, "meta")


def _read_cohere(usage: Report) -> Usage:
    billed = _part(usage, "billed_units")
    counted = billed or _part(usage, "tokens")
    images = _count(counted, "image_tokens")
    return Usage(
        input_tokens=_count(counted, "input_tokens") + images,
        output_tokens=_count(counted, "output_tokens"),
        cached_input_tokens=0 if billed else _count(usage, "cached_tokens"),
        image_input_tokens=images,
        requests=1,
    )


# Ollama: among the fields of the answer itself.


def _ollama_told(document: Report) -> Report:
    return document if "eval_count" in document or "prompt_eval_count" in document else _NOTHING


def _read_ollama(usage: Report) -> Usage:
    return Usage(
        input_tokens=_count(usage, "prompt_eval_count"),
        output_tokens=_count(usage, "eval_count"),
        requests=1,
    )


OPENAI = WireFormat(_openai_told, _read_openai)
RESPONSES = WireFormat(_responses_told, _read_responses)
ANTHROPIC = WireFormat(_anthropic_told, _read_anthropic)
GEMINI = WireFormat(_gemini_told, _read_gemini)
CONVERSE = WireFormat(_converse_told, _read_converse)
COHERE = WireFormat(_cohere_told, _read_cohere)
OLLAMA = WireFormat(_ollama_told, _read_ollama)

# Of providers that do not speak like OpenAI where the adapter lane hears them.
_OF_PROVIDER: Mapping[str, WireFormat] = {
    "anthropic": ANTHROPIC,
    "gemini": GEMINI,
    "cohere": COHERE,
    "cohere_chat": COHERE,
    "ollama_chat": OLLAMA,
}


def format_of(provider: str) -> WireFormat:
    """What a provider reports in, where the adapter lane hears it."""
    return _OF_PROVIDER.get(provider, OPENAI)


def as_openai(usage: Usage) -> dict[str, Any]:
    """A usage as OpenAI's API reports one. `OPENAI` reads it back as it was."""
    return {
        "prompt_tokens": usage.input_tokens,
        "completion_tokens": usage.output_tokens,
        "total_tokens": usage.total_tokens,
        "prompt_tokens_details": {
            "cached_tokens": usage.cached_input_tokens,
            "cache_write_tokens": usage.cache_write_tokens,
            "audio_tokens": usage.audio_input_tokens,
        },
        "completion_tokens_details": {
            "reasoning_tokens": usage.reasoning_tokens,
            "audio_tokens": usage.audio_output_tokens,
        },
    }


# What Anthropic calls the tiers that an answer may have been served in.
_ANTHROPIC_TIERS = frozenset({"standard", "priority", "batch"})


def as_anthropic(usage: Usage) -> dict[str, Any]:
    """A usage as Anthropic's API reports one: ``input_tokens`` without those that a cache had to do with.
    `ANTHROPIC` reads it back as far as that API has a word for it."""
    cached, written = usage.cached_input_tokens, usage.cache_write_tokens
    report: dict[str, Any] = {
        "input_tokens": usage.input_tokens - cached - written,
        "cache_creation_input_tokens": written,
        "cache_read_input_tokens": cached,
        "cache_creation": {
            "ephemeral_5m_input_tokens": written - usage.cache_write_1h_tokens,
            _HOUR: usage.cache_write_1h_tokens,
        },
        "output_tokens": usage.output_tokens,
    }
    if usage.reasoning_tokens:
        report["output_tokens_details"] = {"thinking_tokens": usage.reasoning_tokens}
    if usage.web_searches:
        report["server_tool_use"] = {"web_search_requests": usage.web_searches, "web_fetch_requests": 0}
    if usage.service_tier in _ANTHROPIC_TIERS:
        report["service_tier"] = usage.service_tier
    return report
