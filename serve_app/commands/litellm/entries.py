"""Entries of `model_list`: checked, with the credentials that they name, and with what a wildcard stands for.

Used by `translate.py`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

from serve_app.commands.client import ServiceError
from serve_app.commands.litellm.catalog import mapped_fields
from serve_app.commands.litellm.notes import Notes, Place, shown
from serve_app.commands.litellm.rows import Section
from serve_app.commands.litellm.source import Node
from serve_app.commands.litellm.values import UnresolvedError, Variables, WrongValueError

_ANY = "*"
# Faults that are told at once.
_MOST_FAULTS = 20


@dataclass(frozen=True, slots=True)
class Entry:
    """One deployment: what clients call it, and what it is, by setting."""

    name: str
    model: str
    place: Place
    params: Mapping[str, Node]
    info: Mapping[str, Node]

    def either(self, name: str) -> Node | None:
        """A setting that may stand in either mapping."""
        return self.params.get(name) or self.info.get(name)


def entries_of(config: Node, variables: Variables, notes: Notes) -> Sequence[Entry]:
    """The entries that can be read; the others are noted.

    Raises `ServiceError` where LiteLLM would not start."""
    given = config.fields.get("model_list")
    if given is None or not given.items:
        raise ServiceError(
            f"{config.place.file}: has no model_list, or an empty one; models are imported from there"
        )
    faults = [fault for node in given.items if (fault := _fault(node))]
    if faults:
        further = len(faults) - _MOST_FAULTS
        shown_faults = faults[:_MOST_FAULTS] + ([f"and {further} more"] if further > 0 else [])
        raise ServiceError("\n".join(shown_faults))
    credentials = _credentials(config)
    found = (_entry(node, credentials, variables, notes) for node in given.items)
    return [entry for entry in found if entry is not None]


def _fault(node: Node) -> str:
    """Why an entry is none; empty: it is one."""
    name, params = node.fields.get("model_name"), node.fields.get("litellm_params")
    if name is None or name.scalar in (None, ""):
        return f"{node.place}: an entry of model_list needs a model_name"
    if params is None or not params.fields:
        return f"{node.place}: the entry {shown(str(name.scalar))} needs litellm_params"
    model = params.fields.get("model")
    if model is None or model.scalar in (None, ""):
        return f"{params.place}: litellm_params of {shown(str(name.scalar))} need a model"
    return ""


def _credentials(config: Node) -> Mapping[str, Mapping[str, Node]]:
    """By name, what `credential_list` holds."""
    listed = config.fields.get("credential_list")
    found: dict[str, Mapping[str, Node]] = {}
    for node in listed.items if listed else ():
        name, values = node.fields.get("credential_name"), node.fields.get("credential_values")
        if name is not None and values is not None:
            found[str(name.scalar)] = values.fields
    return found


def _entry(
    node: Node, credentials: Mapping[str, Mapping[str, Node]], variables: Variables, notes: Notes
) -> Entry | None:
    name = node.fields["model_name"]
    subject = shown(str(name.scalar))
    given = mapped_fields(Section.ENTRY, node, notes, subject)
    params = _with_credentials(given["litellm_params"], credentials, subject, notes)
    fields = mapped_fields(Section.PARAMS, params, notes, subject)
    infos = [where["model_info"] for where in (fields, given) if "model_info" in where]
    info: dict[str, Node] = {}
    for one in infos:
        info |= mapped_fields(Section.INFO, one, notes, subject)
    for limit in ("rpm", "tpm"):
        if limit in given:
            info.setdefault(limit, given[limit])
    try:
        group, model = variables.text(name), variables.text(fields["model"])
    except (UnresolvedError, WrongValueError) as error:
        notes.left_out(node.place, subject, f"the model's name cannot be told: {error}")
        return None
    return Entry(group, model, node.place, MappingProxyType(fields), MappingProxyType(info))


def _with_credentials(
    params: Node, credentials: Mapping[str, Mapping[str, Node]], subject: str, notes: Notes
) -> Node:
    named = params.fields.get("litellm_credential_name")
    if named is None or named.is_null:
        return params
    values = credentials.get(str(named.scalar))
    if values is None:
        notes.lost(
            named.place,
            f"litellm_params.litellm_credential_name of {subject}",
            "credential_list has no such entry",
        )
        return params
    return Node({**values, **params.fields}, params.place)


def expanded(entries: Iterable[Entry], mentioned: Mapping[str, Place], notes: Notes) -> Sequence[Entry]:
    """Entries without wildcards.

    ``mentioned``: names, and where they stand, that a wildcard may be meant to answer to."""
    plain = [entry for entry in entries if _ANY not in entry.name + entry.model]
    wild = [entry for entry in entries if _ANY in entry.name + entry.model]
    names = {entry.name for entry in plain}
    made: dict[Place, list[str]] = {}
    # The most special one answers.
    wild.sort(key=lambda entry: len(entry.name.replace(_ANY, "")), reverse=True)
    for name in mentioned:
        meant = next((entry for entry in wild if name not in names and _matched(entry, name)), None)
        if meant is not None:
            plain.append(replace(meant, name=name, model=_matched(meant, name)))
            made.setdefault(meant.place, []).append(name)
    for entry in wild:
        of = made.get(entry.place, [])
        told = f"; what the file names elsewhere was tried: {', '.join(map(shown, of))}" if of else ""
        notes.left_out(
            entry.place,
            shown(entry.name),
            "a wildcard stands for models that nobody defined, each at a price that nobody knows: write an "
            "entry "
            f"for each that is used, or import again with --model NAME for each{told}",
        )
    return plain


def _matched(entry: Entry, name: str) -> str:
    """The model that a wildcard makes of a name; empty: it does not answer to it."""
    pattern = "(.+)".join(map(re.escape, entry.name.split(_ANY)))
    found = re.fullmatch(pattern, name)
    if found is None or _ANY not in entry.name:
        return ""
    model = entry.model
    for part in found.groups():
        model = model.replace(_ANY, part, 1)
    return "" if _ANY in model else model
