"""Checking a prompt when it is created, and rendering it with variables.

`check_prompt` is called by the catalog, `render` by the renderer stage (`deployments/prompt_renderer.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from voyager_llm.domain.prompt import PromptDefinition, PromptParameter, fits
from voyager_llm.errors import InvalidArgument, RenderFailed, TemplateInvalid
from voyager_llm.kept import Kept
from voyager_llm.templating.budget import MAX_OUTPUT_CHARS, Budget
from voyager_llm.templating.syntax import Tokens
from voyager_llm.templating.template import Template, compiled
from voyager_llm.templating.values import text

# Of all messages of a prompt together.
MAX_SOURCE_CHARS = 200_000

_MAX_REASON_CHARS = 400

_TEMPLATES: Kept[str, Template] = Kept(32_000_000)


@dataclass(frozen=True, slots=True)
class Message:
    role: str
    content: str


@dataclass(frozen=True, slots=True)
class Rendered:
    """A prompt with its variables filled in. ``messages`` holds one user message for one text."""

    messages: tuple[Message, ...]
    variables: Mapping[str, Any]

    def as_text(self) -> str:
        """All messages as one text, parted by a blank line."""
        return "\n\n".join(message.content for message in self.messages)


def check_prompt(prompt: PromptDefinition) -> None:
    """Refuse a prompt whose templates do not parse or use variables it does not declare.

    Raises `TemplateInvalid`; ``field`` is ``template`` or ``messages.N.content``.
    """
    declared = {parameter.name for parameter in prompt.parameters}
    sources = _sources(prompt)
    if sum(len(source) for _, source in sources) > MAX_SOURCE_CHARS:
        raise TemplateInvalid(f"is longer than {MAX_SOURCE_CHARS} characters", "messages")
    tokens = Tokens()
    for field, source in sources:
        try:
            template = compiled(source, tokens)
        except TemplateInvalid as error:
            raise TemplateInvalid(error.message[:_MAX_REASON_CHARS], field) from None
        undeclared = sorted(template.reads - declared)
        if undeclared:
            names = ", ".join(undeclared[:10])
            raise TemplateInvalid(f"uses variables that parameters does not declare: {names}", field)


def render(prompt: PromptDefinition, variables: Mapping[str, Any], *, texts: bool = False) -> Rendered:
    """Fill in the variables.

    ``texts`` says that all values are strings off a string map (gRPC) and are to be read as the
    parameter's type. Raises `InvalidArgument` for unknown, missing or unfit variables (``field`` is
    ``variables.NAME``) and `RenderFailed` when the template itself fails or hits a limit.
    """
    budget, tokens = Budget(), Tokens()
    values = _resolve(prompt, variables, texts, budget)
    messages: list[Message] = []
    roles = [message.role for message in prompt.messages] or ["user"]
    for role, (field, source) in zip(roles, _sources(prompt), strict=True):
        try:
            messages.append(Message(role, _template(source, tokens).render(values, budget)))
        except (TemplateInvalid, RenderFailed) as error:
            raise RenderFailed(error.message[:_MAX_REASON_CHARS], field) from None
    return Rendered(tuple(messages), values)


def _template(source: str, tokens: Tokens) -> Template:
    found = _TEMPLATES.get(source)
    if found is not None:
        return found
    made = compiled(source, tokens)
    return _TEMPLATES.put(source, made, made.bytes)


def _sources(prompt: PromptDefinition) -> list[tuple[str, str]]:
    if prompt.template:
        return [("template", prompt.template)]
    return [(f"messages.{i}.content", message.content) for i, message in enumerate(prompt.messages)]


def _resolve(
    prompt: PromptDefinition, variables: Mapping[str, Any], texts: bool, budget: Budget
) -> dict[str, Any]:
    parameters = {parameter.name: parameter for parameter in prompt.parameters}
    unknown = next((name for name in variables if name not in parameters), None)
    if unknown is not None:
        raise InvalidArgument(f"prompt {prompt.name} has no such parameter", f"variables.{unknown[:64]}")
    values: dict[str, Any] = {}
    for name, parameter in parameters.items():
        if name in variables:
            values[name] = _typed(parameter, variables[name], texts, budget)
        elif parameter.required:
            raise InvalidArgument("is required", f"variables.{name}")
        else:
            values[name] = parameter.default if parameter.default is not None else ""
    return values


def _typed(parameter: PromptParameter, value: Any, is_text: bool, budget: Budget) -> Any:
    field = f"variables.{parameter.name}"
    if isinstance(value, str) and len(value) > MAX_OUTPUT_CHARS:
        raise InvalidArgument(f"is longer than {MAX_OUTPUT_CHARS} characters", field)
    if is_text and isinstance(value, str) and parameter.type != "string":
        value = _read(parameter, value, field)
    if not fits(value, parameter.type):
        raise InvalidArgument(f"must be of type {parameter.type}", field)
    if not parameter.enum:
        return value
    _weigh(budget, value, field)
    if value not in parameter.enum:
        allowed = ", ".join(text(item)[:64] for item in parameter.enum[:16])
        raise InvalidArgument(f"must be one of: {allowed}{', …' * (len(parameter.enum) > 16)}", field)
    return value


def _read(parameter: PromptParameter, value: str, field: str) -> Any:
    if parameter.type == "enum" and value in parameter.enum:
        return value
    try:
        return orjson.loads(value)
    except orjson.JSONDecodeError:
        raise InvalidArgument(f"must be of type {parameter.type}", field) from None


def _weigh(budget: Budget, value: Any, field: str) -> None:
    """Bounds what comparing a value costs, and how deep it goes."""
    try:
        budget.pay_whole(value)
    except RenderFailed as error:
        raise InvalidArgument(error.message, field) from None
