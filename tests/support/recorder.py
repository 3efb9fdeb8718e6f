"""A provider that writes down what it is sent, and answers with the bytes it is told to.

In this process, so that nothing but the two sides under comparison runs. Used by the differential tests
(`tests/contract/differential/`).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import orjson

from scripts.fake_provider.formats import format_of, wants_stream
from scripts.fake_provider.profiles import Profile


@dataclass(frozen=True)
class Seen:
    """One request. Names of headers in lower case."""

    target: str
    headers: tuple[tuple[str, str], ...]
    raw: bytes

    @property
    def body(self) -> Any:
        return orjson.loads(self.raw) if self.raw else None


@dataclass(frozen=True)
class Reply:
    """What is answered instead of the ordinary answer of the path's format."""

    body: bytes
    kind: str = "application/json"
    status: int = 200


@dataclass
class Recorder:
    port: int = 0
    seen: list[Seen] = field(default_factory=list[Seen])
    reply: Reply | None = None
    # The same, by what was sent; None: as otherwise.
    reply_to: Callable[[Seen], Reply | None] = lambda _: None
    # Whether each byte of an answer's body is sent by itself.
    is_slow: bool = False

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head, _, rest = (await reader.readuntil(b"\r\n\r\n")).partition(b"\r\n")
                target = head.split(b" ")[1].decode()
                lines = rest.decode("latin-1").strip().split("\r\n")
                headers = tuple((n.lower(), v.strip()) for n, _, v in (line.partition(":") for line in lines))
                raw = await reader.readexactly(int(dict(headers).get("content-length", 0)))
                self.seen.append(Seen(target, headers, raw))
                reply = self.reply_to(self.seen[-1]) or self.reply or _ordinary(target.partition("?")[0], raw)
                kind = f"Content-Type: {reply.kind}\r\n" if reply.kind else ""
                length = f"Content-Length: {len(reply.body)}\r\n"
                writer.write(f"HTTP/1.1 {reply.status} OK\r\n{kind}{length}\r\n".encode())
                for piece in _pieces(reply.body) if self.is_slow else [reply.body]:
                    writer.write(piece)
                    await writer.drain()
                    # So that the other side, in the same event loop, reads it before the next one.
                    await asyncio.sleep(0)
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass
        finally:
            writer.close()


def _pieces(body: bytes) -> list[bytes]:
    return [body[i : i + 1] for i in range(len(body))]


def _ordinary(path: str, raw: bytes) -> Reply:
    spoken = format_of(path)
    if spoken is None:
        return Reply(b'{"error":{"message":"no such path"}}', status=404)
    document = orjson.loads(raw)
    if wants_stream(path, document):
        return Reply(b"".join(spoken.events(Profile(), document)), spoken.stream_type)
    return Reply(orjson.dumps(spoken.answer(Profile(), document)))


@asynccontextmanager
async def recording() -> AsyncGenerator[Recorder]:
    """A recorder on a free port of this machine."""
    recorder = Recorder()
    server = await asyncio.start_server(recorder.serve, "127.0.0.1", 0, limit=2**24)
    recorder.port = server.sockets[0].getsockname()[1]
    try:
        yield recorder
    finally:
        server.close()
