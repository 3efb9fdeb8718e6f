"""Known prices and context lengths of providers' models, from the table that LiteLLM carries.

The table is read as a file, without importing LiteLLM. A model's own ``cost`` and ``context_length``
win over it. Used by `compiler.py`.
"""

from __future__ import annotations

from decimal import Decimal
from functools import cache
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

import orjson

from voyager_llm.domain.endpoint import Price
from voyager_llm.domain.model import Cost, ModelDefinition

_TABLE = "litellm/model_prices_and_context_window_backup.json"
_FREE = Price(Decimal(0), Decimal(0), Decimal(0))


@cache
def _table() -> dict[str, dict[str, Any]]:
    return orjson.loads(Path(str(distribution("litellm").locate_file(_TABLE))).read_bytes())


def _known(model: ModelDefinition) -> dict[str, Any]:
    table = _table()
    provider = "anthropic" if model.provider == "claude" else model.provider
    found = table.get(f"{provider}/{model.model_name}")
    if found is None:
        found = table.get(model.model_name)
        if found is not None and found.get("litellm_provider") != provider:
            found = None
    return found or {}


def price(model: ModelDefinition) -> tuple[Price, bool]:
    """The price of a token, and whether it is known at all (else it is 0)."""
    if model.cost is not None:
        return _own(model.cost), True
    known = _known(model)
    if "input_cost_per_token" not in known:
        return _FREE, False
    unit = Decimal(repr(known["input_cost_per_token"]))
    cached = known.get("cache_read_input_token_cost")
    return (
        Price(
            input=unit,
            output=Decimal(repr(known.get("output_cost_per_token", 0))),
            cached_input=unit if cached is None else Decimal(repr(cached)),
        ),
        True,
    )


def _own(cost: Cost) -> Price:
    cached = cost.cached_input_token_cost
    return Price(
        input=cost.input_token_cost,
        output=cost.output_token_cost,
        cached_input=cost.input_token_cost if cached is None else cached,
        currency=cost.currency,
    )


def context_length(model: ModelDefinition) -> int | None:
    """Tokens that fit a prompt, where known."""
    if model.context_length is not None:
        return model.context_length
    known = _known(model)
    value = known.get("max_input_tokens") or known.get("max_tokens")
    return int(value) if value else None
