"""What a replica does for calls that come over the direct path: the stage itself, behind bytes.

`session.py` runs one of these for each deployment: `LiteLLMCaller` and `PromptRenderer`.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any, Protocol

from deployments.hop import messages
from voyager_llm.domain.completion import StreamEnd
from voyager_llm.domain.endpoint import Endpoint
from voyager_llm.domain.prompt import PromptDefinition
from voyager_llm.kept import Kept
from voyager_llm.ports import Caller, Renderer


class Service(Protocol):
    """``named`` is what a call is about; it came once over the connection, and calls name it."""

    def learn(self, payload: bytes) -> Any:
        """What a payload of kind NAME holds. Raises `ProtocolError`."""
        ...

    async def answer(self, named: Any, request: bytes) -> tuple[bytes, ...]:
        """The answer, in pieces. Raises what the stage raises."""
        ...

    def stream(self, named: Any, request: bytes) -> AsyncGenerator[bytes | StreamEnd]:
        """Blocks and a `StreamEnd`, as `Caller.stream`."""
        ...


class CallerService:
    """Calls are about endpoints."""

    def __init__(self, caller: Caller) -> None:
        self._caller = caller

    def learn(self, payload: bytes) -> Endpoint:
        return messages.read_endpoint(payload)

    async def answer(self, named: Endpoint, request: bytes) -> tuple[bytes, ...]:
        return messages.pack_answer(await self._caller.call(messages.read_call(named, request)))

    def stream(self, named: Endpoint, request: bytes) -> AsyncGenerator[bytes | StreamEnd]:
        return self._caller.stream(messages.read_call(named, request))


class RendererService:
    """Calls are about prompts."""

    def __init__(self, renderer: Renderer) -> None:
        self._renderer = renderer

    def learn(self, payload: bytes) -> PromptDefinition:
        return unpacked(payload)

    async def answer(self, named: PromptDefinition, request: bytes) -> tuple[bytes, ...]:
        texts, variables = messages.read_variables(request)
        return (messages.pack_rendered(await self._renderer.render(named, variables, texts)),)

    async def stream(self, named: PromptDefinition, request: bytes) -> AsyncGenerator[bytes | StreamEnd]:
        """Prompts are rendered whole: one block."""
        (block,) = await self.answer(named, request)
        yield block
        yield StreamEnd()


# A prompt takes some times its JSON.
_PROMPTS: Kept[bytes, PromptDefinition] = Kept(16_000_000)


def unpacked(prompt: bytes) -> PromptDefinition:
    """A prompt as `messages.pack_prompt` packed it. One for all who send the same: connections, and handles.

    Raises `ProtocolError`."""
    found = _PROMPTS.get(prompt)
    if found is not None:
        return found
    return _PROMPTS.put(prompt, messages.read_prompt(prompt), len(prompt))
