"""OpenAI's paths beside text, and Cohere's reranker: JSON or a form in, anything out. For `http.py`."""

from __future__ import annotations

from deployments.ingress.asgi import HttpRequest, Send
from deployments.ingress.context import told_by_openai
from deployments.ingress.openai.answers import stream, whole
from deployments.ingress.openai.bodies import decode
from deployments.ingress.openai.files import FilesApi
from deployments.request.pipeline import Pipeline
from voyager_llm.domain.operation import Operation
from voyager_llm.domain.request import RequestContext
from voyager_llm.ports import Settlements


class FurtherApi:
    """Answers requests for what is no text through the pipeline."""

    def __init__(self, pipeline: Pipeline, settlements: Settlements) -> None:
        self._pipeline = pipeline
        self._files = FilesApi(pipeline, settlements)

    async def serve(
        self, request: HttpRequest, operation: Operation, named: str, ctx: RequestContext, send: Send
    ) -> None:
        """``named``: what the path itself names, a destination or what is below files and batches."""
        if operation in (Operation.FILES, Operation.BATCHES):
            await self._files.serve(request, operation, named, ctx, send)
            return
        decoded = decode(request, operation, named)
        exchange = await self._pipeline.open(told_by_openai(ctx, decoded.body), decoded)
        if decoded.stream:
            await stream(exchange, ctx, send)
        else:
            await whole(exchange, ctx, send)
