"""Checking a prompt when it is created, and rendering it with variables.

`check_prompt` is called by the catalog, `render` by the renderer stage (`deployments/prompt_renderer.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import orjson
from jinja2 import Template, TemplateError, TemplateSyntaxError, UndefinedError, meta
from jinja2.exceptions import SecurityError

from voyager_llm.domain.prompt import PromptDefinition, PromptParameter, fits
from voyager_llm.errors import InvalidArgument, RenderFailed, TemplateInvalid
from voyager_llm.templating.policy import check
from voyager_llm.templating.sandbox import MAX_OUTPUT_CHARS, METER, Meter, PromptEnvironment, text

_ENVIRONMENT = PromptEnvironment()


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
    for field, source in _sources(prompt):
        try:
            tree = _ENVIRONMENT.parse(source)
            check(tree)
            _ENVIRONMENT.from_string(source)
        except TemplateSyntaxError as error:
            column = _column(source, error.lineno)
            raise TemplateInvalid(f"line {error.lineno}, column {column}: {error.message}", field) from None
        except RecursionError:
            raise TemplateInvalid("the template is nested too deeply", field) from None
        except TemplateInvalid as error:
            raise TemplateInvalid(error.message, field) from None
        undeclared = sorted(meta.find_undeclared_variables(tree) - declared - {"range"})
        if undeclared:
            names = ", ".join(undeclared)
            raise TemplateInvalid(f"uses variables that parameters does not declare: {names}", field)


def render(prompt: PromptDefinition, variables: Mapping[str, Any], *, texts: bool = False) -> Rendered:
    """Fill in the variables.

    ``texts`` says that all values are strings off a string map (gRPC) and are to be read as the
    parameter's type. Raises `InvalidArgument` for unknown, missing or unfit variables (``field`` is
    ``variables.NAME``) and `RenderFailed` when the template itself fails or hits a limit.
    """
    values = _resolve(prompt, variables, texts)
    if prompt.messages:
        rendered = tuple(Message(m.role, _render(m.content, values)) for m in prompt.messages)
    else:
        rendered = (Message("user", _render(prompt.template, values)),)
    return Rendered(rendered, values)


def _sources(prompt: PromptDefinition) -> list[tuple[str, str]]:
    if prompt.template:
        return [("template", prompt.template)]
    return [(f"messages.{i}.content", message.content) for i, message in enumerate(prompt.messages)]


def _column(source: str, line: int) -> int:
    """Jinja2 reports lines only: the column of the line's last tag or expression is where it gave up."""
    lines = source.splitlines()
    found = lines[line - 1] if 0 < line <= len(lines) else ""
    return max(found.rfind("{{"), found.rfind("{%"), 0) + 1


def _resolve(prompt: PromptDefinition, variables: Mapping[str, Any], texts: bool) -> dict[str, Any]:
    parameters = {parameter.name: parameter for parameter in prompt.parameters}
    unknown = sorted(set(variables) - set(parameters))
    if unknown:
        raise InvalidArgument(f"prompt {prompt.name} has no such parameter", f"variables.{unknown[0]}")
    values: dict[str, Any] = {}
    for name, parameter in parameters.items():
        if name in variables:
            values[name] = _typed(parameter, variables[name], texts)
        elif parameter.required:
            raise InvalidArgument("is required", f"variables.{name}")
        else:
            values[name] = parameter.default if parameter.default is not None else ""
    return values


def _typed(parameter: PromptParameter, value: Any, is_text: bool) -> Any:
    field = f"variables.{parameter.name}"
    if is_text and isinstance(value, str) and parameter.type != "string":
        value = _read(parameter, value, field)
    if not fits(value, parameter.type):
        raise InvalidArgument(f"must be of type {parameter.type}", field)
    if parameter.enum and value not in parameter.enum:
        allowed = ", ".join(text(item) for item in parameter.enum)
        raise InvalidArgument(f"must be one of: {allowed}", field)
    if isinstance(value, str) and len(value) > MAX_OUTPUT_CHARS:
        raise InvalidArgument(f"is longer than {MAX_OUTPUT_CHARS} characters", field)
    return value


def _read(parameter: PromptParameter, value: str, field: str) -> Any:
    if parameter.type == "enum" and value in parameter.enum:
        return value
    try:
        return orjson.loads(value)
    except orjson.JSONDecodeError:
        raise InvalidArgument(f"must be of type {parameter.type}", field) from None


@lru_cache(maxsize=2048)
def _compiled(source: str) -> Template:
    return _ENVIRONMENT.from_string(source)


def _render(source: str, values: dict[str, Any]) -> str:
    token = METER.set(Meter.start())
    try:
        pieces: list[str] = []
        size = 0
        for piece in _compiled(source).generate(values):
            size += len(piece)
            if size > MAX_OUTPUT_CHARS:
                raise RenderFailed(f"the prompt is longer than {MAX_OUTPUT_CHARS} characters", "variables")
            pieces.append(piece)
        return "".join(pieces)
    except (SecurityError, UndefinedError) as error:
        raise RenderFailed(str(error), "template") from None
    except (TemplateError, TypeError, ValueError, ArithmeticError, LookupError, RecursionError) as error:
        raise RenderFailed(f"{type(error).__name__} while rendering", "template") from error
    finally:
        METER.reset(token)
