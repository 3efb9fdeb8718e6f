"""A chat's answer as a response: the `Reply` for models that do not speak the Responses API."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from deployments.ingress.openai.responses.chat_answer import ChatAnswer
from deployments.ingress.openai.responses.output import Event, Output
from deployments.ingress.openai.responses.reply import Error, Response, framed
from deployments.ingress.openai.responses.request import Asked
from deployments.ingress.openai.responses.response import begun, ended, status_of
from deployments.ingress.openai.responses.tools import custom_names
from deployments.lanes.lenient import dumps
from voyager_llm.domain.usage import Usage


class TranslatedReply:
    def __init__(self, asked: Asked, response_id: str) -> None:
        reasoning = asked.document.get("reasoning") or {}
        self._output = Output(
            custom_names(asked.document.get("tools") or ()),
            summarised=bool(reasoning.get("summary") or reasoning.get("generate_summary")),
        )
        self._chat = ChatAnswer(self._output)
        self._response = begun(asked, response_id)
        self._number = 0

    def whole(self, body: bytes, used: Usage) -> Response:
        self._chat.whole(body)
        return self.end(used)[1]

    def body(self, response: Response) -> bytes:
        return dumps(response)

    def take(self, block: bytes) -> bytes:
        told = list(self._chat.block(block))
        # The first block tells the model, and every response of the stream names it.
        first = b"" if self._number else self._begin()
        return first + self._framed(told)

    def end(self, used: Usage) -> tuple[bytes, Response]:
        chat = self._chat
        told = list(self._output.end(status_of(chat.finish)))
        response = self._named()
        return self._framed(told), ended(response, self._output.items, chat.finish, used, chat.service_tier)

    def last(self, response: Response) -> bytes:
        return self._framed([{"type": f"response.{response['status']}", "response": response}])

    def failed(self, error: Error) -> bytes:
        for _ in self._output.end("incomplete"):
            pass  # what is told of the items is their state
        told = {"status": "failed", "error": error, "output": self._output.items}
        return self._framed([{"type": "response.failed", "response": {**self._named(), **told}}])

    def _begin(self) -> bytes:
        response = self._named()
        return self._framed(
            {"type": f"response.{step}", "response": response} for step in ("created", "in_progress")
        )

    def _named(self) -> Response:
        return {**self._response, "model": self._chat.model or self._response["model"]}

    def _framed(self, events: Iterable[Event]) -> bytes:
        return b"".join(map(self._numbered, events))

    def _numbered(self, event: dict[str, Any]) -> bytes:
        number, self._number = self._number, self._number + 1
        return framed({"type": event["type"], "sequence_number": number, **event})
