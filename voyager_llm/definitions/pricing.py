"""What a model costs and how much fits its prompt: what its definition says, and what is known besides.

Used by `compiler.py`.
"""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from voyager_llm.definitions.price_list import FEES, completed, listed_price, row
from voyager_llm.domain.model import Cost, CostChange, ModelDefinition, TokenCosts
from voyager_llm.domain.price import FREE, Price, Rates, Tariff


def price(model: ModelDefinition) -> tuple[Price, bool]:
    """The price of a model, and whether it is known at all (else it is 0)."""
    known = listed_price(model.provider, model.model_name)
    if model.cost is None:
        return (FREE, False) if known is None else (known, True)
    return _own(model.cost, known), True


def _own(cost: Cost, known: Price | None) -> Price:
    """A definition's own price: the same for requests of any length, in every service tier."""
    like = known.standard.rates if known is not None else None
    if like is not None and known is not None and known.currency != cost.currency:
        like = _without_fees(like)
    changes = sorted(cost.changes, key=lambda change: change.valid_from, reverse=True)
    return Price(
        Tariff(_rates(cost, like)),
        cost.currency,
        changes=tuple(_change(change, cost.currency, like) for change in changes),
    )


def _change(change: CostChange, currency: str, like: Rates | None) -> Price:
    return Price(Tariff(_rates(change, like)), currency, valid_from=change.valid_from)


def _rates(costs: TokenCosts, like: Rates | None) -> Rates:
    kinds = {
        "input": costs.input_token_cost,
        "output": costs.output_token_cost,
        "cached_input": costs.cached_input_token_cost,
        "cache_write": costs.cache_write_input_token_cost,
        "cache_write_1h": costs.cache_write_1h_input_token_cost,
        "reasoning": costs.reasoning_token_cost,
        "audio_input": costs.audio_input_token_cost,
        "audio_output": costs.audio_output_token_cost,
        "image_input": costs.image_input_token_cost,
        "image_output": costs.image_output_token_cost,
    }
    return completed({kind: given for kind, given in kinds.items() if given is not None}, like)


def _without_fees(rates: Rates) -> Rates:
    """Proportions hold in any currency; a fee does not."""
    nothing = Decimal(0)
    return replace(rates, **dict.fromkeys(FEES, nothing))


def context_length(model: ModelDefinition) -> int | None:
    """Tokens that fit a prompt, where known."""
    if model.context_length is not None:
        return model.context_length
    known = row(model.provider, model.model_name)
    value = known.get("max_input_tokens") or known.get("max_tokens")
    return int(value) if value else None
