"""The list of what may be asked, as Anthropic's API has it. Used by `anthropic/api.py`."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl

import orjson

from voyager_llm.domain.alias import PROMPT_PREFIX
from voyager_llm.errors import InvalidArgument
from voyager_llm.snapshot import CompiledModel, RuntimeConfig

# When a model was made is not known; Anthropic's own list says so as well.
_UNKNOWN = "1970-01-01T00:00:00Z"
_LIMIT, _MOST = 20, 1000


def list_models(config: RuntimeConfig, query: str) -> bytes:
    """A page: ``limit`` names behind ``after_id`` or before ``before_id``. Raises `InvalidArgument`."""
    asked = dict(parse_qsl(query))
    called = {*config.models, *config.routes, *config.aliases}
    prompts = {*config.prompts, *config.prompt_aliases}
    names = sorted([*called, *(f"{PROMPT_PREFIX}{name}" for name in prompts)])
    limit = _limit(asked.get("limit", ""))
    after, before = asked.get("after_id"), asked.get("before_id")
    left = [name for name in names if (not after or name > after) and (not before or name < before)]
    page = left[-limit:] if before and not after else left[:limit]
    return orjson.dumps(
        {
            "data": [_entry(config, name) for name in page],
            "has_more": len(left) > len(page),
            "first_id": page[0] if page else None,
            "last_id": page[-1] if page else None,
        }
    )


def show_model(config: RuntimeConfig, name: str) -> bytes:
    """One of them. Raises `NotFound`."""
    if name.startswith(PROMPT_PREFIX):
        config.prompt(name.removeprefix(PROMPT_PREFIX))
    else:
        config.destination(name)
    return orjson.dumps(_entry(config, name))


def _entry(config: RuntimeConfig, name: str) -> dict[str, Any]:
    found = config.find(name)
    model = found if isinstance(found, CompiledModel) else None
    return {
        "type": "model",
        "id": name,
        "display_name": name,
        "created_at": _UNKNOWN,
        "lifecycle": "active",
        "max_input_tokens": model.context_length if model is not None else None,
        "max_tokens": model.max_tokens if model is not None else None,
    }


def _limit(given: str) -> int:
    if not given:
        return _LIMIT
    if not given.isascii() or not given.isdigit() or not 1 <= int(given[:9]) <= _MOST:
        raise InvalidArgument(f"must be from 1 to {_MOST}", "limit")
    return int(given)
