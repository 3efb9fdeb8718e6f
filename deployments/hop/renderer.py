"""`Renderer` over the direct path, and over Serve's handle where that cannot take it. For `stages.py`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from deployments.hop import messages
from deployments.hop.channel import Channel, LostError, RejectedError, UnfitError
from deployments.hop.peers import Peers
from voyager_llm.domain.prompt import PromptDefinition
from voyager_llm.ports import Renderer
from voyager_llm.templating.render import Rendered


class DirectRenderer:
    """As `DirectCaller`; but as rendering changes nothing, what got lost is rendered once more, elsewhere."""

    def __init__(self, peers: Peers, through_serve: Renderer) -> None:
        self._peers = peers
        self._through_serve = through_serve

    async def render(self, prompt: PromptDefinition, variables: Mapping[str, Any], texts: bool) -> Rendered:
        tried: tuple[Channel, ...] = ()
        while (channel := self._peers.free(tried)) is not None:
            try:
                request = messages.pack_variables(variables, texts)
                return messages.read_rendered(await channel.answer(prompt, messages.pack_prompt, request))
            except RejectedError:
                tried = (*tried, channel)
            except (LostError, UnfitError, TypeError):
                break
        self._peers.passed_on += 1
        return await self._through_serve.render(prompt, variables, texts)
