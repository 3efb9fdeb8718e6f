"""Where Serve's own servers in our processes listen, and whom they hear.

Serve opens its gRPC ports on every interface, takes messages of 2 GiB there, and has no setting for either.
Its functions are wrapped here before it calls them: each deployment says `listen_on` when it is made, and
`for_serve` is the callback that Serve calls (``RAY_SERVE_HTTP_PROXY_CALLBACK_IMPORT_PATH``) in its own proxy
and in each router before that listens. `docs/listening.md` says what listens where;
`tests/hostile/test_listening.py` looks from outside whether it is so.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import grpc
from grpc.aio import ServerInterceptor
from ray._common.tls_utils import add_port_to_grpc_server
from ray.serve._private import grpc_util, replica
from ray.serve._private.grpc_util import gRPCGenericServer
from starlette.middleware import Middleware

from deployments.ingress.bodies import BodyLimits
from deployments.ingress.identity import Authenticator
from deployments.ingress.keyless import SERVICES
from deployments.ingress.rpc.calls import heeding, refuse
from deployments.secrets.places import secrets_of
from deployments.serving.door import Door
from voyager_llm.errors import VoyagerError
from voyager_llm.settings import Settings, settings


def for_serve() -> list[Any]:
    """The port of gRPC clients is on `Settings.replica_host`, wants the key before it reads a message,
    reads none over the limit of bodies without files and heeds deadlines (`ingress/rpc/calls.py`). Returns
    the HTTP middlewares that Serve asks for."""
    config = settings()
    listen_on(config.replica_host)
    _Guarded.host = config.replica_host
    _Guarded.config = config
    grpc_util.gRPCGenericServer = _Guarded
    return [Middleware(Door)]


def listen_on(host: str) -> None:
    """The port through which other deployments call this one is on ``host``.

    It obeys whoever has Ray's token, and reads pickles."""

    def add_port(server: grpc.aio.Server, address: str) -> int:
        return add_port_to_grpc_server(server, _at(host, address))

    setattr(replica, "add_port_to_grpc_server", add_port)  # noqa: B010 (it is no export)


def _at(host: str, address: str) -> str:
    port = address.rpartition(":")[2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


class _Guarded(gRPCGenericServer):
    """Serve's gRPC server, which Serve makes for itself."""

    host: str
    config: Settings

    def __init__(self, service_handler_factory: Callable[..., Any], *, extra_options: Any = None) -> None:
        # Serve's own takes no interceptors, so this one does what that does.
        self.generic_rpc_handlers = []
        self.service_handler_factory = service_handler_factory
        self._passthrough_service_names = set()
        options = [
            *(extra_options or []),
            ("grpc.max_send_message_length", -1),
            ("grpc.max_receive_message_length", BodyLimits.of(self.config, files=False).max_bytes),
        ]
        guards = [_Guard(self.config)] if self.config.api_key else []
        grpc_server: Any = super(gRPCGenericServer, self)
        grpc_server.__init__(None, (), guards, options, None, None)

    def _override_method_handler(self, service_method: str, method_handler: Any) -> Any:
        return heeding(super()._override_method_handler(service_method, method_handler))

    def add_insecure_port(self, address: str) -> int:
        return super().add_insecure_port(_at(self.host, address))


class _Guard(ServerInterceptor):
    """Refuses who has no key, from the call's metadata: its message is not read."""

    def __init__(self, config: Settings) -> None:
        self._authenticator = Authenticator(config, secrets_of(config))

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Any]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Any:
        if not handler_call_details.method.startswith(SERVICES):
            try:
                await self._authenticator.identify_call(handler_call_details.invocation_metadata)
            except VoyagerError as error:
                return _refusal(error)
        return await continuation(handler_call_details)


def _refusal(error: VoyagerError) -> grpc.RpcMethodHandler[Any, Any]:
    """A method that reads nothing and fails."""

    async def answer(_messages: Any, context: grpc.aio.ServicerContext[Any, Any]) -> None:
        await refuse(context, error)

    return grpc.stream_stream_rpc_method_handler(answer)
