"""What answers cost: exact, never negative, every token once as the kind that it is."""

from __future__ import annotations

from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voyager_llm.definitions.compiler import compile_model
from voyager_llm.definitions.price_list import completed, listed_price
from voyager_llm.domain.model import ModelDefinition
from voyager_llm.domain.price import Bracket, Price, Rates, Tariff, cost_of
from voyager_llm.domain.usage import Usage
from voyager_llm.domain.usage_reports import ANTHROPIC, OPENAI

NAMES = [field.name for field in fields(Rates)]
money = st.integers(0, 10**6).map(lambda number: Decimal(number).scaleb(-9))
rates = st.builds(Rates, *[money] * len(NAMES))
counts = st.integers(0, 10**6) | st.integers(0, 10)
usages = st.builds(Usage, *[counts] * 18)
prices = st.builds(Price, st.builds(Tariff, rates))


def price_of(provider: str, model_name: str, **cost: Any) -> Price:
    """The price of a model as its definition compiles."""
    given: dict[str, Any] = {"name": "m", "provider": provider, "model_name": model_name}
    if cost:
        given["cost"] = cost
    return compile_model(ModelDefinition.model_validate(given)).price


def rate(price: Price, kind: str) -> Decimal:
    return getattr(price.standard.rates, kind)


def by_kind(usage: Usage) -> dict[str, int]:
    """How many tokens of each kind a usage has, each token once."""
    fresh = usage.input_tokens - usage.cached_input_tokens - usage.cache_write_tokens
    audio = min(usage.audio_input_tokens - usage.cached_audio_tokens, fresh)
    image = min(usage.image_input_tokens, fresh - audio)
    video = min(usage.video_input_tokens, fresh - audio - image)
    apart = usage.reasoning_tokens + usage.audio_output_tokens + usage.image_output_tokens
    return {
        "input": fresh - audio - image - video,
        "audio_input": audio,
        "image_input": image,
        "video_input": video,
        "cached_input": usage.cached_input_tokens - usage.cached_audio_tokens,
        "cached_audio": usage.cached_audio_tokens,
        "cache_write": usage.cache_write_tokens - usage.cache_write_1h_tokens,
        "cache_write_1h": usage.cache_write_1h_tokens,
        "output": usage.output_tokens - apart,
        "reasoning": usage.reasoning_tokens,
        "audio_output": usage.audio_output_tokens,
        "image_output": usage.image_output_tokens,
    }


@given(usages, prices)
def test_the_cost_is_the_sum_of_its_parts(usage: Usage, price: Price) -> None:
    kinds = by_kind(usage)
    assert sum(kinds.values()) == usage.total_tokens
    parts = sum((count * rate(price, kind) for kind, count in kinds.items()), Decimal(0))
    beside = (
        usage.audio_seconds * rate(price, "audio_second")
        + usage.web_searches * rate(price, "web_search")
        + bool(usage.web_searches) * rate(price, "searching")
        + usage.images * rate(price, "image")
        + usage.characters * rate(price, "character")
        + usage.search_units * rate(price, "search_unit")
        + usage.requests * rate(price, "request")
    )
    assert cost_of(usage, price) == parts + beside


@given(st.builds(Usage, *[st.integers(-(2**40), 2**40)] * 18), prices)
def test_the_cost_is_never_negative(usage: Usage, price: Price) -> None:
    assert cost_of(usage, price) >= 0


@given(
    usages,
    prices,
    st.sampled_from(["input_tokens", "output_tokens", "audio_seconds", "web_searches", "requests"]),
    st.integers(1, 1000),
)
def test_more_never_costs_less(usage: Usage, price: Price, whole: str, more: int) -> None:
    larger = replace(usage, **{whole: getattr(usage, whole) + more})
    assert cost_of(larger, price) >= cost_of(usage, price)


def test_cached_beyond_the_prompt_costs_no_less_than_nothing() -> None:
    usage = OPENAI.usage(
        {
            "usage": {
                "prompt_tokens": 10,
                "completion_tokens": 1,
                "prompt_tokens_details": {"cached_tokens": 50},
            }
        }
    )
    assert usage is not None
    assert cost_of(usage, price_of("openai", "gpt-4o")) == Decimal("0.0000225")


# Of LiteLLM's table.
KNOWN: list[tuple[str, str, Usage, str]] = [
    ("claude", "claude-sonnet-4-5", Usage(12_307, 550, cache_write_tokens=12_304), "0.054399"),
    (
        "anthropic",
        "claude-sonnet-4-5",
        Usage(65_010, 100, 60_000, cache_write_tokens=5000, cache_write_1h_tokens=5000),
        "0.04953",
    ),
    ("google", "gemini-2.5-pro", Usage(250_000, 1000), "0.64"),
    ("gemini", "gemini-2.5-pro", Usage(250_000, 1000), "0.64"),
    ("vertex_ai", "gemini-2.5-pro", Usage(250_000, 1000), "0.64"),
    # Exactly at the threshold is below it.
    ("gemini", "gemini-2.5-pro", Usage(200_000, 1000), "0.26"),
    ("gemini", "gemini-2.5-pro", Usage(200_001, 0), "0.5000025"),
    # Flex has no price of long prompts in the table: half, as for short ones.
    ("gemini", "gemini-2.5-pro", Usage(250_000, 1000, service_tier="flex"), "0.32"),
    ("gemini", "gemini-2.5-pro", Usage(250_000, 1000, service_tier="priority"), "1.152"),
    ("gemini", "gemini-2.5-flash", Usage(1000, 10, audio_input_tokens=400), "0.000605"),
    ("gemini", "gemini-2.5-flash", Usage(10, 5, web_searches=3), "0.0350155"),
    ("openai", "gpt-5", Usage(1000, 100, 400), "0.0018"),
    ("openai", "gpt-5", Usage(1000, 100, 400, service_tier="default"), "0.0018"),
    ("openai", "gpt-5", Usage(1000, 100, 400, service_tier="flex"), "0.0009"),
    ("openai", "gpt-5", Usage(1000, 100, 400, service_tier="priority"), "0.0036"),
    ("anthropic", "claude-sonnet-4-5", Usage(1000, 100, service_tier="batch"), "0.00225"),
    ("anthropic", "claude-sonnet-4-5", Usage(0, 100, web_searches=2), "0.0215"),
    ("perplexity", "pplx-70b-online", Usage(0, 100, requests=1), "0.00528"),
    ("dashscope", "qwen-flash", Usage(256_000, 0), "0.0128"),
    ("dashscope", "qwen-flash", Usage(256_001, 0), "0.06400025"),
]


@pytest.mark.parametrize(("provider", "model_name", "usage", "expected"), KNOWN)
def test_known_prices(provider: str, model_name: str, usage: Usage, expected: str) -> None:
    assert cost_of(usage, price_of(provider, model_name)) == Decimal(expected)


def test_a_definitions_own_price() -> None:
    own = price_of("openai", "gpt-4o", input_token_cost=0.00003, output_token_cost=0.00006)
    assert cost_of(Usage(12, 95), own) == Decimal("0.00606")
    reasoning = {"completion_tokens_details": {"reasoning_tokens": 200}}
    usage = OPENAI.usage(
        {"usage": {"prompt_tokens": 32, "completion_tokens": 9, "total_tokens": 241, **reasoning}}
    )
    assert usage is not None
    own = price_of("xai", "grok-4", input_token_cost=3e-06, output_token_cost=15e-06)
    assert cost_of(usage, own) == Decimal("0.003231")


def test_what_a_price_leaves_out_is_known_from_the_provider_in_proportion() -> None:
    usage = ANTHROPIC.usage(
        {"usage": {"input_tokens": 3, "cache_creation_input_tokens": 12_304, "output_tokens": 550}}
    )
    assert usage is not None
    same = price_of("claude", "claude-sonnet-4-5", input_token_cost=3e-06, output_token_cost=15e-06)
    assert cost_of(usage, same) == Decimal("0.054399")
    half = price_of("claude", "claude-sonnet-4-5", input_token_cost=1.5e-06, output_token_cost=7.5e-06)
    assert cost_of(usage, half) == Decimal("0.0271995")
    said = price_of(
        "claude",
        "claude-sonnet-4-5",
        input_token_cost=3e-06,
        output_token_cost=15e-06,
        cache_write_input_token_cost=5e-06,
    )
    assert cost_of(usage, said) == Decimal("0.069779")


def test_where_nothing_is_known_every_token_costs_what_its_direction_does() -> None:
    own = price_of(
        "openai", "a-model-of-ours", input_token_cost="0.001", output_token_cost="0.002", currency="EUR"
    )
    usage = Usage(100, 50, 40, 20, 30, 10, audio_input_tokens=20, web_searches=2)
    assert cost_of(usage, own) == Decimal("0.2")
    assert own.currency == "EUR"


def test_a_definitions_own_price_holds_for_prompts_of_any_length_and_every_service_tier() -> None:
    own = price_of("gemini", "gemini-2.5-pro", input_token_cost=1e-06, output_token_cost=1e-05)
    assert cost_of(Usage(1_000_000, 0, service_tier="priority"), own) == 1


def test_a_model_that_nobody_knows_costs_nothing() -> None:
    of = {"name": "m", "provider": "openai", "model_name": "nobody-knows-it"}
    model = compile_model(ModelDefinition.model_validate(of))
    assert not model.has_price
    assert cost_of(Usage(10, 10), model.price) == 0


@pytest.mark.parametrize(
    ("alias", "name", "model_name"),
    [
        ("google", "gemini", "gemini-2.5-pro"),
        ("claude", "anthropic", "claude-sonnet-4-5"),
        ("cohere", "cohere_chat", "command-a-03-2025"),
    ],
)
def test_a_provider_costs_the_same_under_each_of_its_names(alias: str, name: str, model_name: str) -> None:
    assert listed_price(alias, model_name) is not None
    assert listed_price(alias, model_name) == listed_price(name, model_name)


def test_another_providers_model_of_the_same_name_is_another_model() -> None:
    assert listed_price("openai", "claude-sonnet-4-5") is None


@pytest.mark.parametrize(
    ("later", "expected"), [(-1, "0.03"), (0, "0.02"), (3599, "0.02"), (3600, "0.01"), (10**6, "0.01")]
)
def test_the_price_in_force_at_the_moment_counts(later: int, expected: str) -> None:
    first = datetime(2026, 12, 1, tzinfo=UTC)
    second = first + timedelta(hours=1)
    own = price_of(
        "openai",
        "gpt-4o",
        input_token_cost=0.03,
        changes=[
            {"valid_from": "2026-12-01T01:00:00Z", "input_token_cost": 0.01},
            {"valid_from": "2026-12-01T01:00:00+01:00", "input_token_cost": 0.02},
        ],
    )
    assert [change.valid_from for change in own.changes] == [second, first]
    assert cost_of(Usage(1, 0), own.at(first + timedelta(seconds=later))) == Decimal(expected)


@given(rates, st.dictionaries(st.sampled_from(["input", "output", "cached_input", "reasoning"]), money))
def test_what_is_given_stays_and_no_rate_is_negative(like: Rates, given: dict[str, Decimal]) -> None:
    for known in (None, like):
        whole = completed(given, known)
        assert all(getattr(whole, kind) == price for kind, price in given.items())
        assert min(getattr(whole, name) for name in NAMES) >= 0
    assert completed({}, like) == like


def test_the_longest_bracket_that_a_request_exceeds_counts() -> None:
    free, dear, dearer = (completed({"input": Decimal(n)}) for n in (0, 1, 2))
    tariff = Tariff(free, (Bracket(200, dearer), Bracket(100, dear)))
    assert [tariff.of(tokens).input for tokens in (0, 100, 101, 200, 201)] == [0, 0, 1, 1, 2]


@pytest.mark.parametrize(
    ("provider", "model_name", "usage", "cost"),
    [
        ("openai", "whisper-1", Usage(audio_seconds=60, requests=1), "0.006"),
        ("openai", "tts-1", Usage(input_tokens=3, characters=1000, requests=1), "0.015"),
        ("cohere", "rerank-v3.5", Usage(search_units=2, requests=1), "0.004"),
        # Seconds and tokens are two prices of the same thing.
        ("openai", "gpt-4o-transcribe", Usage(100, 0, audio_seconds=10), "0.00025"),
        ("openai", "gpt-image-1", Usage(0, 100, image_output_tokens=100, images=1), "0.004"),
    ],
)
def test_what_is_no_text_costs_what_the_list_says(
    provider: str, model_name: str, usage: Usage, cost: str
) -> None:
    assert cost_of(usage, price_of(provider, model_name)) == Decimal(cost)


def test_a_batch_costs_half_unless_its_price_is_known() -> None:
    usage = Usage(1000, 100, service_tier="batch")
    own = price_of("openai", "mine", input_token_cost=0.001, output_token_cost=0.002)
    assert cost_of(usage, own) == Decimal("0.6")
    known = price_of("openai", "gpt-image-1")
    assert "batch" in known.services
    assert cost_of(Usage(1000, service_tier="batch"), known) == 1000 * known.services["batch"].rates.input
