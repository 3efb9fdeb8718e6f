"""Where a replica listens for calls over the direct path: a unix socket for its node, TCP for other nodes.

One for each replica of `LiteLLMCaller` and `PromptRenderer`; `docs/listening.md` says who can reach it.
"""

from __future__ import annotations

import asyncio
import ipaddress
import os
import shutil
import ssl
import tempfile
from pathlib import Path

from deployments.hop import tls
from deployments.hop.announcement import Announcement
from deployments.hop.frames import frame_bytes
from deployments.hop.gate import Gate
from deployments.hop.handshake import new_secret
from deployments.hop.messages import VERSION
from deployments.hop.services import Service
from deployments.hop.session import Session
from voyager_llm.settings import Settings

# Connections that have not proved themselves yet; those of routers do it at once.
_STRANGERS = 64
# A path may have 108 bytes, its end included; Linux keeps no longer one.
_LONGEST_PATH = 107
# For TLS's own handshake.
_TLS_SECONDS = 5.0
# How long routers have to close what they need no more.
_PARTING_SECONDS = 2.0


class Server:
    """Listens, and ends when its replica does. ``node`` and ``address``: the node's id, and where others
    reach it."""

    def __init__(self, service: Service, gate: Gate, settings: Settings, node: str, address: str) -> None:
        self.service = service
        self.gate = gate
        self.secret = new_secret()
        self.frame_bytes = frame_bytes(settings)
        self.draining = False
        self._host = settings.replica_host
        self._node = node
        self._address = address
        # In the order in which they came.
        self._strangers: dict[Session, None] = {}
        self.sessions: set[Session] = set()
        self._left = asyncio.Event()
        self._servers: list[asyncio.Server] = []
        self._folder = Path()

    async def start(self) -> Announcement:
        """Begin to listen."""
        loop = asyncio.get_running_loop()
        self._folder = _private_folder()
        path = str(self._folder / "s")
        self._servers.append(await loop.create_unix_server(self._session, path))
        port = 0
        # A loopback address means that there are no other nodes.
        if not _is_loopback(self._host):
            secured = tls.context(ssl.Purpose.CLIENT_AUTH)
            patience = _TLS_SECONDS if secured else None
            server = await loop.create_server(
                self._session, self._host, 0, ssl=secured, ssl_handshake_timeout=patience
            )
            self._servers.append(server)
            port = server.sockets[0].getsockname()[1]
        return Announcement(
            VERSION, self._node, path, self._address, port, self.gate.limit, self.secret.hex()
        )

    async def drain(self) -> None:
        """Send routers elsewhere, and wait until the last call is answered."""
        self.draining = True
        for session in self.sessions:
            session.send_away()
        await self.gate.idle()
        try:
            async with asyncio.timeout(_PARTING_SECONDS):
                while self.sessions:
                    self._left.clear()
                    await self._left.wait()
        except TimeoutError:
            pass
        for session in (*self.sessions, *self._strangers):
            session.close()
        for server in self._servers:
            server.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _session(self) -> Session:
        return Session(self)

    def connected(self, session: Session) -> None:
        if len(self._strangers) >= _STRANGERS:
            # The one that has been a stranger for longest.
            next(iter(self._strangers)).abort()
        self._strangers[session] = None

    def greeted(self, session: Session) -> None:
        self._strangers.pop(session, None)
        self.sessions.add(session)
        if self.draining:
            session.send_away()

    def closed(self, session: Session) -> None:
        self._strangers.pop(session, None)
        self.sessions.discard(session)
        self._left.set()


def _is_loopback(host: str) -> bool:
    return host == "localhost" or ipaddress.ip_address(host).is_loopback


def _private_folder() -> Path:
    """A folder that only this user can enter, in the run's own where there is one and its name is short."""
    scratch = os.environ.get("VOYAGER_SCRATCH", "")
    fits = scratch and len(scratch) + len("/hop-12345678/s") <= _LONGEST_PATH
    return Path(tempfile.mkdtemp(prefix="hop-" if fits else "voyager-hop-", dir=scratch if fits else None))
