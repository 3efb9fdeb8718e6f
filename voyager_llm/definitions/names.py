"""Names and aliases are unique: over all models and routes together, and over all prompts.

Used by the catalog; in a cluster, where objects come in any order, `controller/calling.py` decides.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from voyager_llm.domain.definition import Frozen, Kind
from voyager_llm.domain.model import ModelDefinition
from voyager_llm.domain.prompt import PromptDefinition
from voyager_llm.domain.route import RouteDefinition
from voyager_llm.errors import FailedPrecondition
from voyager_llm.snapshot import Entry, RuntimeConfig, further_names

_Holder = tuple[Kind, str]


def refuse_taken(config: RuntimeConfig, definition: Frozen, before: RuntimeConfig | None = None) -> None:
    """Raises `FailedPrecondition` when another definition of ``config`` has its name or an alias of it.

    Where ``config`` is what several changes at once would lead to, ``before`` is what they start from: it
    knows who had an alias that two would have."""
    if isinstance(definition, ModelDefinition):
        kind = Kind.MODEL
    elif isinstance(definition, RouteDefinition):
        kind = Kind.ROUTE
    elif isinstance(definition, PromptDefinition):
        kind = Kind.PROMPT
    else:
        return
    own = kind, definition.name
    for field, called in [("name", definition.name), *(("aliases", alias) for alias in definition.aliases)]:
        for source in (config, before or config):
            for holder in _holders(source, called, kind):
                if holder != own and _is_called(config, holder, called):
                    raise FailedPrecondition(f"{holder[0]} {holder[1]} is called {called!r} already", field)


def _holders(config: RuntimeConfig, called: str, kind: Kind) -> Iterator[_Holder]:
    """Who has a name, and who has it as an alias."""
    is_prompt = kind is Kind.PROMPT
    aliases = config.prompt_aliases if is_prompt else config.aliases
    kinds = (Kind.PROMPT,) if is_prompt else (Kind.MODEL, Kind.ROUTE)
    for name in (called, aliases.get(called, "")):
        yield from ((of, name) for of in kinds if name in _table(config, of))


def _is_called(config: RuntimeConfig, holder: _Holder, called: str) -> bool:
    kind, name = holder
    entry = _table(config, kind).get(name)
    return entry is not None and called in (name, *further_names(entry))


def _table(config: RuntimeConfig, kind: Kind) -> Mapping[str, Entry]:
    return {Kind.MODEL: config.models, Kind.ROUTE: config.routes, Kind.PROMPT: config.prompts}[kind]
