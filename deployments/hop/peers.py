"""The replicas of one deployment that this router has connections to. For `caller.py` and `renderer.py`."""

from __future__ import annotations

import asyncio
import logging
import random
import ssl
from collections.abc import Collection

from deployments.hop import discovery, tls
from deployments.hop.announcement import Announcement, announced
from deployments.hop.channel import Channel
from deployments.hop.frames import frame_bytes
from voyager_llm.settings import Settings

log = logging.getLogger(__name__)

_CONNECT_SECONDS = 5.0
_FIRST_PAUSE_SECONDS = 0.1
_LONGEST_PAUSE_SECONDS = 5.0


class Peers:
    """Of ``deployment``, as Serve lists them. ``node``: the id of the node that this router is on."""

    def __init__(self, deployment: str, settings: Settings, node: str) -> None:
        self.deployment = deployment
        # Calls that no replica took directly.
        self.passed_on = 0
        self._node = node
        self._frame_bytes = frame_bytes(settings)
        self._peers: dict[str, Peer] = {}
        # Each router has its own order, so that those with little to do do not all choose the same.
        self._order: list[Peer] = []

    def start(self) -> None:
        """Begin to connect; on the event loop that is to make the calls."""
        discovery.watch(self.deployment, self._listed)

    @property
    def connected(self) -> int:
        """Replicas that take calls now, or would with fewer under way."""
        return sum(peer.channel is not None for peer in self._order)

    def free(self, tried: Collection[Channel]) -> Channel | None:
        """The channel with the fewest calls under way that takes one more and was not tried."""
        best = None
        for peer in self._order:
            channel = peer.channel
            if channel is None or not channel.free or channel in tried:
                continue
            if best is None or channel.load < best.load:
                best = channel
        return best

    def _listed(self, replicas: discovery.Replicas) -> None:
        for name in self._peers.keys() - replicas.keys():
            self._peers.pop(name).leave()
        for name in replicas.keys() - self._peers.keys():
            announcement = announced(replicas[name])
            if announcement is not None and (announcement.node == self._node or announcement.port):
                self._peers[name] = Peer(announcement, self._node, self._frame_bytes)
        self._order = random.sample(list(self._peers.values()), len(self._peers))


class Peer:
    """Keeps a connection to one replica while Serve lists it."""

    def __init__(self, announcement: Announcement, node: str, frame_bytes: int) -> None:
        self.channel: Channel | None = None
        self._to = announcement
        self._is_here = announcement.node == node
        self._frame_bytes = frame_bytes
        self._keeping = asyncio.get_running_loop().create_task(self._keep())

    def leave(self) -> None:
        """It is no longer listed: send no more calls, and close after the last one."""
        self._keeping.cancel()
        if self.channel is not None:
            self.channel.leave()

    async def _keep(self) -> None:
        pause = _FIRST_PAUSE_SECONDS
        while True:
            try:
                self.channel = await self._connected()
                pause = _FIRST_PAUSE_SECONDS
                # Shielded: this task may be cancelled while calls are still under way there.
                await asyncio.shield(self.channel.closed)
                if self.channel.leaving:
                    return
            except (OSError, KeyError) as error:
                log.warning("a replica cannot be reached directly: %s", str(error) or type(error).__name__)
            self.channel = None
            # Jittered: a replica that restarts its loop is not met by all routers at once.
            await asyncio.sleep(pause * random.uniform(0.5, 1.0))
            pause = min(pause * 2, _LONGEST_PAUSE_SECONDS)

    async def _connected(self) -> Channel:
        """A channel that is ready. Raises `OSError`, which a time-out is, too."""
        to, loop = self._to, asyncio.get_running_loop()
        channel = Channel(bytes.fromhex(to.secret), to.limit, self._frame_bytes)
        async with asyncio.timeout(_CONNECT_SECONDS):
            if self._is_here:
                await loop.create_unix_connection(lambda: channel, to.path)
            else:
                secured = tls.context(ssl.Purpose.SERVER_AUTH)
                await loop.create_connection(lambda: channel, to.host, to.port, ssl=secured)
            try:
                await channel.ready
            except BaseException:
                channel.abort()
                raise
        return channel
