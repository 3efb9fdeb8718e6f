"""Bodies that providers really sent come to the tokens and prices that another library expects of them.

The bodies are not part of this repository: `VOYAGER_TEST_DATA` says where they lie. What differs, and why,
stands in `tests/support/usage_differences.py`.
"""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import orjson
import pytest

from tests.support.usage_differences import COUNTS, PRICES, UNLISTED
from voyager_llm.definitions.price_list import listed_price
from voyager_llm.domain.price import Price, cost_of
from voyager_llm.domain.usage import Usage
from voyager_llm.domain.usage_reports import (
    ANTHROPIC,
    COHERE,
    CONVERSE,
    GEMINI,
    OPENAI,
    RESPONSES,
    WireFormat,
)

_ROOT = Path(__file__).resolve().parents[2]
_BODIES = Path(os.environ.get("VOYAGER_TEST_DATA", _ROOT.parent / "shared" / "data")) / "usage/usages.jsonl"

# Their names of counts, and ours; what they count besides is the rest of a whole, or a total of calls.
_FIELDS = {
    "input_tokens": "input_tokens",
    "output_tokens": "output_tokens",
    "output_reasoning_tokens": "reasoning_tokens",
    "cache_read_tokens": "cached_input_tokens",
    "cache_write_tokens": "cache_write_tokens",
    "input_audio_tokens": "audio_input_tokens",
    "input_image_tokens": "image_input_tokens",
    "input_video_tokens": "video_input_tokens",
    "cache_audio_read_tokens": "cached_audio_tokens",
    "output_image_tokens": "image_output_tokens",
    "output_audio_tokens": "audio_output_tokens",
    "web_searches": "web_searches",
}
# Those of their flavours that are no OpenAI chat.
_FORMATS: dict[tuple[str, str], WireFormat] = {
    ("anthropic", "default"): ANTHROPIC,
    ("minimax", "default"): ANTHROPIC,
    ("aws", "default"): CONVERSE,
    ("google", "default"): GEMINI,
    ("cohere", "default"): COHERE,
    ("cohere", "tokens"): COHERE,
    ("cohere", "embeddings"): COHERE,
}
_BY_FLAVOUR = {"responses": RESPONSES, "anthropic": ANTHROPIC}


@dataclass(frozen=True)
class Case:
    """A body read as one flavour of one provider's, and what is expected of it."""

    provider: str
    flavour: str
    model: str
    body: dict[str, Any]
    counts: dict[str, int]
    # Of input and output; None: none is known.
    price: Decimal | None

    def usage(self) -> Usage:
        name = (self.provider, self.flavour)
        of = _FORMATS.get(name) or _BY_FLAVOUR.get(self.flavour, OPENAI)
        body = self.body
        if name == ("cohere", "tokens"):  # as if it had not said what it bills
            usage = {key: value for key, value in body["usage"].items() if key != "billed_units"}
            body = {**body, "usage": usage}
        return of.usage(body) or Usage()


def _cases() -> Iterator[Case]:
    for line in _BODIES.read_bytes().splitlines():
        row = orjson.loads(line)
        for expected in row["expected"]:
            for extractor in expected["extractors"]:
                prices = [extractor.get("input_price"), extractor.get("output_price")]
                known = [Decimal(price) for price in prices if price is not None]
                yield Case(
                    extractor["provider_id"],
                    extractor["api_flavor"],
                    row.get("model", ""),
                    row["body"],
                    expected["usage"],
                    sum(known, Decimal(0)) if known else None,
                )


@pytest.fixture(scope="module")
def cases() -> list[Case]:
    if not _BODIES.exists():
        warnings.warn(
            f"NO REAL BODIES OF USAGE: there is no {_BODIES.name} in VOYAGER_TEST_DATA, so counts and prices "
            "of a thousand bodies that providers sent are not compared.",
            stacklevel=1,
        )
        return []
    found = list(_cases())
    assert len(found) > 10_000
    return found


def test_counts_are_those_expected_but_for_known_differences(cases: list[Case]) -> None:
    if not cases:
        return
    different: dict[tuple[str, str], set[str]] = {}
    for case in cases:
        usage = case.usage()
        for theirs, ours in _FIELDS.items():
            if case.counts.get(theirs, 0) != getattr(usage, ours):
                different.setdefault((case.flavour, theirs), set()).add(case.provider)
    assert different == {row: set(providers) for row, (_, providers) in COUNTS.items()}


def test_a_difference_of_counts_is_never_a_count_that_is_missing(cases: list[Case]) -> None:
    for case in cases:
        usage = case.usage()
        for theirs, ours in _FIELDS.items():
            if (case.provider, case.flavour, theirs) == ("x-ai", "chat", "output_tokens"):
                continue
            assert getattr(usage, ours) >= case.counts.get(theirs, 0), (theirs, case)


def test_prices_are_those_expected_but_for_known_differences(cases: list[Case]) -> None:
    if not cases:
        return
    different: set[tuple[str, str, str]] = set()
    unlisted: dict[str, set[str]] = {}
    same = 0
    for case in cases:
        # Hugging Face and OpenRouter hand on to others: LiteLLM's table has no prices of theirs.
        routed = case.provider.startswith(("huggingface", "openrouter"))
        if case.price is None or case.flavour == "embeddings" or routed:
            continue
        price = _price(case)
        if price is None:
            unlisted.setdefault(case.provider, set()).add(case.model)
        elif cost_of(replace(case.usage(), web_searches=0), price) == case.price:
            same += 1
        else:
            different.add((case.provider, case.flavour, case.model))
    assert different == set(PRICES)
    assert unlisted == {provider: set(models) for provider, models in UNLISTED.items()}
    assert same > 1500


def test_prices_of_embeddings_are_those_expected(cases: list[Case]) -> None:
    """Of bodies that are embeddings': their reader looks at the prompt alone, whatever it is given."""
    for case in cases:
        is_chat = "completion_tokens" in case.body.get("usage", {})
        if case.price is None or case.flavour != "embeddings" or is_chat or case.provider != "openai":
            continue
        price = _price(case)
        assert price is not None
        assert cost_of(case.usage(), price) == case.price, case


def _price(case: Case) -> Price | None:
    """The price of a model under the names that clouds and LiteLLM give it."""
    found = (listed_price(provider, name) for provider, name in _names(case.provider, case.model))
    return next((price for price in found if price is not None), None)


def _names(provider: str, model: str) -> list[tuple[str, str]]:
    if provider == "aws":
        return [("bedrock", name) for name in (f"us.anthropic.{model}-v1:0", f"us.anthropic.{model}", model)]
    if provider == "google":
        at_date = re.sub(r"-(20\d{6})$", r"@\1", model)
        return [("gemini", model), ("vertex_ai", at_date), ("vertex_ai", model)]
    if provider == "azure":
        return [("azure", model), ("azure_ai", re.sub(r"-20\d{6}$", "", model))]
    return [("zai" if provider == "zhipuai" else provider, model)]
