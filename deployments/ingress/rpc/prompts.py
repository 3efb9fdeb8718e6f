"""What the RPCs on prompts have of their own: rendering, and a short answer to a creation."""

from __future__ import annotations

from collections.abc import Mapping

from google.protobuf.json_format import ParseDict
from google.protobuf.message import Message

from deployments.ingress.rpc.codec import named, timestamp
from deployments.ingress.rpc.definitions import PROMPTS, DefinitionRpcs, Handler, calling, in_time
from deployments.request.pipeline import Pipeline
from voyager_llm.domain.definition import Kind, canonical, digest
from voyager_llm.domain.record import Record
from voyager_llm.domain.request import RequestContext
from voyager_llm.ports import Definitions
from voyager_llm.templating.values import text
from voyager_llm.v1 import prompts_pb2 as pb


class PromptRpcs(DefinitionRpcs):
    """RPCs on prompts. Made by `rpc/service.py`."""

    def __init__(self, definitions: Definitions, pipeline: Pipeline) -> None:
        super().__init__(PROMPTS, definitions)
        self._pipeline = pipeline

    def handlers(self) -> Mapping[str, Handler]:
        return {**super().handlers(), "RenderPrompt": self.render}

    def created(self, record: Record) -> Message:
        fields = {
            "prompt_id": record.id,
            "name": record.name,
            "version": record.version,
            "created_at": timestamp(record.created_at),
        }
        return ParseDict(fields, pb.CreatePromptResponse())

    async def render(self, request: pb.RenderPromptRequest, ctx: RequestContext) -> pb.RenderPromptResponse:
        name = named(request.prompt_name, Kind.PROMPT, "prompt_name")
        with calling({"prompt": "prompt_name"}):
            async with in_time(ctx):
                prompt, rendered = await self._pipeline.render(
                    name, request.version, dict(request.variables), texts=True
                )
        messages = [pb.RenderedMessage(role=m.role, content=m.content) for m in rendered.messages]
        return pb.RenderPromptResponse(
            rendered_prompt=rendered.as_text(),
            resolved_variables={name: text(value) for name, value in rendered.variables.items()},
            metadata=pb.PromptMetadata(
                name=prompt.name, version=prompt.version, digest=digest(canonical(prompt))
            ),
            messages=messages if prompt.messages else (),
        )
