"""About how many tokens a request takes and an answer has: enough to keep a limit, and to account for an
answer whose provider reports nothing. The rules stand in `docs/usage.md`. Used by `pipeline.py` and
`attempt.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, cast

import orjson

from voyager_llm.domain.completion import CompletionRequest
from voyager_llm.domain.operation import FURTHER, Operation
from voyager_llm.domain.usage import Usage

# Rule of thumb for English text. All else is counted in characters that would be as many tokens.
_CHARS_PER_TOKEN = 4
# What OpenAI takes for a picture of 1024 by 1024, and for one in low detail.
_PICTURE = 765 * _CHARS_PER_TOKEN
_SMALL_PICTURE = 85 * _CHARS_PER_TOKEN
# Characters of base64 for a token: a second of compressed sound has 20,000 and takes 10 to 30 tokens, a page
# of a file 100,000 and takes 1,000 to 3,000.
_SOUND_PER_TOKEN = 1000
_FILE_PER_TOKEN = 64
# Bytes of a second of compressed sound, and what it takes of tokens.
_SOUND_PER_SECOND, _SOUND_TOKENS = 15_000, 10
# Documents that Cohere counts as one search.
_SEARCHED = 100
_ONE_REQUEST = Usage(requests=1)


@dataclass(frozen=True, slots=True)
class Demand:
    """Tokens that a request takes, as far as is known before. ``output_tokens`` 0: it does not say."""

    prompt_tokens: int
    output_tokens: int
    # What is paid for beside tokens.
    beside: Usage = _ONE_REQUEST

    def used(self, output_tokens: int = 0) -> Usage:
        """What an answer of so many tokens has used, where its provider reports nothing."""
        return replace(
            self.beside, input_tokens=self.prompt_tokens, output_tokens=output_tokens, estimated=True
        )


def demand(request: CompletionRequest) -> Demand:
    if request.operation in FURTHER:
        return _further(request)
    body = request.body
    asked = body.get("max_completion_tokens") or body.get("max_tokens") or 0
    given = body.get("messages") or body.get("prompt") or body.get("input") or ""
    return Demand(_tokens(_given(given)), asked if isinstance(asked, int) else 0)


def _further(request: CompletionRequest) -> Demand:
    """Of what is no text, what its providers charge for: rules of thumb where the request does not say it."""
    body, sent = request.body, len(request.original.body) if request.original is not None else 0
    match request.operation:
        case Operation.MODERATIONS:
            return Demand(_tokens(_given(body.get("input"))), 0)
        case Operation.RERANK:
            documents: Any = body.get("documents")
            searches = -(-len(documents) // _SEARCHED) if isinstance(documents, list) else 0  # pyright: ignore[reportUnknownArgumentType]
            chars = _text(body.get("query")) + _given(documents)
            return Demand(_tokens(chars), 0, Usage(search_units=searches, requests=1))
        case Operation.SPEECH:
            characters = _text(body.get("input"))
            return Demand(_tokens(characters), 0, Usage(characters=characters, requests=1))
        case Operation.IMAGES | Operation.IMAGE_EDITS | Operation.IMAGE_VARIATIONS:
            made = body.get("n")
            images = made if isinstance(made, int) else 1
            return Demand(_tokens(_text(body.get("prompt"))), 0, Usage(images=images, requests=1))
        case Operation.TRANSCRIPTIONS | Operation.TRANSLATIONS:
            seconds = sent // _SOUND_PER_SECOND + 1
            return Demand(_SOUND_TOKENS * seconds, 0, Usage(audio_seconds=seconds, requests=1))
        case _:
            return Demand(0, 0)


def written_tokens(answer: bytes) -> int:
    """About how many tokens a model wrote, out of a whole answer in OpenAI's shape; of none, none."""
    try:
        document: Any = orjson.loads(answer)
    except orjson.JSONDecodeError:
        return 0
    choices = _dicts(document.get("choices")) if isinstance(document, dict) else []
    chars = sum(
        _text(choice.get("text")) + sum(_message(message) for message in _dicts([choice.get("message")]))
        for choice in choices
    )
    return _tokens(chars) if choices else 0


def _tokens(chars: int) -> int:
    return chars // _CHARS_PER_TOKEN + 1


def _given(given: object) -> int:
    """Characters of messages, of texts, or of token ids."""
    if not isinstance(given, list):
        return _text(given)
    items = cast("list[Any]", given)
    if items and isinstance(items[0], int):
        return len(items) * _CHARS_PER_TOKEN
    return sum(_item(item) for item in items)


def _item(item: object) -> int:
    if isinstance(item, dict):
        return _message(cast("Mapping[str, Any]", item))
    if isinstance(item, list):  # the token ids of one of several texts
        return len(cast("list[Any]", item)) * _CHARS_PER_TOKEN
    return _text(item)


def _message(message: Mapping[str, Any]) -> int:
    content = message.get("content")
    chars = sum(_part(part) for part in _dicts(content)) if isinstance(content, list) else _text(content)
    for call in _dicts(message.get("tool_calls")):
        function = call.get("function")
        if isinstance(function, dict):
            named = cast("Mapping[str, Any]", function)
            chars += _text(named.get("name")) + _text(named.get("arguments"))
    return chars + _text(message.get("reasoning_content"))


def _part(part: Mapping[str, Any]) -> int:
    """A part of a message's content: text counts as it would in a string."""
    kind = part.get("type")
    if kind in ("image_url", "input_image", "image"):
        picture: Any = part.get("image_url")
        detail = cast("Mapping[str, Any]", picture).get("detail") if isinstance(picture, dict) else ""
        return _SMALL_PICTURE if "low" in (detail, part.get("detail")) else _PICTURE
    if kind in ("input_audio", "audio", "video_url", "video"):
        return _CHARS_PER_TOKEN * max(1, _data(part, str(kind)) // _SOUND_PER_TOKEN)
    if kind in ("file", "input_file", "document"):
        data = _data(part, "file")
        return _CHARS_PER_TOKEN * max(1, data // _FILE_PER_TOKEN) if data else _PICTURE
    return _text(part.get("text")) + _text(part.get("refusal"))


def _data(part: Mapping[str, Any], name: str) -> int:
    """Characters of what a part carries in base64."""
    held: Any = part.get(name)
    if not isinstance(held, dict):
        return 0
    carried = cast("Mapping[str, Any]", held)
    return max(_text(carried.get(key)) for key in ("data", "file_data", "url"))


def _text(value: object) -> int:
    return len(value) if isinstance(value, str) else 0


def _dicts(value: object) -> list[Mapping[str, Any]]:
    """The objects of a list; what is no list has none."""
    items = cast("list[Any]", value) if isinstance(value, list) else []
    return [cast("Mapping[str, Any]", item) for item in items if isinstance(item, dict)]
