"""Who gets which share of a group's requests, as LiteLLM's router gives it. Used by `routes.py`.

LiteLLM asks the deployments of the lowest `order` alone, and of these by `weight`, else by `rpm`, else by
`tpm`;
one that has none of what others have gets nothing while they answer. So it is a fallback, the first one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from serve_app.commands.litellm.entries import Entry
from serve_app.commands.litellm.notes import Notes, shown
from serve_app.commands.litellm.source import Node
from serve_app.commands.litellm.values import UnresolvedError, Variables, WrongValueError

_LARGEST = 1_000_000.0
_LAST = float("inf")


@dataclass(frozen=True, slots=True)
class Member:
    """A model of a group."""

    model: str
    entry: Entry


@dataclass(frozen=True, slots=True)
class Shares:
    """Targets with their weights, and those that are asked when these fail, in order."""

    targets: Sequence[tuple[str, float]]
    spare: Sequence[str]


@dataclass(frozen=True, slots=True)
class Rule:
    """How shares are told. ``shuffles``: LiteLLM's default strategy, the only one that looks at weights;
    ``by_id``: `router_settings.weights` of the group."""

    shuffles: bool
    by_id: Mapping[str, Node]


def shares_of(members: Sequence[Member], rule: Rule, variables: Variables, notes: Notes) -> Shares:
    number = _numbers(variables, notes)
    orders = {member.model: number(member, "order") for member in members}
    least = min((order for order in orders.values() if order is not None), default=None)
    first = [member for member in members if orders[member.model] == least]
    later = [member for member in members if orders[member.model] != least]
    later.sort(key=lambda member: _LAST if (order := orders[member.model]) is None else order)
    weights = _weights(first, rule, number)
    spare = [member for member in first if not weights[member.model]]
    for member in (*spare, *later):
        notes.differs(
            member.entry.place,
            f"{member.model}",
            "gets no requests while others of its group answer (weight, rpm, tpm or order): it is their "
            "first fallback",
        )
    largest = max(weights.values())
    scale = _LARGEST / largest if largest > _LARGEST else 1.0
    targets = [(name, weight * scale) for name, weight in weights.items() if weight]
    return Shares(targets, [member.model for member in (*spare, *later)])


Number = Callable[[Member, str], float | None]


def _weights(members: Sequence[Member], rule: Rule, number: Number) -> dict[str, float]:
    """By model; at least one is above 0."""
    by_id = {member.model: _by_id(member, rule) for member in members}
    if any(by_id.values()):
        return {model: weight or 0.0 for model, weight in by_id.items()}
    if not rule.shuffles:
        # There, a weight has no meaning for LiteLLM; here, every policy heeds it.
        return {member.model: number(member, "weight") or 1.0 for member in members}
    for setting in ("weight", "rpm", "tpm"):
        found = {member.model: number(member, setting) or 0.0 for member in members}
        if any(found.values()):
            return found
    return {member.model: 1.0 for member in members}


def _by_id(member: Member, rule: Rule) -> float | None:
    own = member.entry.info.get("id")
    node = rule.by_id.get(str(own.scalar)) if own is not None else None
    value = node.scalar if node is not None else None
    return float(value) if isinstance(value, (int, float)) and value > 0 else None


def _numbers(variables: Variables, notes: Notes) -> Number:
    def number(member: Member, setting: str) -> float | None:
        entry = member.entry
        node = entry.params.get(setting) if setting != "order" else entry.either(setting)
        if node is None:
            return None
        try:
            found = float(variables.number(node))
        except (UnresolvedError, WrongValueError) as error:
            if setting in ("weight", "order"):
                notes.lost(node.place, f"litellm_params.{setting} of {shown(entry.name)}", str(error))
            return None
        return max(found, 0.0) if setting != "order" else found

    return number
