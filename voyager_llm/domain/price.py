"""What a model's answers cost: prices of each kind of token, and the one function that multiplies.

Prices are exact decimals, read once by `definitions/pricing.py`; a request multiplies and adds.
Used by the snapshot, by routing and by `deployments/request/accounts.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from voyager_llm.domain.usage import Usage

_NOTHING = Decimal(0)
_BATCH = "batch"
# What providers take of the ordinary price for what they may answer within a day.
BATCH_FACTOR = Decimal("0.5")


@dataclass(frozen=True, slots=True)
class Rates:
    """Of one token of each kind, and of what is paid for beside tokens. None is negative."""

    input: Decimal
    output: Decimal
    cached_input: Decimal
    # Written to a cache that lives for five minutes, and for an hour.
    cache_write: Decimal
    cache_write_1h: Decimal
    reasoning: Decimal
    audio_input: Decimal
    cached_audio: Decimal
    audio_output: Decimal
    image_input: Decimal
    image_output: Decimal
    video_input: Decimal
    audio_second: Decimal = _NOTHING
    web_search: Decimal = _NOTHING
    image: Decimal = _NOTHING
    character: Decimal = _NOTHING
    search_unit: Decimal = _NOTHING
    # Of a request that searched, however often.
    searching: Decimal = _NOTHING
    request: Decimal = _NOTHING


@dataclass(frozen=True, slots=True)
class Bracket:
    """Rates of a whole request whose input has more than ``above`` tokens."""

    above: int
    rates: Rates


@dataclass(frozen=True, slots=True)
class Tariff:
    """Rates, and those of longer requests, the longest first."""

    rates: Rates
    brackets: tuple[Bracket, ...] = ()

    def of(self, input_tokens: int) -> Rates:
        """The rates of a request. One with exactly as many tokens as a bracket begins above is below it."""
        for bracket in self.brackets:
            if input_tokens > bracket.above:
                return bracket.rates
        return self.rates


def _no_services() -> Mapping[str, Tariff]:
    return {}


@dataclass(frozen=True, slots=True)
class Price:
    """What a model costs, in ``currency``. ``services``: tariffs of service tiers that cost otherwise."""

    standard: Tariff
    currency: str = "USD"
    services: Mapping[str, Tariff] = field(default_factory=_no_services)
    # Since when it holds; None: ever since.
    valid_from: datetime | None = None
    # Later prices, the latest first.
    changes: tuple[Price, ...] = ()

    @property
    def input(self) -> Decimal:
        """Of an ordinary token of the input, as models are compared by."""
        return self.standard.rates.input

    @property
    def output(self) -> Decimal:
        return self.standard.rates.output

    def at(self, moment: datetime) -> Price:
        """The price that is in force then."""
        for change in self.changes:
            if change.valid_from is not None and change.valid_from <= moment:
                return change
        return self


FREE = Price(Tariff(Rates(*[_NOTHING] * 12)))


def cost_of(usage: Usage, price: Price) -> Decimal:
    """What a usage costs, in the price's currency: each token once, as the kind that it is.

    Never negative; more tokens of input or output never cost less under the same rates."""
    tariff = price.services.get(usage.service_tier, price.standard)
    rates = tariff.of(usage.input_tokens)
    total = _input(usage, rates) + _output(usage, rates) + _beside(usage, rates)
    if usage.service_tier == _BATCH and _BATCH not in price.services:
        total *= BATCH_FACTOR
    # Without trailing zeros: clients see it as text.
    return total.normalize()


def _input(usage: Usage, rates: Rates) -> Decimal:
    written, cached = usage.cache_write_tokens, usage.cached_input_tokens
    fresh = usage.input_tokens - cached - written
    total = _NOTHING
    if cached:
        total += (cached - usage.cached_audio_tokens) * rates.cached_input
        total += usage.cached_audio_tokens * rates.cached_audio
    if written:
        total += (written - usage.cache_write_1h_tokens) * rates.cache_write
        total += usage.cache_write_1h_tokens * rates.cache_write_1h
    # What a cache took beyond the audio that it is said to hold was text first.
    for tokens, rate in (
        (usage.audio_input_tokens - usage.cached_audio_tokens, rates.audio_input),
        (usage.image_input_tokens, rates.image_input),
        (usage.video_input_tokens, rates.video_input),
    ):
        if tokens:
            part = min(tokens, fresh)
            total += part * rate
            fresh -= part
    return total + fresh * rates.input


def _output(usage: Usage, rates: Rates) -> Decimal:
    apart = usage.reasoning_tokens + usage.audio_output_tokens + usage.image_output_tokens
    total = (usage.output_tokens - apart) * rates.output
    if apart:
        total += usage.reasoning_tokens * rates.reasoning
        total += usage.audio_output_tokens * rates.audio_output
        total += usage.image_output_tokens * rates.image_output
    return total


def _beside(usage: Usage, rates: Rates) -> Decimal:
    """What is paid for beside tokens."""
    return (
        usage.audio_seconds * rates.audio_second
        + usage.web_searches * rates.web_search
        + usage.images * rates.image
        + usage.characters * rates.character
        + usage.search_units * rates.search_unit
        + (rates.searching if usage.web_searches else _NOTHING)
        + usage.requests * rates.request
    )
