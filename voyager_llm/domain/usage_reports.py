"""Reports of usage, as each wire format has them, into the one normal form of `usage.py`.

One small reader for each format. None raises, whatever JSON it is given: what is no count is none. Used by
`deployments/lanes/`, for what a provider sent and for what LiteLLM made of it; `docs/usage.md` says where the
formats differ.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, cast

from voyager_llm.domain.reported import NOTHING, Report, count, part, rows, text
from voyager_llm.domain.usage import MOST, Usage


@dataclass(frozen=True, slots=True)
class WireFormat:
    """``told`` is what an answer, or an event of a stream, tells of usage; ``read`` makes a usage of it."""

    told: Callable[[Report], Report]
    read: Callable[[Report], Usage]

    def usage(self, document: Report) -> Usage | None:
        """What an answer used; None where it does not say."""
        return self.usage_told(self.told(document))

    def usage_told(self, told: Report) -> Usage | None:
        """As `usage`, of what is told already. Nothing counted is no report: LiteLLM writes so for want of
        one."""
        if not told:
            return None
        usage = self.read(told)
        counts = (usage.total_tokens, usage.audio_seconds, usage.images, usage.search_units)
        return usage if any(counts) else None


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


# Tokens written to a cache that lives for an hour, as Anthropic and LiteLLM call them.
_HOUR = "ephemeral_1h_input_tokens"


# OpenAI: chat, text and embeddings, and whoever speaks like it.


def _openai_told(document: Report) -> Report:
    usage = document.get("usage")
    if not isinstance(usage, dict):
        return NOTHING
    tier = document.get("service_tier")
    return {**usage, "service_tier": tier} if tier else cast("Report", usage)


def _read_openai(usage: Report) -> Usage:
    if "input_tokens" in usage and "prompt_tokens" not in usage:
        return _read_responses(usage)
    wrote = part(usage, "completion_tokens_details")
    prompt, output = count(usage, "prompt_tokens"), count(usage, "completion_tokens")
    reasoning, total = count(wrote, "reasoning_tokens"), count(usage, "total_tokens")
    if reasoning and (total == prompt + output + reasoning or (reasoning > output and not total)):
        output += reasoning  # xAI's stands beside what was said; the total tells
    if not prompt and not output:
        prompt = total  # of embeddings, some report nothing else
    return _read_like_openai(usage, prompt, output, part(usage, "prompt_tokens_details"), wrote)


def _read_responses(usage: Report) -> Usage:
    return _read_like_openai(
        usage,
        count(usage, "input_tokens"),
        count(usage, "output_tokens"),
        part(usage, "input_tokens_details"),
        part(usage, "output_tokens_details"),
    )


def _read_like_openai(usage: Report, prompt: int, output: int, given: Report, wrote: Report) -> Usage:
    return Usage(
        input_tokens=prompt,
        output_tokens=output,
        # OpenAI, LiteLLM of Anthropic, DeepSeek, Mistral, Moonshot.
        cached_input_tokens=count(given, "cached_tokens")
        or count(usage, "cache_read_input_tokens")
        or count(usage, "prompt_cache_hit_tokens")
        or count(usage, "num_cached_tokens")
        or count(usage, "cached_tokens"),
        reasoning_tokens=count(wrote, "reasoning_tokens"),
        # OpenAI and OpenRouter, LiteLLM of Bedrock, LiteLLM of Anthropic.
        cache_write_tokens=count(given, "cache_write_tokens")
        or count(given, "cache_creation_tokens")
        or count(usage, "cache_creation_input_tokens"),
        cache_write_1h_tokens=count(part(given, "cache_creation_token_details"), _HOUR),
        audio_input_tokens=count(given, "audio_tokens"),
        cached_audio_tokens=count(part(given, "cached_tokens_details"), "audio_tokens"),
        image_input_tokens=count(given, "image_tokens"),
        video_input_tokens=count(given, "video_tokens"),
        audio_output_tokens=count(wrote, "audio_tokens"),
        image_output_tokens=count(wrote, "image_tokens"),
        audio_seconds=count(usage, "prompt_audio_seconds") or count(usage, "seconds"),
        web_searches=count(part(usage, "server_tool_use"), "web_search_requests")
        or count(given, "web_search_requests")
        or count(usage, "num_search_queries"),
        requests=1,
        service_tier=text(usage, "service_tier"),
    )


def _responses_told(document: Report) -> Report:
    # An event of a stream holds the answer.
    return _openai_told(document) or _openai_told(part(document, "response"))


# Anthropic: input_tokens are those that no cache had to do with.


def _anthropic_told(document: Report) -> Report:
    # The first event of a stream holds the message.
    return part(document, "usage") or part(part(document, "message"), "usage")


def _read_anthropic(usage: Report) -> Usage:
    # Where a conversation was compacted on the way, the sums are those of its steps.
    steps = rows(usage, "iterations") or [usage]
    cached = sum(count(step, "cache_read_input_tokens") for step in steps)
    hour = sum(count(part(step, "cache_creation"), _HOUR) for step in steps)
    five_minutes = sum(count(part(step, "cache_creation"), "ephemeral_5m_input_tokens") for step in steps)
    written = max(sum(count(step, "cache_creation_input_tokens") for step in steps), hour + five_minutes)
    return Usage(
        input_tokens=sum(count(step, "input_tokens") for step in steps) + cached + written,
        output_tokens=sum(count(step, "output_tokens") for step in steps),
        cached_input_tokens=cached,
        reasoning_tokens=count(part(usage, "output_tokens_details"), "thinking_tokens"),
        cache_write_tokens=written,
        cache_write_1h_tokens=hour,
        web_searches=count(part(usage, "server_tool_use"), "web_search_requests"),
        requests=1,
        service_tier=text(usage, "service_tier"),
    )


# Gemini: tokens of thoughts and of tools' results stand beside the others, modalities in lists.

_TRAFFIC = {"on_demand_priority": "priority", "on_demand_flex": "flex"}
_SEARCHES = "web_search_queries"


def _gemini_told(document: Report) -> Report:
    usage = part(document, "usageMetadata")
    queries = 0
    for candidate in rows(document, "candidates"):
        asked = part(candidate, "groundingMetadata").get("webSearchQueries")
        queries += len(cast("list[Any]", asked)) if isinstance(asked, list) else 0
    return {**usage, _SEARCHES: queries} if queries else usage


def _read_gemini(usage: Report) -> Usage:
    searches = count(usage, _SEARCHES)
    # What a search found is not billed as input.
    tools = 0 if searches else count(usage, "toolUsePromptTokenCount")
    prompt = count(usage, "promptTokenCount")
    output = count(usage, "candidatesTokenCount") or count(usage, "responseTokenCount")
    thoughts = count(usage, "thoughtsTokenCount")
    total = count(usage, "totalTokenCount")
    if not total or total != prompt + count(usage, "toolUsePromptTokenCount") + output:
        output += thoughts  # else they are inside already
    given = _modalities(usage, "promptTokensDetails")
    for modality, tokens in _modalities(usage, "toolUsePromptTokensDetails").items() if tools else ():
        given[modality] = given.get(modality, 0) + tokens
    wrote = _modalities(usage, "candidatesTokensDetails") or _modalities(usage, "responseTokensDetails")
    return Usage(
        input_tokens=prompt + tools,
        output_tokens=output,
        cached_input_tokens=count(usage, "cachedContentTokenCount"),
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
        service_tier=text(usage, "serviceTier") or _TRAFFIC.get(text(usage, "trafficType"), ""),
    )


def _modalities(usage: Report, key: str) -> dict[str, int]:
    tokens: dict[str, int] = {}
    for row in rows(usage, key):
        modality = text(row, "modality")
        tokens[modality] = tokens.get(modality, 0) + count(row, "tokenCount")
    return tokens


# Bedrock's Converse: as Anthropic, inputTokens are those that no cache had to do with.


def _converse_told(document: Report) -> Report:
    usage, tier = part(document, "usage"), text(part(document, "serviceTier"), "type")
    return {**usage, "service_tier": tier} if usage and tier else usage


def _read_converse(usage: Report) -> Usage:
    cached = count(usage, "cacheReadInputTokens") or count(usage, "cacheReadInputTokenCount")
    written = count(usage, "cacheWriteInputTokens") or count(usage, "cacheWriteInputTokenCount")
    hour = sum(count(row, "inputTokens") for row in rows(usage, "cacheDetails") if row.get("ttl") == "1h")
    return Usage(
        input_tokens=count(usage, "inputTokens") + cached + written,
        output_tokens=count(usage, "outputTokens"),
        cached_input_tokens=cached,
        cache_write_tokens=written,
        cache_write_1h_tokens=hour,
        requests=1,
        service_tier=text(usage, "service_tier"),
    )


# Cohere: tokens of its own prompt are counted and not billed.


def _cohere_told(document: Report) -> Report:
    # The last event of a stream holds it in its delta; an answer with embeddings in its meta.
    return part(document, "usage") or part(part(document, "delta"), "usage") or part(document, "meta")


def _read_cohere(usage: Report) -> Usage:
    billed = part(usage, "billed_units")
    counted = billed or part(usage, "tokens")
    images = count(counted, "image_tokens")
    return Usage(
        input_tokens=count(counted, "input_tokens") + images,
        output_tokens=count(counted, "output_tokens"),
        cached_input_tokens=0 if billed else count(usage, "cached_tokens"),
        image_input_tokens=images,
        requests=1,
    )


# Ollama: among the fields of the answer itself.


def _ollama_told(document: Report) -> Report:
    return document if "eval_count" in document or "prompt_eval_count" in document else NOTHING


def _read_ollama(usage: Report) -> Usage:
    return Usage(
        input_tokens=count(usage, "prompt_eval_count"),
        output_tokens=count(usage, "eval_count"),
        requests=1,
    )


# Pictures: counted, and most report tokens besides. What is not said to be text is the picture.


def _images_told(document: Report) -> Report:
    usage, kind = part(document, "usage"), document.get("type")
    made = len(rows(document, "data")) or (isinstance(kind, str) and kind.endswith(".completed"))
    return {**usage, "images": int(made)} if made or usage else NOTHING


def _read_images(usage: Report) -> Usage:
    read = _read_openai(usage)
    said = count(part(usage, "output_tokens_details"), "text_tokens")
    return replace(read, image_output_tokens=read.output_tokens - said, images=count(usage, "images"))


# Speech: all that is written is sound.


def _read_speech(usage: Report) -> Usage:
    read = _read_openai(usage)
    return replace(read, audio_output_tokens=read.output_tokens)


# Transcriptions: tokens or seconds. The longest form of an answer tells the sound's length in any case.


def _heard_told(document: Report) -> Report:
    usage, seconds = part(document, "usage"), document.get("duration")
    return usage or ({"seconds": seconds} if isinstance(seconds, (int, float)) else NOTHING)


def _read_heard(usage: Report) -> Usage:
    heard = part(usage, "input_token_details")
    seconds = usage.get("seconds")
    rounded = math.ceil(seconds) if isinstance(seconds, float) and 0 < seconds <= MOST else 0
    read = _read_openai(usage)
    return replace(
        read,
        audio_input_tokens=count(heard, "audio_tokens") or read.audio_input_tokens,
        audio_seconds=rounded or read.audio_seconds,
    )


# Rankings: Cohere and LiteLLM bill searches, Jina and vLLM report tokens.


def _ranked_told(document: Report) -> Report:
    meta = part(document, "meta")
    return part(meta, "billed_units") or part(document, "usage") or part(meta, "tokens")


def _read_ranked(usage: Report) -> Usage:
    tokens = count(usage, "input_tokens") or count(usage, "total_tokens")
    return Usage(input_tokens=tokens, search_units=count(usage, "search_units"), requests=1)


OPENAI = WireFormat(_openai_told, _read_openai)
IMAGES = WireFormat(_images_told, _read_images)
SPEECH = WireFormat(_openai_told, _read_speech)
HEARD = WireFormat(_heard_told, _read_heard)
RANKED = WireFormat(_ranked_told, _read_ranked)
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
