"""Field masks: a partial update of a definition's document. Used by the catalog.

The rules are those of google.protobuf.FieldMask for updates (AIP-134): a named field takes the patch's
value, or goes when the patch lacks it; without a mask every field that the patch has counts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from typing import Any, cast

from voyager_llm.errors import InvalidArgument


def patched(document: Mapping[str, Any], patch: Mapping[str, Any], mask: Sequence[str]) -> dict[str, Any]:
    """A copy of ``document`` with the fields of ``mask`` taken from ``patch``.

    Raises `InvalidArgument` for a mask through something that has no fields."""
    result = deepcopy(dict(document))
    for path in mask or tuple(patch):
        steps = path.split(".")
        _set(result, steps, _value(patch, steps), path)
    return result


_GONE = object()


def _value(patch: Mapping[str, Any], steps: Sequence[str]) -> Any:
    value: Any = patch
    for step in steps:
        if not isinstance(value, Mapping) or step not in value:
            return _GONE
        value = cast("Mapping[str, Any]", value)[step]
    return value


def _set(document: dict[str, Any], steps: Sequence[str], value: Any, path: str) -> None:
    *parents, last = steps
    for step in parents:
        child = document.setdefault(step, {})
        if not isinstance(child, dict):
            raise InvalidArgument(f"{path} goes through {step}, which has no fields", "update_mask")
        document = cast("dict[str, Any]", child)
    if value is _GONE:
        document.pop(last, None)
    else:
        document[last] = value
