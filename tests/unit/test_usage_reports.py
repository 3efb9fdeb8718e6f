"""Reports of usage become one normal form: whatever a provider sends, parts never exceed their whole."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from voyager_llm.domain.usage import MOST, Usage
from voyager_llm.domain.usage_reports import (
    ANTHROPIC,
    COHERE,
    CONVERSE,
    GEMINI,
    OLLAMA,
    OPENAI,
    RESPONSES,
    Reports,
    as_anthropic,
    as_openai,
)

FORMATS = {
    "openai": OPENAI, "responses": RESPONSES, "anthropic": ANTHROPIC, "gemini": GEMINI,
    "converse": CONVERSE, "cohere": COHERE, "ollama": OLLAMA,
}  # fmt: skip
# Names that some reader looks for: garbage under them is worse than garbage under others.
NAMES = (
    "usage", "usageMetadata", "message", "response", "delta", "meta", "service_tier", "serviceTier",
    "candidates", "groundingMetadata", "webSearchQueries", "prompt_tokens", "completion_tokens",
    "total_tokens", "prompt_tokens_details", "completion_tokens_details", "input_tokens", "output_tokens",
    "input_tokens_details", "output_tokens_details", "cached_tokens", "reasoning_tokens", "audio_tokens",
    "image_tokens", "cache_creation", "cache_creation_input_tokens", "cache_read_input_tokens",
    "cache_creation_token_details", "ephemeral_1h_input_tokens", "iterations", "server_tool_use",
    "web_search_requests", "promptTokenCount", "candidatesTokenCount", "thoughtsTokenCount",
    "promptTokensDetails", "cacheTokensDetails", "modality", "tokenCount", "totalTokenCount", "trafficType",
    "inputTokens", "outputTokens", "cacheReadInputTokens", "cacheWriteInputTokens", "cacheDetails", "ttl",
    "billed_units", "tokens", "prompt_eval_count", "eval_count",
)  # fmt: skip
scalars = (
    st.none() | st.booleans() | st.integers(-(2**64), 2**64) | st.floats() | st.text(max_size=5)
    | st.sampled_from(["1h", "AUDIO", "priority"])
)  # fmt: skip
documents = st.dictionaries(
    st.sampled_from(NAMES),
    st.recursive(
        scalars,
        lambda inner: (
            st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=8)
        ),
        max_leaves=40,
    ),
    max_size=8,
)


def is_tidy(usage: Usage) -> bool:
    fresh = usage.input_tokens - usage.cached_input_tokens - usage.cache_write_tokens
    text = usage.input_tokens - usage.audio_input_tokens - usage.image_input_tokens - usage.video_input_tokens
    said = (
        usage.output_tokens - usage.reasoning_tokens - usage.audio_output_tokens - usage.image_output_tokens
    )
    counts = [value for value in (getattr(usage, name) for name in Usage.__slots__) if type(value) is int]
    return (
        min(fresh, text, said, *counts) >= 0
        and max(counts) <= MOST
        and usage.cache_write_1h_tokens <= usage.cache_write_tokens
        and usage.cached_audio_tokens <= min(usage.cached_input_tokens, usage.audio_input_tokens)
    )


@given(st.builds(Usage, *[st.integers(-(2**40), 2**40) | st.integers(0, 20)] * 15))
@example(Usage(input_tokens=10, cached_input_tokens=50))
def test_parts_never_exceed_their_whole(usage: Usage) -> None:
    assert is_tidy(usage)


def test_an_untidy_report_is_cut_to_its_whole() -> None:
    usage = OPENAI.usage(
        {"usage": {"prompt_tokens": 10, "prompt_tokens_details": {"cached_tokens": 50}, "total_tokens": 10}}
    )
    assert usage == Usage(input_tokens=10, cached_input_tokens=10, requests=1)


@settings(deadline=None, max_examples=300)
@given(documents)
@example({"usage": {"prompt_tokens": math.nan, "completion_tokens": math.inf}})
@example({"usage": {"input_tokens": 5, "iterations": [{"input_tokens": True}, 7]}})
def test_no_report_is_refused(document: dict[str, Any]) -> None:
    for of in FORMATS.values():
        usage = of.usage(document)
        assert usage is None or is_tidy(usage)
        reports = Reports(of)
        reports.take(document)
        reports.take(document)
        assert reports.usage == usage


READ: list[tuple[str, str, dict[str, Any], Usage]] = [
    (
        "OpenAI's details",
        "openai",
        {
            "service_tier": "flex",
            "usage": {
                "prompt_tokens": 100, "completion_tokens": 50, "total_tokens": 150,
                "prompt_tokens_details": {"cached_tokens": 60, "audio_tokens": 5, "cache_write_tokens": 7},
                "completion_tokens_details": {"reasoning_tokens": 20, "audio_tokens": 3},
            },
        },
        Usage(
            100, 50, 60, 20, cache_write_tokens=7, audio_input_tokens=5, audio_output_tokens=3,
            service_tier="flex",
        ),
    ),
    (
        "xAI's reasoning beside what it says",
        "openai",
        {
            "usage": {
                "prompt_tokens": 32, "completion_tokens": 9, "total_tokens": 241,
                "completion_tokens_details": {"reasoning_tokens": 200},
            }
        },
        Usage(32, 209, 0, 200),
    ),
    (
        "reasoning beside, without a total",
        "openai",
        {
            "usage": {
                "prompt_tokens": 32, "completion_tokens": 9,
                "completion_tokens_details": {"reasoning_tokens": 200},
            }
        },
        Usage(32, 209, 0, 200),
    ),
    (
        "DeepSeek's hits",
        "openai",
        {"usage": {"prompt_tokens": 30, "completion_tokens": 4, "prompt_cache_hit_tokens": 20}},
        Usage(30, 4, 20),
    ),
    (
        "Mistral's cached tokens and seconds",
        "openai",
        {
            "usage": {
                "prompt_tokens": 70, "completion_tokens": 12, "num_cached_tokens": 69,
                "prompt_audio_seconds": 3,
            }
        },
        Usage(70, 12, 69, audio_seconds=3),
    ),
    ("embeddings with a total alone", "openai", {"usage": {"total_tokens": 8}}, Usage(8, 0)),
    (
        "what LiteLLM makes of Anthropic's",
        "openai",
        {
            "usage": {
                "prompt_tokens": 65_010, "completion_tokens": 100, "total_tokens": 65_110,
                "cache_creation_input_tokens": 5000, "cache_read_input_tokens": 60_000,
                "prompt_tokens_details": {
                    "cached_tokens": 60_000, "cache_creation_tokens": 5000,
                    "cache_creation_token_details": {"ephemeral_1h_input_tokens": 5000},
                },
                "server_tool_use": {"web_search_requests": 2},
            }
        },
        Usage(65_010, 100, 60_000, 0, 5000, 5000, web_searches=2),
    ),
    (
        "the Responses API",
        "responses",
        {
            "usage": {
                "input_tokens": 37, "input_tokens_details": {"cached_tokens": 8},
                "output_tokens": 272, "output_tokens_details": {"reasoning_tokens": 256},
            }
        },
        Usage(37, 272, 8, 256),
    ),
    (
        "an event of the Responses API",
        "responses",
        {
            "type": "response.completed",
            "response": {"usage": {"input_tokens": 3, "output_tokens": 4}},
        },
        Usage(3, 4),
    ),
    (
        "Anthropic's input beside its caches",
        "anthropic",
        {
            "usage": {
                "input_tokens": 10, "output_tokens": 100, "cache_read_input_tokens": 60_000,
                "cache_creation_input_tokens": 5000,
                "cache_creation": {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 5000},
                "service_tier": "priority", "server_tool_use": {"web_search_requests": 1},
                "output_tokens_details": {"thinking_tokens": 40},
            }
        },
        Usage(65_010, 100, 60_000, 40, 5000, 5000, web_searches=1, service_tier="priority"),
    ),
    (
        "Anthropic's steps of a compacted conversation",
        "anthropic",
        {
            "usage": {
                "input_tokens": 23, "output_tokens": 10,
                "iterations": [
                    {"input_tokens": 180, "output_tokens": 3, "cache_read_input_tokens": 7},
                    {"input_tokens": 23, "output_tokens": 10},
                ],
            }
        },
        Usage(210, 13, 7),
    ),
    (
        "Gemini's thoughts, tools and modalities",
        "gemini",
        {
            "usageMetadata": {
                "promptTokenCount": 209, "candidatesTokenCount": 206, "thoughtsTokenCount": 131,
                "toolUsePromptTokenCount": 286, "totalTokenCount": 832, "cachedContentTokenCount": 100,
                "promptTokensDetails": [
                    {"modality": "AUDIO", "tokenCount": 30}, {"modality": "IMAGE", "tokenCount": 20},
                    {"modality": "VIDEO", "tokenCount": 10}, {"modality": "DOCUMENT", "tokenCount": 5},
                ],
                "cacheTokensDetails": [{"modality": "AUDIO", "tokenCount": 15}],
                "candidatesTokensDetails": [{"modality": "IMAGE", "tokenCount": 6}],
                "trafficType": "ON_DEMAND_PRIORITY",
            }
        },
        Usage(
            495, 337, 100, 131, audio_input_tokens=30, cached_audio_tokens=15, image_input_tokens=25,
            video_input_tokens=10, image_output_tokens=6, service_tier="priority",
        ),
    ),
    (
        "Gemini's thoughts among its candidates, as the total says",
        "gemini",
        {
            "usageMetadata": {
                "promptTokenCount": 10, "candidatesTokenCount": 50, "thoughtsTokenCount": 30,
                "totalTokenCount": 60,
            }
        },
        Usage(10, 50, 0, 30),
    ),
    (
        "Gemini's searches, whose findings cost nothing",
        "gemini",
        {
            "usageMetadata": {
                "promptTokenCount": 10, "candidatesTokenCount": 5, "toolUsePromptTokenCount": 90,
            },
            "candidates": [{"groundingMetadata": {"webSearchQueries": ["a", "b"]}}],
        },
        Usage(10, 5, web_searches=2),
    ),
    (
        "Bedrock's Converse",
        "converse",
        {
            "serviceTier": {"type": "flex"},
            "usage": {
                "inputTokens": 3, "outputTokens": 288, "totalTokens": 2365, "cacheReadInputTokens": 40,
                "cacheWriteInputTokens": 2074,
                "cacheDetails": [
                    {"inputTokens": 2000, "ttl": "1h"}, {"inputTokens": 74, "ttl": "5m"},
                ],
            },
        },
        Usage(2117, 288, 40, 0, 2074, 2000, service_tier="flex"),
    ),
    (
        "what Cohere bills",
        "cohere",
        {
            "usage": {
                "billed_units": {"input_tokens": 41, "output_tokens": 28},
                "tokens": {"input_tokens": 1442, "output_tokens": 29}, "cached_tokens": 1040,
            }
        },
        Usage(41, 28),
    ),
    (
        "what Cohere counts, where it does not say what it bills",
        "cohere",
        {"usage": {"tokens": {"input_tokens": 1442, "output_tokens": 29}, "cached_tokens": 1040}},
        Usage(1442, 29, 1040),
    ),
    ("Ollama's counts", "ollama", {"prompt_eval_count": 12, "eval_count": 5}, Usage(12, 5)),
]  # fmt: skip


@pytest.mark.parametrize(("what", "name", "document", "expected"), READ, ids=[row[0] for row in READ])
def test_each_format_is_read(what: str, name: str, document: dict[str, Any], expected: Usage) -> None:
    usage = FORMATS[name].usage(document)
    assert usage is not None
    assert usage.requests == 1
    names = [field for field in Usage.__slots__ if field != "requests"]
    assert {n: getattr(usage, n) for n in names} == {n: getattr(expected, n) for n in names}, what


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize(
    "document",
    [
        {},
        {"usage": None, "usageMetadata": None},
        {"usage": {}, "usageMetadata": {}},
        {"usage": [], "usageMetadata": "none"},
        {"usage": {"prompt_tokens": 0, "completion_tokens": 0, "input_tokens": 0, "inputTokens": 0}},
    ],
)
def test_no_tokens_at_all_are_no_report(name: str, document: dict[str, Any]) -> None:
    assert FORMATS[name].usage(document) is None


def test_a_later_event_of_a_stream_leaves_what_it_does_not_say() -> None:
    reports = Reports(ANTHROPIC)
    start = {"input_tokens": 10, "cache_read_input_tokens": 5, "output_tokens": 1}
    reports.take({"type": "message_start", "message": {"usage": start}})
    reports.take({"type": "content_block_delta"})
    # Without its caches: what the first event said of them holds.
    reports.take({"type": "message_delta", "usage": {"input_tokens": 10, "output_tokens": 50}})
    assert reports.usage == Usage(15, 50, 5, requests=1)


@given(st.builds(Usage, *[st.integers(0, 10_000)] * 5))
def test_openai_reads_back_what_is_reported_to_clients(usage: Usage) -> None:
    shown = {"usage": as_openai(usage)}
    again = OPENAI.usage(shown)
    if not usage.total_tokens:
        assert again is None
        return
    assert again is not None
    assert shown == {"usage": as_openai(again)}


@given(st.builds(Usage, *[st.integers(0, 10_000)] * 6, requests=st.just(1)))
def test_anthropic_reads_back_what_is_reported_to_its_clients(usage: Usage) -> None:
    again = ANTHROPIC.usage({"usage": as_anthropic(usage)})
    if usage.total_tokens:
        assert again == usage
    else:
        assert again is None
