"""Default parameters of a model out of `litellm_params`. Used by `models.py`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from serve_app.commands.litellm.catalog import row_of
from serve_app.commands.litellm.entries import Entry
from serve_app.commands.litellm.notes import Notes, shown
from serve_app.commands.litellm.prices import is_price
from serve_app.commands.litellm.rows import Section
from serve_app.commands.litellm.secrets import Secrets
from serve_app.commands.litellm.source import Node
from serve_app.commands.litellm.values import UnresolvedError, Variables, WrongValueError, names_a_secret
from voyager_llm.domain.definition import json_value, parse
from voyager_llm.domain.model import ModelParameters
from voyager_llm.domain.parameters import PARAMETERS, REQUESTED, may_be_allowed
from voyager_llm.errors import InvalidArgument

_FIELDS = ("max_tokens", "temperature", "top_p", "frequency_penalty", "presence_penalty", "seed", "stop")
_MOST_FURTHER = 64


def parameters(entry: Entry, variables: Variables, secrets: Secrets, notes: Notes) -> dict[str, Any]:
    """`parameters` of a model, without what says how it is called."""
    found: dict[str, Any] = {}
    extra: dict[str, Any] = {}
    for name, node in _given(entry, notes):
        subject = f"litellm_params.{name} of {shown(entry.name)}"
        try:
            value = _value(name, node, variables)
            _check(name, value, secrets)
        except (UnresolvedError, WrongValueError) as error:
            notes.lost(node.place, subject, str(error))
            continue
        if name in _FIELDS:
            found[name] = value
        elif len(extra) < _MOST_FURTHER:
            extra[name] = value
        else:
            notes.lost(node.place, subject, f"a model has at most {_MOST_FURTHER} further parameters")
    if extra:
        found["extra"] = extra
    allowed = _allowed(entry, notes)
    if allowed:
        found["allow"] = allowed
    return found


def _given(entry: Entry, notes: Notes) -> Iterator[tuple[str, Node]]:
    """Parameters by name; those of `extra_body` count as LiteLLM sends them, over the others."""
    given = {name: node for name, node in entry.params.items() if _is_parameter(name)}
    body = entry.params.get("extra_body")
    if body is not None and not body.fields:
        notes.lost(body.place, f"litellm_params.extra_body of {shown(entry.name)}", "must be a mapping")
    if body is not None:
        given |= {name: node for name, node in body.fields.items() if not node.is_null}
    yield from given.items()


def _is_parameter(name: str) -> bool:
    """Whether the catalog leaves a setting to this file."""
    return name in _FIELDS or (not is_price(name) and "*" in row_of(Section.PARAMS, name).patterns)


def _value(name: str, node: Node, variables: Variables) -> Any:
    value = variables.data(node)
    if name == "stop" and isinstance(value, str):
        return [value]
    if name in _FIELDS and isinstance(value, str):
        number = variables.number(node)
        return int(number) if number == number.to_integral_value() else float(number)
    return value


def _check(name: str, value: Any, secrets: Secrets) -> None:
    """Raises `WrongValueError` for what the service would refuse, or nobody may read."""
    if name in _FIELDS:
        try:
            parse(ModelParameters, {name: value})
        except InvalidArgument as error:
            raise WrongValueError(error.message) from None
        return
    known = [table[name] for table in PARAMETERS.values() if name in table and name not in REQUESTED]
    if known and not any(parameter.accepts(value) for parameter in known):
        raise WrongValueError(f"must be {known[0].what}")
    if not known and not may_be_allowed(name):
        raise WrongValueError(
            "is no parameter that a model may set: it says how a call is made, or is a request's"
        )
    try:
        json_value(value)
    except ValueError as error:
        raise WrongValueError(str(error)) from None
    if _tells_a_secret(value, secrets):
        raise WrongValueError("holds what looks like a secret, and no secret is copied into a definition")


def _tells_a_secret(value: Any, secrets: Secrets) -> bool:
    if isinstance(value, dict):
        return any(
            (names_a_secret(str(name)) and isinstance(inner, str)) or _tells_a_secret(inner, secrets)
            for name, inner in value.items()
        )
    if isinstance(value, list):
        return any(_tells_a_secret(item, secrets) for item in value)
    return isinstance(value, str) and secrets.holds(value)


def _allowed(entry: Entry, notes: Notes) -> list[str]:
    node = entry.params.get("allowed_openai_params")
    found: list[str] = []
    for item in node.items if node is not None else ():
        name = str(item.scalar)
        if any(name in table for table in PARAMETERS.values()) or name in found:
            continue
        if may_be_allowed(name):
            found.append(name)
        else:
            notes.lost(
                item.place,
                f"litellm_params.allowed_openai_params of {shown(entry.name)}",
                f"{shown(name)} is no parameter that a model may allow",
            )
    return found[:_MOST_FURTHER]
