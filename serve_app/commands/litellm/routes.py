"""Groups of entries as models and routes: one entry alone is a model, several with one name are a route.

An entry with fallbacks, a timeout or retries of its own is a route, too, since these are of routes. Used by
`translate.py`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from serve_app.commands.litellm.chains import CHAINS, Chain, Step
from serve_app.commands.litellm.entries import Entry
from serve_app.commands.litellm.models import Context, model_of
from serve_app.commands.litellm.names import Names, is_alias
from serve_app.commands.litellm.notes import Place, shown
from serve_app.commands.litellm.shares import Member, Rule, Shares, shares_of
from serve_app.commands.litellm.source import Node
from serve_app.commands.litellm.values import UnresolvedError, WrongValueError
from voyager_llm.domain.definition import parse
from voyager_llm.domain.route import RouteDefinition
from voyager_llm.errors import InvalidArgument

_MOST_TARGETS = 256
_MOST_FALLBACKS = 32
_MOST_ATTEMPTS = 16
_MOST_ALIASES = 32
_NO_ALIAS = "must be 1 to 256 printable characters, and not begin with prompt:"
_LONGEST_MS = 3_600_000
_OF_ROUTES = ("timeout", "num_retries", "max_retries")


@dataclass(frozen=True, slots=True)
class Routing:
    """What holds for all routes of an import."""

    policy: str
    shuffles: bool
    weights: Mapping[str, Node]
    chains: Mapping[str, Chain]
    timeout: Node | None = None
    num_retries: Node | None = None


@dataclass(slots=True)
class Group:
    """What clients know by one name."""

    name: str
    called: str
    place: Place
    members: list[Member] = field(default_factory=list[Member])
    shares: Shares | None = None

    def models(self) -> Sequence[str]:
        """Those that answer for the group, in the order in which they are asked."""
        if self.shares is None:
            return [member.model for member in self.members]
        return [*(name for name, _ in self.shares.targets), *self.shares.spare]


@dataclass(slots=True)
class Made:
    """The definitions of an import, and the groups that they are of."""

    models: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    routes: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    groups: dict[str, Group] = field(default_factory=dict[str, Group])

    def definition(self, group: str) -> dict[str, Any]:
        """What a group's name leads to."""
        called = self.groups[group].called
        return next(one for one in (*self.routes, *self.models) if one["name"] == called)


def definitions(
    entries: Sequence[Entry], routing: Routing, aliases: Mapping[str, Step], context: Context
) -> Made:
    """All models and routes. What cannot be made is noted."""
    made = Made()
    names = Names((*(entry.name for entry in entries), *aliases))
    for group in _grouped(entries).values():
        _models(made, names, group, routing, context)
    for group in list(made.groups.values()):
        if group.shares is not None and not _route(made, group, routing, context):
            del made.groups[group.name]
    _note_unknown(made, routing, context)
    return made


def _grouped(entries: Iterable[Entry]) -> Mapping[str, list[Entry]]:
    groups: dict[str, list[Entry]] = {}
    for entry in entries:
        groups.setdefault(entry.name, []).append(entry)
    return groups


def _models(made: Made, names: Names, entries: Sequence[Entry], routing: Routing, context: Context) -> None:
    first = entries[0]
    group = Group(first.name, names.of_group(first.name), first.place)
    is_route = (
        len(entries) > 1
        or any(chain.steps(first.name) for chain in routing.chains.values())
        or any(setting in first.params for setting in _OF_ROUTES)
    )
    for number, entry in enumerate(entries, 1):
        name = names.new(f"{group.called}-{number}") if is_route else group.called
        model = model_of(entry, name, context)
        if model is not None:
            made.models.append(model)
            group.members.append(Member(name, entry))
    if not group.members:
        return
    made.groups[first.name] = group
    if is_route:
        weights = routing.weights.get(first.name)
        rule = Rule(routing.shuffles, weights.fields if weights is not None else {})
        group.shares = shares_of(group.members, rule, context.variables, context.notes)


def _route(made: Made, group: Group, routing: Routing, context: Context) -> bool:
    """Make a group's route. False: it was noted why there is none."""
    assert group.shares is not None
    targets = [{"model": name, "weight": weight} for name, weight in group.shares.targets]
    route: dict[str, Any] = {
        "name": group.called,
        "policy": routing.policy,
        "targets": targets[:_MOST_TARGETS],
    }
    if len(targets) > _MOST_TARGETS:
        context.notes.lost(group.place, shown(group.name), f"a route has at most {_MOST_TARGETS} targets")
    own = {name for name, _ in group.shares.targets}
    for kind in CHAINS:
        spare = group.shares.spare if kind == "fallbacks" else ()
        wanted = [*spare, *_asked(made, group, routing.chains[kind], context)]
        chain = [name for name in dict.fromkeys(wanted) if name not in own]
        if len(chain) > _MOST_FALLBACKS:
            context.notes.lost(group.place, shown(group.name), f"{kind} are at most {_MOST_FALLBACKS} models")
        if chain:
            route[kind] = chain[:_MOST_FALLBACKS]
    route |= _limits(group, route, routing, context)
    try:
        parse(RouteDefinition, route)
    except InvalidArgument as error:
        context.notes.left_out(group.place, shown(group.name), f"{error.field}: {error.message}")
        return False
    made.routes.append(route)
    return True


def _asked(made: Made, group: Group, chain: Chain, context: Context) -> Iterable[str]:
    """The models of a chain; a group stands for all of its models."""
    for step in chain.steps(group.name):
        found = made.groups.get(step.group)
        if found is not None:
            yield from found.models()
        else:
            context.notes.left_out(
                step.place,
                f"{chain.kind} of {shown(group.name)}",
                f"{shown(step.group)} was not imported, so it is no step of the chain",
            )


def _note_unknown(made: Made, routing: Routing, context: Context) -> None:
    for chain in routing.chains.values():
        for name, steps in chain.of.items():
            if name not in made.groups and steps:
                context.notes.left_out(
                    steps[0].place, f"{chain.kind} of {shown(name)}", "no such model was imported"
                )


def _limits(group: Group, route: Mapping[str, Any], routing: Routing, context: Context) -> dict[str, int]:
    found: dict[str, int] = {}
    timeouts = _counts(group, ("timeout",), routing.timeout, context)
    if timeouts:
        found["timeout_ms"] = max(1, min(int(max(timeouts) * 1000), _LONGEST_MS))
    retries = _counts(group, ("num_retries", "max_retries"), routing.num_retries, context)
    if retries:
        others = len(route.get("fallbacks", ()))
        attempts = max(int(max(retries)) + 1, len(route["targets"])) + others
        found["max_attempts"] = min(attempts, _MOST_ATTEMPTS)
    return found


def _counts(group: Group, settings: Sequence[str], of_all: Node | None, context: Context) -> list[float]:
    """A limit as the group's entries say it, else as all do."""
    own = [
        member.entry.params[setting]
        for member in group.members
        for setting in settings
        if setting in member.entry.params
    ]
    found: list[float] = []
    for node in own or ([of_all] if of_all is not None else []):
        try:
            number = float(context.variables.number(node))
        except (UnresolvedError, WrongValueError) as error:
            context.notes.lost(node.place, f"{settings[0]} of {shown(group.name)}", str(error))
            continue
        if number >= 0:
            found.append(number)
    return [number for number in found if number or settings[0] != "timeout"]


def give_aliases(made: Made, aliases: Mapping[str, Step], context: Context) -> None:
    """What clients call definitions besides their names: what is no valid name, and the file's aliases."""
    for group in made.groups.values():
        if group.name != group.called:
            _alias(made, group.name, Step(group.name, group.place), context)
    for alias, step in aliases.items():
        if alias in made.groups:
            context.notes.left_out(
                step.place, f"the alias {shown(alias)}", "a model_name of the file is called so"
            )
        elif step.group not in made.groups:
            context.notes.left_out(
                step.place, f"the alias {shown(alias)}", f"{shown(step.group)} was not imported"
            )
        else:
            _alias(made, alias, step, context)


def _alias(made: Made, alias: str, step: Step, context: Context) -> None:
    definition = made.definition(step.group)
    subject = f"the alias {shown(alias)}"
    if not is_alias(alias):
        context.notes.left_out(step.place, subject, _NO_ALIAS)
    elif len(definition.get("aliases", ())) == _MOST_ALIASES:
        context.notes.left_out(step.place, subject, f"a definition has at most {_MOST_ALIASES}")
    else:
        definition.setdefault("aliases", []).append(alias)
