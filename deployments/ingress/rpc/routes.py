"""RPCs on routes. Part of `rpc/service.py`."""

from __future__ import annotations

from deployments.ingress.rpc.codec import (
    document_of,
    mask_of,
    message_of,
    named,
    page_size,
    page_start,
    page_token,
)
from voyager_llm.domain.definition import Kind
from voyager_llm.domain.request import RequestContext
from voyager_llm.ports import Definitions
from voyager_llm.v1 import routes_pb2 as pb


class RouteRpcs:
    """CRUD of routes; each method is the RPC of its name."""

    _definitions: Definitions

    async def CreateRoute(
        self, request: pb.CreateRouteRequest, ctx: RequestContext
    ) -> pb.CreateRouteResponse:
        record = await self._definitions.create(Kind.ROUTE, document_of(request.route), ctx.principal.subject)
        return pb.CreateRouteResponse(route=message_of(record, pb.Route))

    async def GetRoute(self, request: pb.GetRouteRequest, ctx: RequestContext) -> pb.GetRouteResponse:
        name = named(request.name, Kind.ROUTE)
        record = await self._definitions.get(Kind.ROUTE, name, request.revision)
        return pb.GetRouteResponse(route=message_of(record, pb.Route))

    async def UpdateRoute(
        self, request: pb.UpdateRouteRequest, ctx: RequestContext
    ) -> pb.UpdateRouteResponse:
        record = await self._definitions.update(
            Kind.ROUTE,
            named(request.name, Kind.ROUTE),
            document_of(request.route),
            ctx.principal.subject,
            mask_of(request.update_mask),
            request.etag,
        )
        return pb.UpdateRouteResponse(route=message_of(record, pb.Route))

    async def DeleteRoute(
        self, request: pb.DeleteRouteRequest, ctx: RequestContext
    ) -> pb.DeleteRouteResponse:
        await self._definitions.delete(Kind.ROUTE, named(request.name, Kind.ROUTE), request.etag)
        return pb.DeleteRouteResponse(name=request.name)

    async def ListRoutes(self, request: pb.ListRoutesRequest, ctx: RequestContext) -> pb.ListRoutesResponse:
        size = page_size(request.page_size)
        records = await self._definitions.page(Kind.ROUTE, page_start(request.page_token), size)
        return pb.ListRoutesResponse(
            routes=[message_of(record, pb.Route) for record in records],
            next_page_token=page_token(records, size),
        )
