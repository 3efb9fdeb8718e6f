"""Any body comes to the same tokens and the same price as another library (genai-prices) makes of it.

For models whose prices the two lists agree on. Where the library is not installed, the tests say so.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from decimal import Decimal
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voyager_llm.definitions.price_list import listed_price
from voyager_llm.domain.price import cost_of
from voyager_llm.domain.usage import Usage
from voyager_llm.domain.usage_reports import ANTHROPIC, CONVERSE, GEMINI, OPENAI, RESPONSES, WireFormat

tokens = st.integers(0, 100) | st.integers(0, 300_000)


@st.composite
def messages(draw: Callable[..., Any]) -> dict[str, Any]:
    five_minutes, hour = draw(tokens) // 10, draw(tokens) // 10
    return {
        "usage": {
            "input_tokens": draw(tokens) // 10, "output_tokens": draw(tokens),
            "cache_read_input_tokens": draw(tokens) // 10, "cache_creation_input_tokens": five_minutes + hour,
            "cache_creation": {
                "ephemeral_5m_input_tokens": five_minutes, "ephemeral_1h_input_tokens": hour,
            },
        }
    }  # fmt: skip


@st.composite
def converse(draw: Callable[..., Any]) -> dict[str, Any]:
    names = ("inputTokens", "cacheReadInputTokens", "cacheWriteInputTokens")
    given = {name: draw(tokens) // 10 for name in names}
    output = draw(tokens)
    return {"usage": {**given, "outputTokens": output, "totalTokens": sum(given.values()) + output}}


def openai(given: str, wrote: str) -> st.SearchStrategy[dict[str, Any]]:
    @st.composite
    def bodies(draw: Callable[..., Any]) -> dict[str, Any]:
        prompt, output = draw(tokens), draw(tokens)
        return {
            "usage": {
                given: prompt, wrote: output, "total_tokens": prompt + output,
                f"{given}_details": {"cached_tokens": draw(st.integers(0, prompt))},
                f"{wrote}_details": {"reasoning_tokens": draw(st.integers(0, output))},
            }
        }  # fmt: skip

    return bodies()


def gemini(*, audio: bool) -> st.SearchStrategy[dict[str, Any]]:
    @st.composite
    def bodies(draw: Callable[..., Any]) -> dict[str, Any]:
        prompt, output, thoughts = draw(tokens), draw(tokens), draw(tokens)
        usage: dict[str, Any] = {
            "promptTokenCount": prompt, "candidatesTokenCount": output, "thoughtsTokenCount": thoughts,
            "totalTokenCount": prompt + output + thoughts,
        }  # fmt: skip
        heard = draw(st.integers(0, prompt))
        if audio:
            usage["promptTokensDetails"] = [
                {"modality": "AUDIO", "tokenCount": heard},
                {"modality": "TEXT", "tokenCount": prompt - heard},
            ]
        else:
            usage["cachedContentTokenCount"] = heard
        return {"usageMetadata": usage}

    return bodies()


Bodies = st.SearchStrategy[dict[str, Any]]
CASES: dict[str, tuple[WireFormat, Bodies, tuple[str, str, str], tuple[str, str]]] = {
    "Messages": (
        ANTHROPIC, messages(), ("anthropic", "default", "claude-haiku-4-5"), ("claude", "claude-haiku-4-5"),
    ),
    "Converse": (
        CONVERSE, converse(), ("aws", "default", "us.anthropic.claude-haiku-4-5-20251001-v1:0"),
        ("bedrock", "us.anthropic.claude-haiku-4-5-20251001-v1:0"),
    ),
    "chat": (
        OPENAI, openai("prompt_tokens", "completion_tokens"), ("openai", "chat", "gpt-5"),
        ("openai", "gpt-5"),
    ),
    "Responses": (
        RESPONSES, openai("input_tokens", "output_tokens"), ("openai", "responses", "gpt-5"),
        ("openai", "gpt-5"),
    ),
    "Gemini, cached and long": (
        GEMINI, gemini(audio=False), ("google", "default", "gemini-2.5-pro"), ("google", "gemini-2.5-pro"),
    ),
    "Gemini, audio": (
        GEMINI, gemini(audio=True), ("google", "default", "gemini-2.5-flash"), ("google", "gemini-2.5-flash"),
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def other() -> Any:
    if find_spec("genai_prices") is None:
        warnings.warn(
            "NO OTHER LIBRARY OF PRICES: genai-prices is not installed, so tokens and prices of arbitrary "
            "bodies are compared with nobody's.",
            stacklevel=1,
        )
        return None
    return import_module("genai_prices")


@pytest.mark.parametrize("name", CASES)
def test_another_library_comes_to_the_same(other: Any, name: str) -> None:
    if other is None:
        return
    of, bodies, (provider, flavour, model), ours = CASES[name]
    price = listed_price(*ours)
    assert price is not None

    @settings(max_examples=300, deadline=None)
    @given(bodies)
    def compare(body: dict[str, Any]) -> None:
        theirs = other.extract_usage({**body, "model": model}, provider_id=provider, api_flavor=flavour).usage
        usage = of.usage(body) or Usage()
        assert (usage.input_tokens, usage.output_tokens) == (
            theirs.input_tokens or 0,
            theirs.output_tokens or 0,
        )
        assert cost_of(usage, price) == Decimal(
            other.calc_price(theirs, model, provider_id=provider).total_price
        )

    compare()
