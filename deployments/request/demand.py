"""About how many tokens a request takes: enough to keep a limit, never what bills. Used by `pipeline.py`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

from voyager_llm.domain.completion import CHARS_PER_TOKEN, CompletionRequest, Usage


@dataclass(frozen=True, slots=True)
class Demand:
    """Tokens that a request takes, as far as is known before. ``output_tokens`` 0: it does not say."""

    prompt_tokens: int
    output_tokens: int

    def used(self, output_tokens: int = 0) -> Usage:
        """What an answer of so many tokens has used, where its provider reports nothing."""
        return Usage(self.prompt_tokens, output_tokens, estimated=True)


def demand(request: CompletionRequest) -> Demand:
    body = request.body
    asked = body.get("max_completion_tokens") or body.get("max_tokens") or 0
    return Demand(_prompt_tokens(request), asked if isinstance(asked, int) else 0)


def _prompt_tokens(request: CompletionRequest) -> int:
    given = request.body.get("messages") or request.body.get("prompt") or request.body.get("input") or ""
    if isinstance(given, str):
        return len(given) // CHARS_PER_TOKEN + 1
    chars = 0
    for item in cast("list[Any]", given):
        content = cast("dict[str, Any]", item).get("content") if isinstance(item, dict) else item
        chars += len(cast("str | list[Any]", content)) if isinstance(content, (str, list)) else 8
    return chars // CHARS_PER_TOKEN + 1
