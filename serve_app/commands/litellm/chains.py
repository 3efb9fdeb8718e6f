"""Chains of fallbacks, and aliases: what stands in router_settings and litellm_settings together.

Used by `routes.py`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from serve_app.commands.litellm.notes import Notes, Place, shown
from serve_app.commands.litellm.source import Node

CHAINS = ("fallbacks", "context_window_fallbacks", "content_policy_fallbacks")
_FOR_ALL = "*"


@dataclass(frozen=True, slots=True)
class Step:
    """A group that is asked when another one fails."""

    group: str
    place: Place


@dataclass(frozen=True, slots=True)
class Chain:
    """The chains of one kind, by the group that they are of."""

    kind: str
    of: Mapping[str, Sequence[Step]]
    # Of groups that have none of their own.
    of_others: Sequence[Step] = ()

    def steps(self, group: str) -> Sequence[Step]:
        return self.of.get(group) or [step for step in self.of_others if step.group != group]


@dataclass(slots=True)
class _Merged:
    of: dict[str, list[Step]] = field(default_factory=dict[str, list[Step]])

    def add(self, group: str, steps: Iterable[Step]) -> None:
        known = self.of.setdefault(group, [])
        known += [step for step in steps if all(step.group != one.group for one in known)]


def chains_of(router: Mapping[str, Node], proxy: Mapping[str, Node], notes: Notes) -> Mapping[str, Chain]:
    """By kind. What stands in both places is joined, the router's first."""
    return {kind: _chain(kind, router, proxy, notes) for kind in CHAINS}


def _chain(kind: str, router: Mapping[str, Node], proxy: Mapping[str, Node], notes: Notes) -> Chain:
    merged = _Merged()
    for settings in (router, proxy):
        given = settings.get(kind)
        if given is not None:
            for node in given.items or (given,):
                _add(merged, node, kind, notes)
        if kind == "fallbacks" and "default_fallbacks" in settings:
            merged.add(_FOR_ALL, _steps(settings["default_fallbacks"], notes))
    of_others = merged.of.pop(_FOR_ALL, [])
    return Chain(kind, merged.of, of_others)


def _add(merged: _Merged, node: Node, kind: str, notes: Notes) -> None:
    """LiteLLM's forms: a mapping of groups to lists, or a name alone, which is a fallback of all."""
    if isinstance(node.value, str):
        merged.add(_FOR_ALL, _steps(node, notes))
    elif not node.fields:
        notes.left_out(node.place, kind, "must be a list of mappings, a group to its fallbacks")
    for group, wanted in node.fields.items():
        merged.add(group, _steps(wanted, notes))


def _steps(node: Node, notes: Notes) -> Iterator[Step]:
    for item in node.items or (node,):
        if item.is_null:
            continue
        model = item.fields.get("model")
        if model is not None and len(item.fields) > 1:
            notes.differs(
                item.place, "fallbacks", "a fallback is asked what was asked; only its model is used"
            )
        name = (model or item).scalar
        if isinstance(name, str) and name:
            yield Step(name, item.place)
        else:
            notes.left_out(item.place, "fallbacks", "a fallback must be a model_name")


def aliases_of(router: Mapping[str, Node], proxy: Mapping[str, Node], notes: Notes) -> Mapping[str, Step]:
    """By alias, the group that it stands for."""
    found: dict[str, Step] = {}
    for node in (proxy.get("model_alias_map"), router.get("model_group_alias")):
        for alias, target in node.fields.items() if node is not None else ():
            hidden = target.fields.get("hidden")
            if hidden is not None and hidden.value is True:
                notes.differs(
                    target.place,
                    f"the alias {shown(alias)}",
                    "`hidden` has no counterpart: clients may see it",
                )
            name = target.fields.get("model", target).scalar
            if isinstance(name, str) and name:
                found[alias] = Step(name, target.place)
            else:
                notes.left_out(target.place, f"the alias {shown(alias)}", "must name a model_name")
    return found
