"""The way of an HTTP request from a router's server to its ingress, past Serve's own wrappers.

Serve counts each request, gives it a context and an id, and looks at each message of its answer. What it
counts the ingress counts, too, so requests take this way (`docs/decisions/0021-door.md`). What Serve asks for
itself (`/-/…`) goes to Serve, and so does everything in a process that is no router's. Listed by
`listening.py`, opened by `model_router.py`.
"""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any, ClassVar

from deployments.ingress.asgi import Application, Receive, Scope, Send
from deployments.ingress.keyless import SERVES_OWN

# Serve's word. Its status alone also says that a replica was not asked for its health yet.
_CLOSING = b"DRAINING"


class Door:
    """A middleware of Serve's HTTP server, the outermost."""

    # Of this process: Serve makes the middleware, and hands it nothing.
    _ingress: ClassVar[Application | None] = None
    _last: ClassVar[Door | None] = None

    def __init__(self, serves: Application) -> None:
        self._serves = serves
        Door._last = self

    @classmethod
    def open_to(cls, ingress: Application) -> None:
        """From now on, requests go to the ingress."""
        cls._ingress = ingress

    @classmethod
    async def is_closing(cls) -> bool:
        """Whether Serve takes this replica out: it says so where load balancers ask."""
        return cls._last is not None and _CLOSING in await cls._last._answer_to(f"{SERVES_OWN}healthz")

    async def _answer_to(self, path: str) -> bytes:
        body = bytearray()

        async def send(message: MutableMapping[str, Any]) -> None:
            body.extend(message.get("body", b""))

        await self._serves(_question(path), _nothing, send)
        return bytes(body)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        ingress = self._ingress
        if ingress is None or scope["type"] != "http" or scope["path"].startswith(SERVES_OWN):
            await self._serves(scope, receive, send)
        else:
            await ingress(scope, receive, send)


def _question(path: str) -> Scope:
    """A request of nobody outside."""
    return {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "GET", "scheme": "http",
        "path": path, "raw_path": path.encode(), "root_path": "", "query_string": b"", "headers": [],
        "client": None, "server": None,
    }  # fmt: skip


async def _nothing() -> MutableMapping[str, Any]:
    return {"type": "http.request", "body": b"", "more_body": False}
