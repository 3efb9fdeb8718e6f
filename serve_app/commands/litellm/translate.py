"""A configuration of LiteLLM's proxy as definitions, top to bottom; nothing is sent anywhere.

Used by `serve_app/commands/litellm_config.py`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from serve_app.commands.litellm.catalog import mapped_fields, row_of
from serve_app.commands.litellm.chains import Chain, Step, aliases_of, chains_of
from serve_app.commands.litellm.entries import entries_of, expanded
from serve_app.commands.litellm.models import Context
from serve_app.commands.litellm.notes import Effect, Note, Notes, Place, shown
from serve_app.commands.litellm.routes import Made, Routing, definitions, give_aliases
from serve_app.commands.litellm.rows import Section
from serve_app.commands.litellm.secrets import Secrets
from serve_app.commands.litellm.source import Node
from serve_app.commands.litellm.values import UnresolvedError, Variables, WrongValueError, names_a_secret

_POLICIES = {
    "simple-shuffle": "weighted",
    "least-busy": "least_in_flight",
    "latency-based-routing": "peak_ewma",
    "cost-based-routing": "cheapest",
    "usage-based-routing": "least_in_flight",
    "usage-based-routing-v2": "least_in_flight",
}
_DEFAULT = "simple-shuffle"


@dataclass(frozen=True, slots=True)
class Mapped:
    """What became of a line of the file."""

    place: Place
    given: str
    became: str


@dataclass(frozen=True, slots=True)
class Imported:
    """Definitions that the service accepts, what they came of, and what is to be known and done."""

    models: Sequence[dict[str, Any]]
    routes: Sequence[dict[str, Any]]
    mapped: Sequence[Mapped]
    remarks: Sequence[Note]

    @property
    def notes(self) -> list[str]:
        """The remarks as people read them."""
        return [str(note) for note in self.remarks]

    def has(self, effect: Effect) -> bool:
        return any(note.effect is effect for note in self.remarks)


def translate(config: Node, notes: Notes, given: Mapping[str, str], further: Iterable[str]) -> Imported:
    """``given``: variables; ``further``: models that clients reach by a wildcard.

    Raises `ServiceError` for what LiteLLM itself would not start with."""
    fields = mapped_fields(Section.FILE, config, notes)
    environment = fields.get("environment_variables")
    variables = Variables(given, environment.fields if environment is not None else {})
    _note_secrets(variables, notes)
    context = Context(variables, Secrets(notes), notes)
    context.secrets.keep_out(config)
    router, proxy = _section(fields, Section.ROUTER, notes), _section(fields, Section.LITELLM, notes)
    _section(fields, Section.GENERAL, notes)
    chains = chains_of(router, proxy, notes)
    aliases = aliases_of(router, proxy, notes)
    entries = entries_of(config, variables, notes)
    mentioned = dict.fromkeys(further, config.place) | _mentioned(chains, aliases)
    plain = expanded(entries, mentioned, notes)
    routing = _routing(router, proxy, chains, notes)
    made = definitions(plain, routing, aliases, context)
    give_aliases(made, aliases, context)
    _note_limits_of_models(made, routing, variables, notes)
    mapped = [*_of_groups(made), *_of_settings(router, Section.ROUTER), *_of_settings(proxy, Section.LITELLM)]
    return Imported(made.models, made.routes, mapped, notes.ordered())


def _section(fields: Mapping[str, Node], section: Section, notes: Notes) -> Mapping[str, Node]:
    node = fields.get(section.value)
    if node is None:
        return {}
    if not node.fields and node.value not in ({}, ()):
        notes.lost(node.place, section.value, "must be a mapping; it was dropped")
    return mapped_fields(section, node, notes)


def _note_secrets(variables: Variables, notes: Notes) -> None:
    for name, node in variables.of_file.items():
        if names_a_secret(name):
            notes.todo(
                node.place,
                f"environment_variables.{name}",
                "stands in the file; it was not copied, and whoever read the file knows it: provide a new "
                "one",
            )


def _mentioned(chains: Mapping[str, Chain], aliases: Mapping[str, Step]) -> dict[str, Place]:
    """Names of models that the file says elsewhere than in its model_list."""
    steps = [step for chain in chains.values() for of in (*chain.of.values(), chain.of_others) for step in of]
    sources = {name: of[0].place for chain in chains.values() for name, of in chain.of.items() if of}
    return sources | {step.group: step.place for step in (*steps, *aliases.values())}


def _routing(
    router: Mapping[str, Node], proxy: Mapping[str, Node], chains: Mapping[str, Chain], notes: Notes
) -> Routing:
    node = router.get("routing_strategy")
    strategy = str(node.scalar) if node is not None else _DEFAULT
    if node is not None and strategy not in _POLICIES:
        notes.lost(
            node.place,
            "router_settings.routing_strategy",
            f"{shown(strategy)} has no counterpart; targets are weighted",
        )
    weights = router.get("weights")
    return Routing(
        policy=_POLICIES.get(strategy, _POLICIES[_DEFAULT]),
        shuffles=strategy not in _POLICIES or strategy == _DEFAULT,
        weights=weights.fields if weights is not None else {},
        chains=chains,
        timeout=router.get("timeout") or proxy.get("request_timeout"),
        num_retries=router.get("num_retries") or proxy.get("num_retries"),
    )


def _note_limits_of_models(made: Made, routing: Routing, variables: Variables, notes: Notes) -> None:
    """A model alone has no limits of its own: the service's are its limits."""
    if all(group.shares is not None for group in made.groups.values()):
        return
    alone = "holds for routes; for models that stand alone,"
    for name, node, setting, more in (
        ("timeout", routing.timeout, "VOYAGER_REQUEST_TIMEOUT_S", 0),
        ("num_retries", routing.num_retries, "VOYAGER_MAX_ATTEMPTS", 1),
    ):
        if node is None:
            continue
        try:
            number = variables.number(node) + more
        except (UnresolvedError, WrongValueError) as error:
            notes.lost(node.place, name, str(error))
            continue
        notes.todo(node.place, name, f"{alone} set {setting}={number:f} of the service")


def _of_groups(made: Made) -> Iterable[Mapped]:
    for group in made.groups.values():
        models = {model["name"]: model for model in made.models}
        for member in group.members:
            model = models[member.model]
            became = f"model {member.model}: {model['provider']}, {model['model_name']}"
            yield Mapped(member.entry.place, f"{member.entry.name} ({member.entry.model})", became)
        definition = made.definition(group.name)
        if group.shares is not None:
            targets = ", ".join(
                f"{target['model']} × {target['weight']:g}" for target in definition["targets"]
            )
            fallbacks = ", ".join(definition.get("fallbacks", ()))
            became = f"route {group.called}: {definition['policy']} over {targets}"
            yield Mapped(group.place, group.name, became + (f"; fallbacks {fallbacks}" if fallbacks else ""))
        for alias in definition.get("aliases", ()):
            yield Mapped(group.place, alias, f"alias of {group.called}")


def _of_settings(fields: Mapping[str, Node], section: Section) -> Iterable[Mapped]:
    for name, node in fields.items():
        yield Mapped(node.place, f"{section.value}.{name}", row_of(section, name).what)
