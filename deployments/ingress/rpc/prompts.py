"""RPCs on prompts. Part of `rpc/service.py`."""

from __future__ import annotations

from google.protobuf.json_format import ParseDict

from deployments.ingress.rpc.codec import (
    document_of,
    mask_of,
    message_of,
    named,
    page_before,
    page_size,
    page_start,
    page_token,
    timestamp,
)
from deployments.request.pipeline import Pipeline
from voyager_llm.domain.definition import Kind, canonical, digest
from voyager_llm.domain.request import RequestContext
from voyager_llm.ports import Definitions
from voyager_llm.templating.values import text
from voyager_llm.v1 import prompts_pb2 as pb


class PromptRpcs:
    """CRUD, versions, rollback and rendering of prompts; each method is the RPC of its name."""

    _definitions: Definitions
    _pipeline: Pipeline

    async def CreatePrompt(
        self, request: pb.CreatePromptRequest, ctx: RequestContext
    ) -> pb.CreatePromptResponse:
        record = await self._definitions.create(Kind.PROMPT, document_of(request), ctx.principal.subject)
        fields = {
            "prompt_id": record.id,
            "name": record.name,
            "version": record.version,
            "created_at": timestamp(record.created_at),
        }
        return ParseDict(fields, pb.CreatePromptResponse())

    async def GetPrompt(self, request: pb.GetPromptRequest, ctx: RequestContext) -> pb.GetPromptResponse:
        name = named(request.name, Kind.PROMPT)
        record = await self._definitions.get(Kind.PROMPT, name, 0, request.version)
        return pb.GetPromptResponse(prompt=message_of(record, pb.Prompt))

    async def UpdatePrompt(
        self, request: pb.UpdatePromptRequest, ctx: RequestContext
    ) -> pb.UpdatePromptResponse:
        record = await self._definitions.update(
            Kind.PROMPT,
            named(request.name, Kind.PROMPT),
            document_of(request.prompt),
            ctx.principal.subject,
            mask_of(request.update_mask),
            request.etag,
        )
        return pb.UpdatePromptResponse(prompt=message_of(record, pb.Prompt))

    async def DeletePrompt(
        self, request: pb.DeletePromptRequest, ctx: RequestContext
    ) -> pb.DeletePromptResponse:
        await self._definitions.delete(Kind.PROMPT, named(request.name, Kind.PROMPT), request.etag)
        return pb.DeletePromptResponse(name=request.name)

    async def ListPrompts(
        self, request: pb.ListPromptsRequest, ctx: RequestContext
    ) -> pb.ListPromptsResponse:
        size = page_size(request.page_size)
        records = await self._definitions.page(Kind.PROMPT, page_start(request.page_token), size)
        return pb.ListPromptsResponse(
            prompts=[message_of(record, pb.Prompt) for record in records],
            next_page_token=page_token(records, size),
        )

    async def ListPromptVersions(
        self, request: pb.ListPromptVersionsRequest, ctx: RequestContext
    ) -> pb.ListPromptVersionsResponse:
        size = page_size(request.page_size)
        before = page_before(request.page_token)
        name = named(request.name, Kind.PROMPT)
        records = await self._definitions.history(Kind.PROMPT, name, before, size)
        return pb.ListPromptVersionsResponse(
            versions=[message_of(record, pb.Prompt) for record in records],
            next_page_token=page_token(records, size, by_revision=True),
        )

    async def RollbackPrompt(
        self, request: pb.RollbackPromptRequest, ctx: RequestContext
    ) -> pb.RollbackPromptResponse:
        name = named(request.name, Kind.PROMPT)
        record = await self._definitions.rollback(
            Kind.PROMPT, name, 0, request.version, ctx.principal.subject, request.etag
        )
        return pb.RollbackPromptResponse(prompt=message_of(record, pb.Prompt))

    async def RenderPrompt(
        self, request: pb.RenderPromptRequest, ctx: RequestContext
    ) -> pb.RenderPromptResponse:
        name = named(request.prompt_name, Kind.PROMPT)
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
