"""A prompt: an immutable, semantically versioned template with typed parameters.

Fields are the specification's PromptDefinition. Used by the store, the renderer and the codecs.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from voyager_llm.domain.alias import VERSION_MARK, Aliases
from voyager_llm.domain.definition import Capability, Frozen, Money, Name, json_value

ParameterType = Literal["string", "integer", "number", "boolean", "enum", "list", "object"]

SEMVER = re.compile(
    r"^(0|[1-9]\d{0,8})\.(0|[1-9]\d{0,8})\.(0|[1-9]\d{0,8})"
    r"(-[0-9A-Za-z-]+(\.[0-9A-Za-z-]+)*)?(\+[0-9A-Za-z-]+(\.[0-9A-Za-z-]+)*)?$"
)

_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "enum": (str, int, float),
    "list": (list,),
    "object": (dict,),
}


class PromptParameter(Frozen):
    """One variable of the template."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,63}$", max_length=64)]
    type: ParameterType = "string"
    required: bool = False
    description: str = Field(default="", max_length=4096)
    default: Annotated[Any, AfterValidator(json_value)] = None
    enum: tuple[Annotated[Any, AfterValidator(json_value)], ...] = Field(default=(), max_length=256)

    @model_validator(mode="after")
    def _consistent(self) -> PromptParameter:
        if self.type == "enum" and not self.enum:
            raise ValueError("a parameter of type enum needs its enum values")
        for i, value in enumerate(self.enum):
            if not fits(value, self.type):
                raise ValueError(f"enum.{i} is no {self.type}")
        if self.default is not None:
            if not fits(self.default, self.type):
                raise ValueError(f"default is no {self.type}")
            if self.enum and self.default not in self.enum:
                raise ValueError("default is not among enum")
        return self


class ModelRequirements(Frozen):
    """What a model must offer; empty: any model will do."""

    min_context_length: Annotated[int, Field(ge=0, le=100_000_000)] = 0
    capabilities: tuple[Capability, ...] = Field(default=(), max_length=64)
    max_output_token_cost: Money | None = None


class MessageTemplate(Frozen):
    """One message of a chat prompt; ``content`` is a template."""

    role: Literal["system", "user", "assistant"]
    content: str = Field(min_length=1, max_length=200_000)


class PromptFields(Frozen):
    """What one version of a prompt consists of: either one ``template`` or ``messages``."""

    version: str = Field(max_length=64)
    description: str = Field(default="", max_length=4096)
    template: str = Field(default="", max_length=200_000)
    messages: tuple[MessageTemplate, ...] = Field(default=(), max_length=64)
    parameters: tuple[PromptParameter, ...] = Field(default=(), max_length=128)
    model_requirements: ModelRequirements = ModelRequirements()
    evaluation_criteria: tuple[Annotated[str, Field(max_length=256)], ...] = Field(default=(), max_length=64)
    aliases: Aliases = ()

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if not SEMVER.match(self.version):
            raise ValueError(f"version {self.version!r} is not semantic (e.g. 1.2.0)")
        if bool(self.template) == bool(self.messages):
            raise ValueError("give either template or messages")
        names = [parameter.name for parameter in self.parameters]
        if len(names) != len(set(names)):
            raise ValueError("parameter names must be unique")
        if any(VERSION_MARK in alias for alias in self.aliases):
            raise ValueError(f"aliases of a prompt must not contain {VERSION_MARK}, which a version follows")
        return self


class PromptDefinition(PromptFields):
    """One version of a prompt under a name of ours."""

    name: Name


def fits(value: object, kind: ParameterType) -> bool:
    """Whether a JSON value is of a parameter's type. A boolean is no number."""
    if isinstance(value, bool):
        return kind == "boolean"
    return isinstance(value, _TYPES[kind])


def next_patch(version: str) -> str:
    """The patch version after ``version``: 1.2.0 gives 1.2.1."""
    match = SEMVER.match(version)
    if not match:
        return "1.0.0"
    return f"{match[1]}.{match[2]}.{int(match[3]) + 1}"
