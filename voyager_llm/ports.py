"""What the pipeline needs of the other stages, as Protocols.

Each has an implementation that runs in process and one that calls a deployment: which, is the topology
(`serve_app/app.py`).
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Any, Protocol

from voyager_llm.domain.bulk import Applied, Item
from voyager_llm.domain.completion import Answer, Call, StreamEnd
from voyager_llm.domain.definition import Kind
from voyager_llm.domain.endpoint import Endpoint
from voyager_llm.domain.model import SecretRef
from voyager_llm.domain.prompt import PromptDefinition
from voyager_llm.domain.quota import Lease
from voyager_llm.domain.record import Record
from voyager_llm.domain.stored_responses import Put, StoredResponse
from voyager_llm.templating.render import Rendered


class Renderer(Protocol):
    """Fills a prompt's variables in."""

    async def render(self, prompt: PromptDefinition, variables: Mapping[str, Any], texts: bool) -> Rendered:
        """Raises `InvalidArgument` and `RenderFailed`."""
        ...


class Caller(Protocol):
    """Makes one attempt. Holds no configuration: the call says all."""

    async def call(self, call: Call) -> Answer:
        """Answers or raises within the call's ``timeout_s``, whatever becomes of the process that makes it.

        Raises the errors named in `errors.py`, never another."""
        ...

    def stream(self, call: Call) -> AsyncGenerator[bytes | StreamEnd]:
        """Blocks of whole server-sent events (``data: …``, without the closing ``[DONE]``), then one
        `StreamEnd`. Of a further operation (`FURTHER`) the first line is the content type, and what
        follows is of that. Raises only before the first block; later faults stand in the `StreamEnd`. To
        close the generator cancels the call."""
        ...

    async def probe(self, endpoint: Endpoint) -> None:
        """Returns when the endpoint is alive, raises a `VoyagerError` when not. Costs no tokens."""
        ...


class LeaseSource(Protocol):
    """Hands out slices of a model's rate limits."""

    async def lease(self, model: str, requests: int, tokens: int) -> Lease: ...


class Settlements(Protocol):
    """What is accounted for once, whichever router sees it first."""

    async def settle(self, name: str) -> bool:
        """Whether nobody has settled it before. Raises `Unavailable` where that cannot be known now."""
        ...


class SecretSource(Protocol):
    """Resolves references to secrets in the process that needs them."""

    async def get(self, reference: SecretRef) -> str:
        """Raises `UpstreamMisconfigured` naming the reference when there is none, and
        `UpstreamUnavailable` when that cannot be known now."""
        ...

    async def newer(self, reference: SecretRef, used: str) -> str | None:
        """The secret read anew, after the one that was ``used`` was refused. None: it is still that one."""
        ...


class Definitions(Protocol):
    """Reads and writes definitions: the catalog, or the config hub that runs it elsewhere.

    Each method raises what the catalog's method of its name does."""

    async def create(self, kind: Kind, given: Mapping[str, Any], author: str) -> Record: ...

    async def update(
        self,
        kind: Kind,
        name: str,
        patch: Mapping[str, Any],
        author: str,
        mask: Sequence[str] = (),
        etag: str = "",
    ) -> Record: ...

    async def delete(self, kind: Kind, name: str, etag: str = "") -> None: ...

    async def rollback(
        self, kind: Kind, name: str, revision: int, version: str, author: str, etag: str = ""
    ) -> Record: ...

    async def apply(
        self, items: Sequence[Item], author: str, *, validate_only: bool = False
    ) -> Sequence[Applied]: ...

    async def get(self, kind: Kind, name: str, revision: int = 0, version: str = "") -> Record: ...

    async def page(self, kind: Kind, after: str, limit: int) -> Sequence[Record]: ...

    async def history(self, kind: Kind, name: str, before: int, limit: int) -> Sequence[Record]: ...


class ResponseStore(Protocol):
    """Keeps responses of the Responses API. Each is its owner's: to others it is not there.

    Each method raises `Unavailable` while the store cannot be reached."""

    async def put_responses(self, puts: Sequence[Put]) -> Sequence[bool]:
        """Whether each was kept: not, where it is too large or goes on from one that is gone."""
        ...

    async def get_response(self, owner: str, response_id: str) -> StoredResponse | None: ...

    async def delete_response(self, owner: str, response_id: str) -> bool:
        """Whether it was there."""
        ...


class Scorer(Protocol):
    """Scores outputs against references."""

    async def score(self, pairs: Sequence[tuple[str, str]], measurements: Sequence[str]) -> list[list[float]]:
        """A row for each pair, a column for each measurement, each in [0, 1]. Raises
        `InvalidArgument` for an unknown measurement."""
        ...
