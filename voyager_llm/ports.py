"""What the pipeline needs of the other stages, as Protocols.

Each has an implementation that runs in process and one that calls a deployment: which, is the topology
(`serve_app/app.py`).
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from typing import Any, Protocol

from voyager_llm.domain.completion import Answer, Call, StreamEnd
from voyager_llm.domain.model import SecretRef
from voyager_llm.domain.prompt import PromptDefinition
from voyager_llm.domain.quota import Lease
from voyager_llm.snapshot import Target
from voyager_llm.templating.render import Rendered


class Renderer(Protocol):
    """Fills a prompt's variables in."""

    async def render(
        self, prompt: PromptDefinition, variables: Mapping[str, Any], texts: bool
    ) -> Rendered:
        """Raises `InvalidArgument` and `RenderFailed`."""
        ...


class Caller(Protocol):
    """Makes one attempt. Holds no configuration: the call says all."""

    async def call(self, call: Call) -> Answer:
        """Raises the errors named in `errors.py`, never another."""
        ...

    def stream(self, call: Call) -> AsyncGenerator[bytes | StreamEnd]:
        """Blocks of whole server-sent events (``data: …``, without the closing ``[DONE]``), then one
        `StreamEnd`. Raises only before the first block; later faults stand in the `StreamEnd`. To
        close the generator cancels the call."""
        ...

    async def probe(self, target: Target) -> None:
        """Returns when the endpoint is alive, raises a `VoyagerError` when not. Costs no tokens."""
        ...


class LeaseSource(Protocol):
    """Hands out slices of a model's rate limits."""

    async def lease(self, model: str, requests: int, tokens: int) -> Lease: ...


class SecretSource(Protocol):
    """Resolves references to secrets in the process that needs them."""

    def get(self, reference: SecretRef) -> str:
        """Raises `UpstreamMisconfigured` naming the reference when there is none."""
        ...

    def refresh(self, reference: SecretRef) -> bool:
        """Read the secret anew. Whether it changed."""
        ...
