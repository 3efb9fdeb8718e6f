"""The way of an HTTP request from a router's server to its ingress, past Serve's own wrappers.

Serve counts each request, gives it a context and an id, and looks at each message of its answer. What it
counts the ingress counts, too, so requests take this way (`docs/decisions/0021-door.md`). What Serve asks for
itself (`/-/…`) goes to Serve, and so does everything in a process that is no router's. Listed by
`listening.py`, opened by `model_router.py`.
"""

from __future__ import annotations

from typing import ClassVar

from deployments.ingress.asgi import Application, Receive, Scope, Send

_SERVES_OWN = "/-/"


class Door:
    """A middleware of Serve's HTTP server, the outermost."""

    # Of this process: Serve makes the middleware, and hands it nothing.
    _ingress: ClassVar[Application | None] = None

    def __init__(self, serves: Application) -> None:
        self._serves = serves

    @classmethod
    def open_to(cls, ingress: Application) -> None:
        """From now on, requests go to the ingress."""
        cls._ingress = ingress

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        ingress = self._ingress
        if ingress is None or scope["type"] != "http" or scope["path"].startswith(_SERVES_OWN):
            await self._serves(scope, receive, send)
        else:
            await ingress(scope, receive, send)
