"""In what two sides differ: ``+path`` is ours alone, ``-path`` LiteLLM's alone, ``~path`` has two values.

A path names fields; places in lists are left out of it, so that one line says what is the same everywhere.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any, cast

from tests.contract.differential.sides import Done
from tests.support.recorder import Seen

# Headers that say what is sent and who sends it; the rest are the HTTP client's.
_HEADERS = frozenset({"authorization", "x-api-key", "api-key", "x-goog-api-key", "content-type"})
# Made anew for each answer; so are the names of calls that a provider has none for.
_MADE = frozenset({"id", "created"})
_TOTALS = ("prompt_tokens", "completion_tokens", "total_tokens")
_MADE_CALL = re.compile(r"(call_)?[0-9a-f]{8}-?[0-9a-f-]{8,}")


def requests_differ(our: Done, their: Done) -> frozenset[str]:
    if our.sent is None or their.sent is None:
        if our.sent is None and their.sent is None:
            return frozenset()
        return frozenset({"refused by us" if our.sent is None else "refused by LiteLLM"})
    found = set(_compared("", our.sent.body, their.sent.body))
    found |= set(_compared("header", _headers(our.sent), _headers(their.sent)))
    if our.sent.target != their.sent.target:
        found.add("~target")
    return frozenset(found)


def answers_differ(our: Done, their: Done) -> frozenset[str]:
    if our.answer is None or their.answer is None:
        if our.answer is None and their.answer is None:
            return frozenset()
        return frozenset({"failed by us" if our.answer is None else "failed by LiteLLM"})
    if isinstance(our.answer, list):
        return frozenset(_compared("", folded(our.answer), folded(their.answer)))
    return frozenset(_compared("", _whole(our.answer), _whole(their.answer)))


def _whole(answer: dict[str, Any]) -> Any:
    return _lasting({**answer, "usage": _totals(answer.get("usage"))})


def folded(chunks: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """A stream put together again, as SDKs do it."""
    choices: dict[int, dict[str, Any]] = {}
    usage: Any = None
    for chunk in chunks:
        usage = chunk.get("usage") or usage
        for choice in chunk.get("choices") or ():
            message = choices.setdefault(choice.get("index") or 0, {})
            _fold(message, choice.get("delta") or {})
            if choice.get("finish_reason"):
                message["finish_reason"] = choice["finish_reason"]
    return {"choices": [choices[index] for index in sorted(choices)], "usage": _totals(usage)}


def _totals(usage: Any) -> Any:
    """Of usage these alone: the parts are read from the provider's own report, not from LiteLLM's count
    (`tests/contract/test_usage.py`)."""
    return usage and {name: usage.get(name) for name in _TOTALS}


def _fold(into: dict[str, Any], delta: dict[str, Any]) -> None:
    for name, value in delta.items():
        if name == "role" or value in (None, "", []):
            into.setdefault("role", value) if name == "role" else None
        elif name == "tool_calls":
            calls = into.setdefault("tool_calls", {})
            for call in value:
                _fold_call(calls.setdefault(str(call.get("index") or 0), {}), call)
        elif isinstance(value, str):
            into[name] = into.get(name, "") + value
        elif isinstance(value, list):
            into[name] = [*into.get(name, []), *cast("list[Any]", value)]
        elif isinstance(value, dict):
            _fold(into.setdefault(name, {}), cast("dict[str, Any]", value))
        else:
            into[name] = value


def _fold_call(into: dict[str, Any], call: dict[str, Any]) -> None:
    function = call.get("function") or {}
    if call.get("id"):
        into["id"] = call["id"]
    if function.get("name"):
        into["name"] = function["name"]
    into["arguments"] = into.get("arguments", "") + (function.get("arguments") or "")


def _lasting(answer: Any) -> Any:
    """Without what is made anew each time, and without nulls."""
    if isinstance(answer, dict):
        fields = cast("dict[str, Any]", answer)
        return {
            name: _lasting(value)
            for name, value in fields.items()
            if value is not None and not (name in _MADE and "object" in fields)
        }
    return [_lasting(one) for one in cast("list[Any]", answer)] if isinstance(answer, list) else answer


def _headers(seen: Seen) -> dict[str, str]:
    return {n: v for n, v in seen.headers if n in _HEADERS or n.startswith("anthropic-")}


def _compared(path: str, our: Any, their: Any) -> Iterator[str]:
    if isinstance(our, dict) and isinstance(their, dict):
        mine, other = cast("dict[str, Any]", our), cast("dict[str, Any]", their)
        for name in mine.keys() | other.keys():
            inner = f"{path}.{name}" if path else name
            if name not in other or name not in mine:
                yield ("+" if name in mine else "-") + inner
            else:
                yield from _compared(inner, mine[name], other[name])
    elif isinstance(our, list) and isinstance(their, list):
        ones, others = cast("list[Any]", our), cast("list[Any]", their)
        if len(ones) != len(others):
            yield f"~{path}[]"
        else:
            for one, another in zip(ones, others, strict=True):
                yield from _compared(f"{path}[]", one, another)
    elif not _is_same(our, their):
        yield f"~{path}"


def _is_same(our: Any, their: Any) -> bool:
    if isinstance(our, str) and isinstance(their, str):
        return _MADE_CALL.sub("", our) == _MADE_CALL.sub("", their)
    return our == their and type(our) is type(their)
