"""What is known of providers' models, from the table that LiteLLM carries: prices and context lengths.

The table is read as a file, without importing LiteLLM. Used by `pricing.py`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from decimal import Decimal
from functools import cache, lru_cache
from importlib.metadata import distribution
from pathlib import Path
from types import MappingProxyType
from typing import Any, cast

import orjson

from voyager_llm.domain.price import Bracket, Price, Rates, Tariff
from voyager_llm.domain.providers import ALIASES

_TABLE = "litellm/model_prices_and_context_window_backup.json"
Row = Mapping[str, Any]
Given = Mapping[str, Decimal]

# Kinds of token, and what the table calls their price.
_KINDS = {
    "input": "input_cost_per_token",
    "output": "output_cost_per_token",
    "cached_input": "cache_read_input_token_cost",
    "cache_write": "cache_creation_input_token_cost",
    "cache_write_1h": "cache_creation_input_token_cost_above_1hr",
    "reasoning": "output_cost_per_reasoning_token",
    "audio_input": "input_cost_per_audio_token",
    "cached_audio": "cache_read_input_audio_token_cost",
    "audio_output": "output_cost_per_audio_token",
    "image_input": "input_cost_per_image_token",
    "image_output": "output_cost_per_image_token",
    "video_input": "input_cost_per_video_token",
}
_WRITTEN = ("reasoning", "audio_output", "image_output")
# Service tiers as answers name them, and how the table marks their prices.
_SERVICES = {
    "priority": "_priority",
    "flex": "_flex",
    "batch": "_batches",
    "ultrafast": "_ultrafast",
    "balanced": "_balanced",
}
_ABOVE = re.compile(r"_above_(\d+)k_tokens")
# Providers whose rows stand under other names too.
_ALSO: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "azure_text": ("azure",),
        "bedrock": ("bedrock_converse",),
        "codestral": ("text-completion-codestral",),
        "cohere": ("cohere_chat",),
        "cohere_chat": ("cohere",),
        "ollama_chat": ("ollama",),
        "openai": ("text-completion-openai",),
        "sagemaker_chat": ("sagemaker",),
        "vertex_ai_beta": ("vertex_ai",),
        "watsonx_text": ("watsonx",),
    }
)
# What else than text a row may be for.
_BESIDE_TEXT = frozenset({"audio_speech", "audio_transcription", "image_edit", "image_generation", "rerank"})
# They take their fee for a request that searched, unless a row says that each search has its own.
_PER_PROMPT = ("gemini", "vertex_ai")


@cache
def _table() -> dict[str, dict[str, Any]]:
    return orjson.loads(Path(str(distribution("litellm").locate_file(_TABLE))).read_bytes())


def row(provider: str, model_name: str) -> Row:
    """What is known of a provider's model; empty: nothing."""
    name = ALIASES.get(provider, provider)
    names = (name, *_ALSO.get(name, ()))
    table = _table()
    for prefix in names:
        if found := table.get(f"{prefix}/{model_name}"):
            return found
    found = table.get(model_name, {})
    # "vertex_ai-language-models" is vertex_ai.
    listed = str(found.get("litellm_provider", ""))
    return found if listed in names or listed.startswith(f"{names[-1]}-") else {}


@lru_cache(maxsize=4096)
def listed_price(provider: str, model_name: str) -> Price | None:
    """The known price of a provider's model."""
    known = row(provider, model_name)
    tiers: list[Row] = known.get("tiered_pricing") or []
    if tiers:
        return Price(_tiered(tiers, _fees(known)))
    if "input_cost_per_token" not in known and not (known.get("mode") in _BESIDE_TEXT and _fees(known)):
        return None
    standard = _standard(known)
    services = {
        service: _service(known, suffix, standard)
        for service, suffix in _SERVICES.items()
        if f"input_cost_per_token{suffix}" in known
    }
    return Price(standard, services=services)


def completed(given: Given, like: Rates | None = None) -> Rates:
    """Rates of every kind, out of those that are given. A kind that is not costs, in proportion to other
    tokens of its direction, what it costs in ``like``; without that, as much as they do."""
    if like is None:
        return _by_default(given)
    prices = {"input": given.get("input", like.input), "output": given.get("output", like.output)}
    for kind in _KINDS.keys() - prices.keys():
        whole = "output" if kind in _WRITTEN else "input"
        known, of = getattr(like, kind), getattr(like, whole)
        prices[kind] = given[kind] if kind in given else _scaled(known, prices[whole], of)
    beside = {fee: given.get(fee, getattr(like, fee)) for fee in FEES}
    return Rates(**prices, **beside)


FEES = ("audio_second", "web_search", "image", "character", "search_unit", "searching", "request")


def _by_default(given: Given) -> Rates:
    free = Decimal(0)
    fresh, output = given.get("input", free), given.get("output", free)
    write = given.get("cache_write", fresh)
    audio = given.get("audio_input", fresh)
    # Whoever takes a quarter more for five minutes takes twice as much for an hour.
    usual = {
        "input": fresh,
        "cache_write": write,
        "cache_write_1h": max(write, 2 * fresh) if write > fresh else write,
    }
    usual |= {"cached_input": fresh, "cached_audio": given.get("cached_input", audio)}
    usual |= dict.fromkeys(("audio_input", "image_input", "video_input"), fresh)
    usual |= dict.fromkeys(("output", *_WRITTEN), output)
    return Rates(**{**usual, **given})


def _scaled(known: Decimal, price: Decimal, of: Decimal) -> Decimal:
    if price == of:
        return known
    return known * price / of if of else price


def _standard(known: Row) -> Tariff:
    rates = completed({**_given(known), **_fees(known)})
    brackets = (Bracket(above, completed(_given(known, above), rates)) for above in _thresholds(known))
    return Tariff(rates, tuple(brackets))


def _service(known: Row, suffix: str, standard: Tariff) -> Tariff:
    """A tier of service: what the table leaves out is as much dearer or cheaper as its tokens are."""
    rates = completed(_given(known, suffix=suffix), standard.rates)
    brackets: list[Bracket] = []
    for bracket in standard.brackets:
        usual = {
            "input": _scaled(bracket.rates.input, rates.input, standard.rates.input),
            "output": _scaled(bracket.rates.output, rates.output, standard.rates.output),
        }
        given = {**usual, **_given(known, bracket.above, suffix)}
        brackets.append(Bracket(bracket.above, completed(given, bracket.rates)))
    return Tariff(rates, tuple(brackets))


def _tiered(tiers: Iterable[Row], fees: Given) -> Tariff:
    """Brackets as some rows list them, each with its range of tokens."""
    lowest, *others = sorted(tiers, key=lambda tier: tier["range"][0])
    rates = completed({**_given(lowest), **fees})
    brackets = [Bracket(int(tier["range"][0]), completed(_given(tier), rates)) for tier in others]
    return Tariff(rates, tuple(reversed(brackets)))


def _thresholds(known: Row) -> list[int]:
    """Numbers of input tokens above which other prices hold, the largest first."""
    found = {int(match[1]) for name in known if (match := _ABOVE.search(name))}
    return [1000 * thousands for thousands in sorted(found, reverse=True)]


def _given(known: Row, above: int = 0, suffix: str = "") -> dict[str, Decimal]:
    middle = f"_above_{above // 1000}k_tokens" if above else ""
    found = ((kind, known.get(f"{name}{middle}{suffix}")) for kind, name in _KINDS.items())
    return {kind: _decimal(price) for kind, price in found if price is not None}


def _fees(known: Row) -> dict[str, Decimal]:
    """What is paid for beside tokens."""
    searches = cast("Mapping[str, Any]", known.get("search_context_cost_per_query") or {})
    per_prompt = str(known.get("litellm_provider", "")).startswith(_PER_PROMPT)
    per_prompt = per_prompt and known.get("web_search_billing_unit") != "per_query"
    prices = {
        "searching" if per_prompt else "web_search": searches.get("search_context_size_medium"),
        "request": known.get("input_cost_per_request"),
        "audio_second": known.get("input_cost_per_audio_per_second"),
        **_units(known),
    }
    return {fee: _decimal(price) for fee, price in prices.items() if price is not None}


def _units(known: Row) -> dict[str, Any]:
    """Prices of seconds, pictures, characters and searches, of models that are for these alone.

    Some rows tell two prices of the same thing; then that of tokens counts, which providers report."""
    if known.get("mode") not in _BESIDE_TEXT:
        return {}
    prices = {
        "character": known.get("input_cost_per_character"),
        "search_unit": known.get("input_cost_per_query"),
    }
    if not known.get("input_cost_per_token"):
        prices["audio_second"] = known.get("input_cost_per_second")
    if not known.get("output_cost_per_image_token") and not known.get("output_cost_per_token"):
        prices["image"] = known.get("output_cost_per_image", known.get("input_cost_per_image"))
    return {unit: price for unit, price in prices.items() if price}


def _decimal(price: Any) -> Decimal:
    """A float keeps the digits that stand in the table: 3e-07 is Decimal('3E-7'), not its binary tail."""
    return Decimal(repr(price))
