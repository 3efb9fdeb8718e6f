"""What all definitions share: a frozen base, names, a canonical form, validation with our errors.

Used by the definitions beside this file, by the store and by `controller/`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import Annotated, Any, TypeVar, cast

import orjson
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    ValidationError,
    WithJsonSchema,
)

from voyager_llm.errors import InvalidArgument


class Kind(StrEnum):
    """The kinds of definition that the platform's teams write."""

    MODEL = "model"
    PROMPT = "prompt"
    ROUTE = "route"
    EVALUATION = "evaluation"


class Frozen(BaseModel):
    """Base of every definition: immutable, strict about unknown fields."""

    model_config = ConfigDict(frozen=True, extra="forbid", str_max_length=1_000_000)


def _money(value: object) -> object:
    """A float keeps the digits a person wrote: 3e-05 is Decimal('0.00003'), not its binary tail."""
    if isinstance(value, bool):
        raise ValueError("must be a number")
    if isinstance(value, float):
        return Decimal(repr(value))
    if isinstance(value, str):
        try:
            return Decimal(value)
        except InvalidOperation:
            raise ValueError("must be a number") from None
    return value


# Price of one token. Written to JSON as a string, so that no digit is lost on the way, and
# without trailing zeros, so that equal prices are equal bytes.
Money = Annotated[
    Decimal,
    BeforeValidator(_money),
    Field(ge=0, le=1000, allow_inf_nan=False),
    PlainSerializer(lambda value: format(value.normalize(), "f"), return_type=str, when_used="json"),
    # As Kubernetes shall see it: a number, as the specification's examples have it.
    WithJsonSchema({"type": "number", "minimum": 0, "maximum": 1000}),
]


# Levels of lists and objects in one another. Comparing, printing and packing a value recurse in C.
MAX_NESTING = 64


def json_value(value: Any) -> Any:
    """A field that may hold any JSON, as we keep it. Raises `ValueError` when it is nested too deeply.

    JSON knows one kind of number, and protobuf's Value makes every one a float: 5.0 is 5. Beyond 64 bits
    it stays a float, as no JSON of ours holds longer whole numbers."""
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**63:
        return int(value)
    level = [value]
    for _ in range(MAX_NESTING + 1):
        level = [inner for outer in level for inner in _held(outer)]
        if not level:
            return value
    raise ValueError(f"must not be nested more than {MAX_NESTING} levels deep")


def _held(value: Any) -> Iterable[Any]:
    if isinstance(value, dict):
        return cast("dict[str, Any]", value).values()
    return cast("list[Any]", value) if isinstance(value, list) else ()


Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9]([A-Za-z0-9._-]{0,251}[A-Za-z0-9])?$", max_length=253)]
Capability = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,63}$", max_length=64)]

T = TypeVar("T", bound=Frozen)


def parse(kind: type[T], document: Mapping[str, Any]) -> T:
    """Validate a document.

    Raises `InvalidArgument` whose ``field`` is the dotted path of the first fault and whose message
    lists them all.
    """
    try:
        return kind.model_validate(document)
    except ValidationError as error:
        faults = [
            (".".join(str(part) for part in fault["loc"]), fault["msg"].removeprefix("Value error, "))
            for fault in error.errors(include_url=False, include_context=False, include_input=False)
        ]
        if len(faults) == 1:
            raise InvalidArgument(faults[0][1], faults[0][0]) from None
        text = "; ".join(f"{field}: {message}" if field else message for field, message in faults)
        raise InvalidArgument(text, faults[0][0]) from None


def document(definition: Frozen) -> dict[str, Any]:
    """The definition as JSON data, complete but for what is absent: None, empty lists, and nested
    objects that were not given."""
    values = definition.model_dump(mode="json", exclude_none=True)
    for name, field in type(definition).model_fields.items():
        if values.get(name) in ([], {}) or (
            isinstance(field.default, BaseModel) and getattr(definition, name) == field.default
        ):
            values.pop(name, None)
    return values


def canonical(definition: Frozen) -> bytes:
    """The definition as JSON with sorted keys, without defaults: equal content, equal bytes."""
    return orjson.dumps(
        definition.model_dump(mode="json", exclude_defaults=True), option=orjson.OPT_SORT_KEYS
    )


def digest(content: bytes) -> str:
    """SHA-256 of canonical content, in hex."""
    return hashlib.sha256(content).hexdigest()
