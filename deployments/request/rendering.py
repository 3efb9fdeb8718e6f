"""A stored prompt's messages into the request's body. Used by `pipeline.py`."""

from __future__ import annotations

from dataclasses import replace

from voyager_llm.domain.completion import CompletionRequest
from voyager_llm.domain.operation import Operation
from voyager_llm.domain.prompt import PromptDefinition
from voyager_llm.errors import InvalidArgument
from voyager_llm.ports import Renderer
from voyager_llm.snapshot import RuntimeConfig


def named(config: RuntimeConfig, request: CompletionRequest) -> PromptDefinition | None:
    """The prompt that a request names; None: it names none. Raises `NotFound`, `InvalidArgument`."""
    if request.prompt is None:
        return None
    if request.operation is Operation.EMBEDDINGS:
        raise InvalidArgument("a prompt cannot be embedded", "model")
    return config.prompt(request.prompt.name, request.prompt.version)


async def fill(
    renderer: Renderer, request: CompletionRequest, prompt: PromptDefinition | None
) -> CompletionRequest:
    """The request with its prompt's messages in place. Raises what `Renderer.render` does."""
    if prompt is None or request.prompt is None:
        return request
    rendered = await renderer.render(prompt, request.prompt.variables, request.prompt.texts)
    body = dict(request.body)
    if request.operation is Operation.TEXT:
        body["prompt"] = rendered.as_text()
    else:
        messages = [{"role": m.role, "content": m.content} for m in rendered.messages]
        # A conversation that the client goes on with follows the prompt.
        body["messages"] = messages + list(body.get("messages") or ())
    return replace(request, body=body, original=None)
