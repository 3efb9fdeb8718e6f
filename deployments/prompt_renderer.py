"""The renderer stage: in process, and as a deployment. Its handle is in `handles.py`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from deployments.collector import relax_collector
from deployments.listening import listen_on
from deployments.results import as_value
from voyager_llm.domain.prompt import PromptDefinition
from voyager_llm.errors import VoyagerError
from voyager_llm.kept import Kept
from voyager_llm.settings import settings
from voyager_llm.templating.render import Rendered, render


class LocalRenderer:
    """`Renderer` in this process."""

    async def render(self, prompt: PromptDefinition, variables: Mapping[str, Any], texts: bool) -> Rendered:
        return render(prompt, variables, texts=texts)


class PromptRenderer:
    """The deployment; wrapped in `serve_app/app.py`. Holds nothing but compiled templates."""

    def __init__(self) -> None:
        listen_on(settings().replica_host)
        relax_collector()
        self._renderer = LocalRenderer()

    async def ping(self) -> None:
        """Answers routers that ask whether a renderer is there (`readiness.py`)."""

    async def render(
        self, prompt: bytes, variables: Mapping[str, Any], texts: bool
    ) -> Rendered | VoyagerError:
        """``prompt`` is a `PromptDefinition` as `handles.RemoteRenderer` packed it."""
        return await as_value(self._renderer.render(_unpacked(prompt), variables, texts))


# A prompt takes some times its JSON.
_PROMPTS: Kept[bytes, PromptDefinition] = Kept(16_000_000)


def _unpacked(prompt: bytes) -> PromptDefinition:
    found = _PROMPTS.get(prompt)
    if found is not None:
        return found
    return _PROMPTS.put(prompt, PromptDefinition.model_validate_json(prompt), len(prompt))
