"""Embeddings of several requests in one call: who asks for one text waits a moment for others.

Providers embed a list as fast as one text, and count it as one request. Only embeddings are joined: a
completion gains nothing from it and a stream cannot. A provider reports one usage for the whole list,
which is divided by the texts' length, so it is off unless `VOYAGER_EMBEDDING_BATCH_WAIT_S` says for how
long to wait (`docs/decisions/0008-embedding-batches.md`). Used by `caller.py`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, cast

import orjson

from voyager_llm.domain.completion import Answer, Call
from voyager_llm.domain.usage import Usage
from voyager_llm.errors import (
    ContentPolicyRefused,
    ContextWindowExceeded,
    UpstreamInvalid,
    UpstreamRejected,
    UpstreamRequestTooLarge,
    VoyagerError,
)

# Texts in one call; providers accept at least 256, and one list shares one time limit.
MOST_TEXTS = 64

# Faults of one text, for which the others of its batch must not pay.
_OF_ONE_TEXT = (UpstreamRejected, UpstreamRequestTooLarge, ContextWindowExceeded, ContentPolicyRefused)


@dataclass(slots=True)
class _Batch:
    """Calls that differ in their text alone."""

    calls: list[Call] = field(default_factory=list[Call])
    texts: list[str] = field(default_factory=list[str])
    answers: list[asyncio.Future[Answer]] = field(default_factory=list[asyncio.Future[Answer]])

    def join(self, call: Call, text: str) -> asyncio.Future[Answer]:
        answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self.calls.append(call)
        self.texts.append(text)
        self.answers.append(answer)
        return answer


class EmbeddingBatcher:
    """Joins embedding calls of one text each. ``send`` makes one call at a provider."""

    def __init__(self, send: Callable[[Call], Awaitable[Answer]], wait_s: float) -> None:
        self._send = send
        self._wait_s = wait_s
        self._open: dict[tuple[str, bytes], _Batch] = {}
        self._sending: set[asyncio.Task[None]] = set()

    async def call(self, call: Call) -> Answer:
        """As `Caller.call`, of embeddings: raises the same errors."""
        body: dict[str, Any] = orjson.loads(call.body)
        text = _one_text(body.pop("input", None))
        if text is None:
            return await self._send(call)
        key = (call.endpoint.key, orjson.dumps([repr(call.endpoint), body], option=orjson.OPT_SORT_KEYS))
        batch = self._open.get(key)
        if batch is None:
            batch = self._open[key] = _Batch()
            self._start(self._send_later(key, batch))
        answer = batch.join(call, text)
        if len(batch.calls) >= MOST_TEXTS:
            self._open.pop(key)  # the next one opens another
        # Whoever gives up leaves the others' call alone.
        return await answer

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._sending.add(task)
        task.add_done_callback(self._sending.discard)

    async def _send_later(self, key: tuple[str, bytes], batch: _Batch) -> None:
        await asyncio.sleep(self._wait_s)
        if self._open.get(key) is batch:
            del self._open[key]
        try:
            await self._deliver(batch)
        except Exception as error:
            for answer in batch.answers:
                if not answer.done():
                    answer.set_exception(error)

    async def _deliver(self, batch: _Batch) -> None:
        if len(batch.calls) == 1:
            _settle(batch.answers[0], await self._send(batch.calls[0]))
            return
        try:
            whole = await self._send(_joined(batch))
        except _OF_ONE_TEXT:
            pairs = zip(batch.calls, batch.answers, strict=True)
            await asyncio.gather(*(self._alone(call, answer) for call, answer in pairs))
            return
        for answer, part in zip(batch.answers, divided(whole, batch.texts), strict=True):
            _settle(answer, part)

    async def _alone(self, call: Call, answer: asyncio.Future[Answer]) -> None:
        try:
            _settle(answer, await self._send(call))
        except VoyagerError as error:
            if not answer.done():
                answer.set_exception(error)


def _settle(answer: asyncio.Future[Answer], result: Answer) -> None:
    if not answer.done():  # its request may have been cancelled
        answer.set_result(result)


def _one_text(given: object) -> str | None:
    """The text of an input that is one; None for a longer list and for tokens."""
    if isinstance(given, list) and len(cast("list[object]", given)) == 1:
        given = cast("list[object]", given)[0]
    return given if isinstance(given, str) else None


def _joined(batch: _Batch) -> Call:
    first = batch.calls[0]
    body = {**orjson.loads(first.body), "input": batch.texts}
    # The shortest time that any of them has: none is kept beyond its own deadline.
    return replace(first, body=orjson.dumps(body), timeout_s=min(call.timeout_s for call in batch.calls))


def divided(whole: Answer, texts: Sequence[str]) -> list[Answer]:
    """One answer for each text. Usage is divided by length, and the parts sum to the whole.

    Raises `UpstreamInvalid` when the provider answered with another number of embeddings."""
    document: dict[str, Any] = orjson.loads(whole.body)
    rows: list[dict[str, Any]] = document["data"]
    by_index = {row.get("index", position): row for position, row in enumerate(rows)}
    if sorted(by_index) != list(range(len(texts))):
        raise UpstreamInvalid("the provider answered with another number of embeddings than asked for")
    shares = shared(whole.usage.input_tokens, [len(text) for text in texts]) if whole.usage else []
    answers: list[Answer] = []
    for position in range(len(texts)):
        part = {**document, "data": [{**by_index[position], "index": 0}]}
        usage = Usage(shares[position], 0) if shares else None
        if usage is not None:
            part["usage"] = {"prompt_tokens": usage.input_tokens, "total_tokens": usage.input_tokens}
        answers.append(Answer(orjson.dumps(part), usage))
    return answers


def shared(total: int, weights: Sequence[int]) -> list[int]:
    """``total`` in whole parts by weight, the largest remainders rounded up: the parts sum to it.

    Hamilton's method of apportionment."""
    heavy = [weight + 1 for weight in weights]  # an empty text costs something as well
    of = sum(heavy)
    parts = [total * weight // of for weight in heavy]
    by_remainder = sorted(range(len(heavy)), key=lambda i: total * heavy[i] % of, reverse=True)
    for i in by_remainder[: total - sum(parts)]:
        parts[i] += 1
    return parts
