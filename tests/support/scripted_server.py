"""A server that answers with the bytes it is told to, in the pieces it is told to.

Used by tests of the HTTP client.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

END = None
"""In a script: close the connection."""


@dataclass
class Pause:
    """In a script: wait so many seconds."""

    seconds: float


Step = bytes | Pause | None


@dataclass
class ScriptedServer:
    """Answers each request with the next script, or the last one again."""

    port: int = 0
    scripts: list[Sequence[Step]] = field(default_factory=list[Sequence[Step]])
    # For each connection, how many requests came over it.
    requests: list[int] = field(default_factory=list[int])
    # Bytes that could be handed to the network, of the last answer.
    sent: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/"

    def play(self, *scripts: Sequence[Step]) -> None:
        self.scripts = list(scripts)
        self.requests.clear()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        place = len(self.requests)
        self.requests.append(0)
        try:
            while await _request(reader):
                self.requests[place] += 1
                script = self.scripts[0] if len(self.scripts) == 1 else self.scripts.pop(0)
                self.sent = 0
                for step in script:
                    if step is END:
                        return
                    if isinstance(step, Pause):
                        await asyncio.sleep(step.seconds)
                        continue
                    writer.write(step)
                    await writer.drain()
                    self.sent += len(step)
                    # So that pieces arrive one by one.
                    await asyncio.sleep(0.0005)
        except (ConnectionError, asyncio.CancelledError):
            pass
        finally:
            writer.close()


async def _request(reader: asyncio.StreamReader) -> bool:
    """Read a request. False: there is none."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
        length = head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0]
        await reader.readexactly(int(length or 0))
    except (asyncio.IncompleteReadError, ConnectionError):
        return False
    return True


@asynccontextmanager
async def scripted_server(tls: ssl.SSLContext | None = None) -> AsyncIterator[ScriptedServer]:
    scripted = ScriptedServer()
    server = await asyncio.start_server(scripted.serve, "127.0.0.1", 0, ssl=tls)
    scripted.port = server.sockets[0].getsockname()[1]
    yield scripted
    server.close()
