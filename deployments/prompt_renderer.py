"""The renderer stage: in process, and as a deployment. Routers reach it over `hop/`, or over a handle."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import ray

from deployments.hop.gate import Gate
from deployments.hop.server import Server
from deployments.hop.services import RendererService, unpacked
from deployments.serving.process import prepare
from deployments.serving.results import as_value
from voyager_llm.domain.prompt import PromptDefinition
from voyager_llm.errors import VoyagerError
from voyager_llm.settings import settings
from voyager_llm.templating.render import Rendered, render


class LocalRenderer:
    """`Renderer` in this process."""

    async def render(self, prompt: PromptDefinition, variables: Mapping[str, Any], texts: bool) -> Rendered:
        return render(prompt, variables, texts=texts)


class PromptRenderer:
    """The deployment; wrapped in `serve_app/app.py`. Holds nothing but compiled templates.

    ``limit``: prompts at a time, whichever way they come."""

    def __init__(self, limit: int) -> None:
        prepare()
        self._renderer = LocalRenderer()
        self._gate = Gate(limit)
        node, address = ray.get_runtime_context().get_node_id(), ray.util.get_node_ip_address()
        self._server = Server(RendererService(self._renderer), self._gate, settings(), node, address)

    async def record_replica_metadata(self) -> dict[str, Any]:
        """Asked once by Serve, before it lists this replica: where routers reach it."""
        return (await self._server.start()).metadata()

    async def __del__(self) -> None:
        """Awaited by Serve when it stops this replica, after it has told the routers."""
        await self._server.drain()

    async def ping(self) -> None:
        """Answers routers that ask whether a renderer is there (`health/readiness.py`)."""

    async def render(
        self, prompt: bytes, variables: Mapping[str, Any], texts: bool
    ) -> Rendered | VoyagerError:
        """``prompt`` is a `PromptDefinition` as `handles.RemoteRenderer` packed it."""
        async with self._gate.turn():
            return await as_value(self._renderer.render(unpacked(prompt), variables, texts))
