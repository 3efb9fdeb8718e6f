"""Prices, and how much fits a prompt, out of `model_info` and `litellm_params`. Used by `models.py`."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from serve_app.commands.litellm.entries import Entry
from serve_app.commands.litellm.notes import Notes, shown
from serve_app.commands.litellm.source import Node
from serve_app.commands.litellm.values import UnresolvedError, Variables, WrongValueError
from voyager_llm.definitions.price_list import Row, row
from voyager_llm.domain.providers import PROVIDERS

_FIELDS: Mapping[str, str] = {
    "input_cost_per_token": "input_token_cost",
    "output_cost_per_token": "output_token_cost",
    "cache_read_input_token_cost": "cached_input_token_cost",
    "cache_creation_input_token_cost": "cache_write_input_token_cost",
    "cache_creation_input_token_cost_above_1hr": "cache_write_1h_input_token_cost",
    "output_cost_per_reasoning_token": "reasoning_token_cost",
    "input_cost_per_audio_token": "audio_input_token_cost",
    "output_cost_per_audio_token": "audio_output_token_cost",
    "input_cost_per_image_token": "image_input_token_cost",
    "output_cost_per_image_token": "image_output_token_cost",
}
_NEEDED = ("input_cost_per_token", "output_cost_per_token")
_TIERS = ("_above_", "_priority", "_flex", "_batches", "_ultrafast", "_balanced", "tiered_pricing")
_OTHERS = ("cost", "_multiplier", "pricing")
_MOST = Decimal(1000)


def is_price(name: str) -> bool:
    """Whether a setting is about money."""
    return name in _FIELDS or any(mark in name for mark in (*_TIERS, *_OTHERS))


def cost(
    entry: Entry, provider: str, model_name: str, variables: Variables, notes: Notes
) -> dict[str, float] | None:
    """The `cost` of a model, None: the known price list says it."""
    given = {name: node for name, node in (*entry.info.items(), *entry.params.items()) if is_price(name)}
    known, base = row(provider, model_name), _base(entry, provider, notes)
    if not given:
        # A deployment is named as its owner liked; what it is a deployment of has the price.
        return _of_row(base, entry, notes) if base and not _costs_the_same(base, known) else None
    if known and all(_same(known.get(name), node) for name, node in given.items()):
        return None
    prices = _prices(given, entry, variables, notes)
    if not prices:
        return None
    listed = known or base
    for name in _NEEDED:
        if _FIELDS[name] not in prices and name in listed:
            prices[_FIELDS[name]] = _number(Decimal(repr(listed[name])))
    return prices


def context_length(
    entry: Entry, provider: str, model_name: str, variables: Variables, notes: Notes
) -> int | None:
    """Tokens that fit a prompt; None: not said, or the known table says it."""
    for name in ("max_input_tokens", "max_tokens"):
        node = entry.info.get(name) or (entry.params.get(name) if name == "max_input_tokens" else None)
        if node is None:
            continue
        try:
            found = variables.count(node)
        except (UnresolvedError, WrongValueError) as error:
            notes.lost(node.place, f"model_info.{name} of {shown(entry.name)}", str(error))
            continue
        if 0 < found <= 100_000_000:
            return found
        notes.lost(node.place, f"model_info.{name} of {shown(entry.name)}", "must be from 1 to 100000000")
    base = {} if row(provider, model_name) else _base(entry, provider, notes)
    listed = base.get("max_input_tokens") or base.get("max_tokens")
    return int(listed) if listed else None


def _base(entry: Entry, provider: str, notes: Notes) -> Row:
    """The row of the model that a deployment is one of."""
    node = entry.info.get("base_model")
    if node is None:
        return {}
    text = str(node.scalar or "")
    prefix, slash, rest = text.partition("/")
    found = row(prefix, rest) if slash and prefix in PROVIDERS else row(provider, text) or row("openai", text)
    if not found:
        notes.lost(
            node.place,
            f"model_info.base_model of {shown(entry.name)}",
            "the price list knows no such model; write input_cost_per_token and output_cost_per_token",
        )
    return found


def _of_row(known: Row, entry: Entry, notes: Notes) -> dict[str, float] | None:
    if not all(name in known for name in _NEEDED):
        return None
    if any(mark in name for name in known for mark in ("_above_", "tiered_pricing") if "1hr" not in name):
        notes.lost(
            entry.info["base_model"].place,
            f"model_info.base_model of {shown(entry.name)}",
            "its higher prices for long prompts: `cost` has one price for prompts of any length",
        )
    found = {
        field: known[name] for name, field in _FIELDS.items() if isinstance(known.get(name), (int, float))
    }
    return {field: _number(Decimal(repr(price))) for field, price in found.items()}


def _prices(given: Mapping[str, Node], entry: Entry, variables: Variables, notes: Notes) -> dict[str, float]:
    prices: dict[str, float] = {}
    for name, node in given.items():
        subject = f"{name} of {shown(entry.name)}"
        field = _FIELDS.get(name)
        if field is None:
            tiered = any(mark in name for mark in _TIERS)
            why = (
                "has one price for prompts of any length and any tier of service"
                if tiered
                else "is of tokens alone"
            )
            notes.lost(node.place, subject, f"`cost` {why}")
            continue
        try:
            price = variables.number(node)
        except (UnresolvedError, WrongValueError) as error:
            notes.lost(node.place, subject, str(error))
            continue
        if not 0 <= price <= _MOST:
            notes.lost(node.place, subject, "must be a price of one token, from 0 to 1000")
            continue
        prices[field] = _number(price)
    return prices


def _costs_the_same(one: Row, other: Row) -> bool:
    return all(one.get(name) == other.get(name) for name in {*one, *other} if is_price(name))


def _same(known: Any, node: Node) -> bool:
    if isinstance(known, (int, float)) and not isinstance(known, bool):
        try:
            return Decimal(str(node.scalar)) == Decimal(repr(known))
        except ArithmeticError:
            return False
    return known == node.plain()


def _number(price: Decimal) -> float:
    """A number, as custom resources want one; a float's shortest form has the digits that were written."""
    return float(price)
