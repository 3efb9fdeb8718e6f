"""Objects of the cluster into one configuration, and a verdict on each. Pure: no clock, no network.

A bad object never breaks the others: it keeps the version that was published last, and its verdict says
why. Used by `reconciler.py`.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import orjson

from controller.calling import Age, Key, Lacking, aliases_of, decided
from controller.cluster import Observed
from voyager_llm.definitions.bundle import Bundle, Published, bundle_of
from voyager_llm.definitions.crd.conditions import Reason
from voyager_llm.definitions.crd.manifests import age, author_of, definition_of, name_of
from voyager_llm.definitions.crd.resources import BY_KIND, Resource
from voyager_llm.definitions.kube.client import Object
from voyager_llm.domain.definition import Frozen, Kind, document
from voyager_llm.domain.evaluation import EvaluationDefinition
from voyager_llm.domain.prompt import PromptDefinition
from voyager_llm.domain.route import RouteDefinition
from voyager_llm.errors import VoyagerError
from voyager_llm.templating.render import check_prompt


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of one object. ``reason`` and ``message`` explain ``accepted``."""

    # The definition's name, which may differ from the object's.
    name: str
    accepted: bool
    reason: Reason
    message: str
    # Whether what it refers to exists, and what does not.
    refs: Reason = Reason.RESOLVED
    refs_message: str = ""
    # Whether it wants aliases, and why it does not have them all.
    has_aliases: bool = False
    aliases_message: str = ""


@dataclass(frozen=True, slots=True)
class Compiled:
    """The configuration, and a verdict for every object by its kind and its own name."""

    bundle: Bundle
    verdicts: Mapping[Key, Verdict]


def compile_cluster(observed: Observed, last: Bundle) -> Compiled:
    """``last`` is what was published before: the source of last good versions."""
    good = last.by_name
    entries: dict[Key, Published] = {}
    owners: dict[Key, str] = {}
    ages: dict[Key, Age] = {}
    verdicts: dict[Key, Verdict] = {}
    for resource, manifest in observed.each():
        kind, own = resource.definition, manifest["metadata"]["name"]
        name = name_of(manifest)
        key = (kind, name)
        if key in owners:
            text = f"{resource.kind} {owners[key]} has the name {name} already"
            verdicts[kind, own] = Verdict(name, False, Reason.INVALID, text)
            continue
        owners[key] = own
        ages[key] = age(manifest)
        try:
            definition = _definition(resource, manifest)
        except VoyagerError as error:
            kept = good.get(key)
            if kept is not None:
                entries[key] = kept
            verdicts[kind, own] = Verdict(name, False, Reason.INVALID, _explained(error, kept is not None))
            continue
        entries[key] = Published(kind, name, document(definition), author_of(manifest))
        verdicts[kind, own] = Verdict(name, True, Reason.ACCEPTED, "the spec is valid")
    called, lacking = decided(entries, ages, good)
    verdicts = _with_names(verdicts, entries.values(), lacking, owners)
    return Compiled(bundle_of(called.values()), _with_references(verdicts, called))


def _definition(resource: Resource, manifest: Object) -> Frozen:
    spec = orjson.dumps(manifest.get("spec"), option=orjson.OPT_SORT_KEYS)
    return _checked(resource.definition, name_of(manifest), spec)


# A template takes milliseconds to check, and most objects are as they were the last time.
@lru_cache(maxsize=65_536)
def _checked(kind: Kind, name: str, spec: bytes) -> Frozen:
    definition = definition_of(BY_KIND[kind], {"metadata": {"name": name}, "spec": orjson.loads(spec)})
    if isinstance(definition, PromptDefinition):
        check_prompt(definition)
    return definition


def _explained(error: VoyagerError, kept: bool) -> str:
    field = f"spec.{error.field}: " if error.field else ""
    after = "; the last good version stays in force" if kept else ""
    return f"{field}{error.message}{after}"


def _with_names(
    verdicts: Mapping[Key, Verdict], entries: Iterable[Published], lacking: Lacking, owners: Mapping[Key, str]
) -> dict[Key, Verdict]:
    """Objects are told what they may not be called, and who is."""
    result = dict(verdicts)
    for entry in entries:
        key = entry.kind, owners[entry.kind, entry.name]
        texts = {
            called: _taken(called, holder, owners)
            for called, holder in sorted(lacking.get((entry.kind, entry.name), {}).items())
        }
        if entry.name in texts:
            result[key] = Verdict(entry.name, False, Reason.NAME_TAKEN, texts[entry.name])
        elif aliases_of(entry):
            result[key] = replace(verdicts[key], has_aliases=True, aliases_message="; ".join(texts.values()))
    return result


def _taken(called: str, holder: Key | None, owners: Mapping[Key, str]) -> str:
    if holder is None:
        return f"this version was published without the alias {called!r}: raise version"
    return f"{BY_KIND[holder[0]].kind} {owners[holder]} is called {called!r} already"


def _with_references(
    verdicts: Mapping[Key, Verdict], entries: Mapping[Key, Published]
) -> Mapping[Key, Verdict]:
    """Routes and evaluations are told what they name and does not exist."""
    result = dict(verdicts)
    for (kind, own), verdict in verdicts.items():
        if kind not in _REFERENCES or not verdict.accepted:
            continue
        reason, message = _REFERENCES[kind](entries[kind, verdict.name].document, entries)
        result[kind, own] = replace(verdict, refs=reason, refs_message=message)
    return result


def _of_route(document: Mapping[str, Any], entries: Container[Key]) -> tuple[Reason, str]:
    wanted = RouteDefinition.model_validate(document).references()
    missing = sorted(model for model in wanted if (Kind.MODEL, model) not in entries)
    if missing:
        return Reason.MODEL_NOT_FOUND, f"no ModelDefinition is named {missing[0]}; the others are used"
    return Reason.RESOLVED, ""


def _of_evaluation(document: Mapping[str, Any], entries: Container[Key]) -> tuple[Reason, str]:
    definition = EvaluationDefinition.model_validate(document)
    model, prompt = definition.model_ref.name, definition.prompt_ref.name
    if (Kind.MODEL, model) not in entries and (Kind.ROUTE, model) not in entries:
        return Reason.MODEL_NOT_FOUND, f"no ModelDefinition or RouteDefinition is named {model}"
    if (Kind.PROMPT, prompt) not in entries:
        return Reason.PROMPT_NOT_FOUND, f"no PromptDefinition is named {prompt}"
    return Reason.RESOLVED, ""


_REFERENCES = {Kind.ROUTE: _of_route, Kind.EVALUATION: _of_evaluation}
