"""Pydantic's JSON schema into Kubernetes' structural schema.

References are inlined, unions with null become optional fields, rules of `rules.py` are attached. What has
no counterpart raises, and so does a string, list or map without a bound: the API server estimates what a
rule costs by them. See https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/
custom-resource-definitions/#specifying-a-structural-schema. Used by `resources.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from pydantic import BaseModel

from voyager_llm.definitions.crd.rules import RULES

Schema = dict[str, Any]

# Kept as they are.
_COPIED = frozenset(
    {"type", "format", "enum", "pattern", "minimum", "maximum", "minLength", "maxLength", "minItems",
     "maxItems", "maxProperties", "x-kubernetes-list-type", "x-kubernetes-list-map-keys",
     "x-kubernetes-int-or-string", "x-kubernetes-preserve-unknown-fields"}
)  # fmt: skip
# Dropped: said by the type, applied when the object is read, or handled below.
_DROPPED = frozenset({"title", "default", "description", "$defs", "$ref", "anyOf", "const", "items",
                      "properties", "required", "additionalProperties", "propertyNames", "exclusiveMinimum",
                      "exclusiveMaximum"})  # fmt: skip


# Characters of the longest string, a prompt's template. `Frozen` bounds all others only loosely.
_LONGEST = 200_000


class SchemaError(TypeError):
    """A pydantic field that a CRD cannot express, by its path."""


def structural(model: type[BaseModel]) -> Schema:
    """The structural schema of a model. Raises `SchemaError`."""
    root = model.model_json_schema(mode="validation")
    return _Converter(root.get("$defs", {})).convert(root, model.__name__, model.__name__)


class _Converter:
    def __init__(self, definitions: Mapping[str, Schema]) -> None:
        self._definitions = definitions

    def convert(self, schema: Schema, path: str, name: str = "") -> Schema:
        """``name``: the class or field whose rules apply."""
        if "$ref" in schema:
            name = schema["$ref"].removeprefix("#/$defs/")
            described = {k: v for k, v in schema.items() if k == "description"}
            return self.convert({**self._definitions[name], **described}, path, name)
        if "anyOf" in schema:
            return self.convert({**_optional(schema, path), **_beside_union(schema)}, path, name)
        unknown = schema.keys() - _COPIED - _DROPPED
        if unknown:
            raise SchemaError(f"{path}: no structural counterpart of {', '.join(sorted(unknown))}")
        result: Schema = {key: schema[key] for key in sorted(schema.keys() & _COPIED)}
        if text := schema.get("description"):
            result["description"] = _one_line(text)
        if "const" in schema:
            result["enum"] = [schema["const"]]
        _exclusive(schema, result)
        self._structure(schema, result, path, name)
        _refuse_unbounded(result, path)
        if rules := RULES.get(name):
            result["x-kubernetes-validations"] = [rule.schema() for rule in rules]
        return result

    def _structure(self, schema: Schema, result: Schema, path: str, name: str) -> None:
        if "items" in schema:
            result["items"] = self.convert(schema["items"], f"{path}[]")
        if "properties" in schema:
            result["properties"] = {
                field: self.convert(of, f"{path}.{field}", f"{name}.{field}")
                for field, of in schema["properties"].items()
            }
            if required := schema.get("required"):
                result["required"] = sorted(required)
        elif schema.get("type") == "object":
            values = schema.get("additionalProperties")
            if values is True:
                result["x-kubernetes-preserve-unknown-fields"] = True
            elif isinstance(values, dict):
                result["additionalProperties"] = self.convert(cast("Schema", values), f"{path}{{}}")
            else:
                raise SchemaError(f"{path}: an object needs properties or values of a type")


def _optional(schema: Schema, path: str) -> Schema:
    options: list[Schema] = [option for option in schema["anyOf"] if option.get("type") != "null"]
    if len(options) != 1:
        raise SchemaError(f"{path}: a union has no structural counterpart")
    return options[0]


def _beside_union(schema: Schema) -> Schema:
    return {key: value for key, value in schema.items() if key not in ("anyOf", "default", "title")}


def _exclusive(schema: Schema, result: Schema) -> None:
    """OpenAPI 3.0, which Kubernetes speaks, has exclusiveMinimum as a flag beside minimum."""
    for side in ("Minimum", "Maximum"):
        if f"exclusive{side}" in schema:
            result[side.lower()] = schema[f"exclusive{side}"]
            result[f"exclusive{side}"] = True


def _refuse_unbounded(result: Schema, path: str) -> None:
    kind = result.get("type")
    if result.get("x-kubernetes-int-or-string"):
        return
    if kind is None:
        raise SchemaError(f"{path}: needs a type")
    bounds = {"string": ("maxLength", "enum"), "array": ("maxItems",)}.get(kind, ())
    is_map = kind == "object" and "properties" not in result
    if is_map and "maxProperties" not in result:
        raise SchemaError(f"{path}: a map needs max_length")
    if bounds and not any(bound in result for bound in bounds):
        raise SchemaError(f"{path}: a {kind} needs max_length")
    if result.get("maxLength", 0) > _LONGEST:
        raise SchemaError(f"{path}: needs a max_length of at most {_LONGEST}")


def _one_line(text: str) -> str:
    return " ".join(text.replace("``", "").split())
