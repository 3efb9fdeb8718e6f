"""RPCs on routes. Part of `rpc/service.py`."""

from __future__ import annotations

from deployments.ingress.identity import Identity
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
from voyager_llm.ports import Definitions
from voyager_llm.v1 import routes_pb2 as pb


class RouteRpcs:
    """CRUD of routes; each method is the RPC of its name."""

    _definitions: Definitions

    async def CreateRoute(self, request: pb.CreateRouteRequest, who: Identity) -> pb.CreateRouteResponse:
        record = await self._definitions.create(Kind.ROUTE, document_of(request.route), who.author)
        return pb.CreateRouteResponse(route=message_of(record, pb.Route))

    async def GetRoute(self, request: pb.GetRouteRequest, who: Identity) -> pb.GetRouteResponse:
        name = named(request.name, Kind.ROUTE)
        record = await self._definitions.get(Kind.ROUTE, name, request.revision)
        return pb.GetRouteResponse(route=message_of(record, pb.Route))

    async def UpdateRoute(self, request: pb.UpdateRouteRequest, who: Identity) -> pb.UpdateRouteResponse:
        record = await self._definitions.update(
            Kind.ROUTE,
            named(request.name, Kind.ROUTE),
            document_of(request.route),
            who.author,
            mask_of(request.update_mask),
            request.etag,
        )
        return pb.UpdateRouteResponse(route=message_of(record, pb.Route))

    async def DeleteRoute(self, request: pb.DeleteRouteRequest, who: Identity) -> pb.DeleteRouteResponse:
        await self._definitions.delete(Kind.ROUTE, named(request.name, Kind.ROUTE), request.etag)
        return pb.DeleteRouteResponse(name=request.name)

    async def ListRoutes(self, request: pb.ListRoutesRequest, who: Identity) -> pb.ListRoutesResponse:
        size = page_size(request.page_size)
        records = await self._definitions.page(Kind.ROUTE, page_start(request.page_token), size)
        return pb.ListRoutesResponse(
            routes=[message_of(record, pb.Route) for record in records],
            next_page_token=page_token(records, size),
        )
