"""One request, top to bottom: pin snapshot → render → route → call → answer, with a place held meanwhile.

`open` is the only entry. The ingress codecs (`ingress/`) turn every protocol into a `CompletionRequest` and
read the `Exchange` that they get; topology decides where the renderer and the caller run.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

from deployments.request import rendering
from deployments.request.accounts import Accounts, Course
from deployments.request.admission import Admission, Slot
from deployments.request.attempt import Line, Wanted
from deployments.request.attempts import open_attempt
from deployments.request.calls import maker
from deployments.request.demand import demand
from deployments.request.exchange import Exchange
from deployments.request.limits import Limits
from deployments.request.routing import Routing
from deployments.request.walk import Walk
from voyager_llm.domain.completion import Completion, CompletionRequest
from voyager_llm.domain.prompt import PromptDefinition
from voyager_llm.domain.request import RequestContext
from voyager_llm.errors import RateLimited, Unavailable
from voyager_llm.ports import Renderer
from voyager_llm.settings import Settings
from voyager_llm.snapshot import RuntimeConfig, SnapshotCell
from voyager_llm.templating.render import Rendered

_FIRST_CONFIG_S = 10.0


@dataclass(frozen=True, slots=True)
class Pipeline:
    """Completes requests. One a router replica."""

    snapshots: SnapshotCell
    admission: Admission
    renderer: Renderer
    routing: Routing
    line: Line
    accounts: Accounts
    limits: Limits
    settings: Settings

    async def open(self, ctx: RequestContext, request: CompletionRequest) -> Exchange:
        """Begin to answer: raises any `VoyagerError` while another endpoint may still be tried.

        Whoever gets the exchange must close it."""
        started = self.line.clock()
        slot: Slot | None = None
        prompt: PromptDefinition | None = None
        walk: Walk | None = None
        try:
            slot = self.admission.take()
            config = await self._config()
            prompt = rendering.named(config, request)
            request = await rendering.fill(self.renderer, request, prompt)
            plan = self.routing.plan(config, request, ctx, prompt, self.line.clock())
            walk = Walk(plan, self.line.clock)
            wanted = Wanted(maker(request, self.settings), cache(partial(demand, request)), request.stream)
            attempt = await open_attempt(self.line, walk, plan, wanted)
        except BaseException as error:
            if slot is not None:
                slot.give_back()
            if isinstance(error, RateLimited):
                error.limits = self.limits.of(request.destination)
            self.accounts.failed(Course(ctx, request, prompt, started), walk, error)
            raise
        course = Course(ctx, request, prompt, started)
        return Exchange(attempt, slot, partial(self.accounts.answered, course, walk, attempt))

    async def complete(self, ctx: RequestContext, request: CompletionRequest) -> Completion:
        """A whole answer. Raises any `VoyagerError`."""
        exchange = await self.open(ctx, request)
        return await exchange.read()

    async def render(
        self, name: str, version: str, variables: dict[str, Any], *, texts: bool
    ) -> tuple[PromptDefinition, Rendered]:
        """A stored prompt with its variables filled in. Raises `NotFound`, `InvalidArgument`."""
        prompt = (await self._config()).prompt(name, version)
        return prompt, await self.renderer.render(prompt, variables, texts)

    async def _config(self) -> RuntimeConfig:
        """What this request pins. Serve sends a replica requests before it has its first configuration."""
        config = self.snapshots.current
        if config.version:
            return config
        try:
            async with asyncio.timeout(_FIRST_CONFIG_S):
                return await self.snapshots.filled()
        except TimeoutError:
            raise Unavailable("no definitions have come from the hub yet; try again", "", 1.0) from None
