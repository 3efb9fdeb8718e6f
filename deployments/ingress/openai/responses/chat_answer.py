"""What a chat answers, whole or in chunks, handed to the output piece by piece. Used by `translated.py`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from deployments.ingress.chat_events import chunk_of, chunks, first_choice, objects, part, text
from deployments.ingress.openai.responses.output import Event, Output

Document = Mapping[str, Any]


class ChatAnswer:
    """Reads one answer, which has one choice. Providers add fields of their own: what no response has a place
    for is not there. Raises `UpstreamInvalid` for what is no answer."""

    def __init__(self, output: Output) -> None:
        self._output = output
        self.model = ""
        self.finish = ""
        self.service_tier: Any = None

    def whole(self, body: bytes) -> None:
        """A whole answer: as if it were one chunk."""
        for _ in self._take(chunk_of(body), "message"):
            pass  # nobody is told the steps

    def block(self, block: bytes) -> Iterator[Event]:
        """Whole server-sent events of a stream."""
        for chunk in chunks(block):
            yield from self._take(chunk, "delta")

    def _take(self, document: Document, said: str) -> Iterator[Event]:
        self.model = text(document, "model") or self.model
        self.service_tier = document.get("service_tier") or self.service_tier
        choice = first_choice(document)
        yield from self._said(part(choice, said), part(choice, "logprobs"))
        self.finish = text(choice, "finish_reason") or self.finish

    def _said(self, said: Document, logprobs: Document) -> Iterator[Event]:
        output = self._output
        # Providers call it by either name.
        if thought := text(said, "reasoning_content") or text(said, "reasoning"):
            yield from output.reasoning(thought)
        if blocks := objects(said, "thinking_blocks"):
            yield from output.thinking(blocks)
        yield from self._content(said, [_logprob(one) for one in objects(logprobs, "content")])
        if refusal := text(said, "refusal"):
            yield from output.refusal(refusal)
        for annotation in objects(said, "annotations"):
            if (told := _annotation(annotation)) is not None:
                yield from output.annotation(told)
        for i, call in enumerate(objects(said, "tool_calls")):
            index, function = call.get("index"), part(call, "function")
            place = index if isinstance(index, int) else i
            yield from output.call(
                place, text(call, "id"), text(function, "name"), text(function, "arguments")
            )
        for picture in objects(said, "images"):
            if url := text(part(picture, "image_url"), "url"):
                yield from output.picture(url.partition(";base64,")[2] or url)

    def _content(self, said: Document, logprobs: list[Event]) -> Iterator[Event]:
        """A text; of some providers, parts of text and of thinking."""
        if content := text(said, "content"):
            yield from self._output.text(content, logprobs)
        for piece in objects(said, "content"):
            if piece.get("type") == "thinking":
                thoughts = [text(thought, "text") for thought in objects(piece, "thinking")]
                for thought in filter(None, [text(piece, "thinking"), *thoughts]):
                    yield from self._output.reasoning(thought)
            elif written := text(piece, "text"):
                yield from self._output.text(written)


def _logprob(given: Document) -> Event:
    return {**_likely(given), "top_logprobs": [_likely(one) for one in objects(given, "top_logprobs")]}


def _likely(given: Document) -> Event:
    return {
        "token": text(given, "token"),
        "logprob": given.get("logprob"),
        "bytes": given.get("bytes") or [],
    }


def _annotation(given: Document) -> Event | None:
    """A page that is cited: chats have it one level deeper."""
    cited = part(given, "url_citation")
    if given.get("type") != "url_citation" or not text(cited, "url"):
        return None
    return {
        "type": "url_citation",
        "url": text(cited, "url"),
        "title": text(cited, "title"),
        "start_index": cited.get("start_index") or 0,
        "end_index": cited.get("end_index") or 0,
    }
