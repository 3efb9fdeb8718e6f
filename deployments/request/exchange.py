"""An answer under way: what `pipeline.py` opens and the codecs read.

Whole or streamed, it holds the request's place and its attempt until it is closed, and is accounted for then:
once, however it ended.
"""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType

from deployments.request.admission import Slot
from deployments.request.attempt import Attempt
from voyager_llm.domain.completion import Account, Completion
from voyager_llm.domain.operation import Operation
from voyager_llm.domain.usage import Usage

# Makes the account and tells it to whoever counts.
Settle = Callable[[], Account]


class Exchange:
    """Use it as an async context manager. Either `read` it, or iterate: blocks of whole server-sent events
    (``data: …``, without the closing ``[DONE]``); of a further operation (`FURTHER`) a line that is the
    content type, then whatever that says."""

    def __init__(self, attempt: Attempt, slot: Slot, settle: Settle) -> None:
        self._attempt = attempt
        self._slot = slot
        self._settle = settle
        self._account: Account | None = None
        self._first: bytes | None = attempt.first

    async def read(self) -> Completion:
        """The whole answer; closes."""
        await self.aclose()
        return Completion(self.operation, self._attempt.first, self.account, self._attempt.content_type)

    @property
    def operation(self) -> Operation:
        """In whose words it is answered: the client's own, or of what its request was made into."""
        return self._attempt.option.operation

    @property
    def model(self) -> str:
        """The name of the model that answers."""
        return self._attempt.option.model.name

    @property
    def endpoint(self) -> str:
        """The key of the endpoint that answers."""
        return self._attempt.option.endpoint.key

    @property
    def address(self) -> str:
        """Where that endpoint is."""
        return self._attempt.option.endpoint.base_url

    @property
    def first(self) -> bytes:
        """The whole answer, or the first block of a stream."""
        return self._attempt.first

    def charge(self, usage: Usage) -> None:
        """Account for what the answer tells of, instead of for the answer: before it is closed."""
        self._attempt.charge(usage)

    @property
    def account(self) -> Account:
        """What it came to. Known once it is closed."""
        if self._account is None:
            raise RuntimeError("the exchange is still open")
        return self._account

    def __aiter__(self) -> Exchange:
        return self

    async def __anext__(self) -> bytes:
        """Raises the `VoyagerError` that ended the stream early."""
        first, self._first = self._first, None
        if first is not None:
            return first
        block = await self._attempt.next()
        if block is None:
            await self.aclose()
            raise StopAsyncIteration
        return block

    async def __aenter__(self) -> Exchange:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Give everything back. A stream that is not at its end is cancelled at its provider."""
        try:
            await self._attempt.aclose()
        finally:
            self._slot.give_back()
            if self._account is None:
                self._account = self._settle()
