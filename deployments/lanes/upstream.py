"""The pooled HTTP client through which every lane reaches providers.

Keep-alive connections with a limit per provider, no redirects, answers bounded in size, the address
checked at each connection. Used by `wire.py` and `adapter.py`, request by request (`roundtrip.py`); `full.py`
lends its session to LiteLLM.
"""

from __future__ import annotations

import errno
import socket
from collections.abc import Mapping
from functools import lru_cache

import aiohttp
from aiohttp.connector import AddrInfoType

from deployments.lanes.roundtrip import Connector, Destination, RoundTrip
from voyager_llm.domain.address import is_forbidden_address
from voyager_llm.errors import (
    UpstreamInvalid,
    UpstreamMisconfigured,
    UpstreamTimeout,
    UpstreamUnavailable,
    UpstreamUnreachable,
    VoyagerError,
)
from voyager_llm.settings import Settings

# URLs that are kept ready; an endpoint has one or two.
_DESTINATIONS = 4096


class ForbiddenAddressError(OSError):
    """An endpoint's name stands for an address that must not be called."""


def _guarded_socket(address: AddrInfoType) -> socket.socket:
    """A socket for one connection: the last moment at which its address can be looked at."""
    family, kind, protocol, _, where = address
    if is_forbidden_address(str(where[0])):
        raise ForbiddenAddressError(errno.EACCES, "a link-local or metadata address")
    return socket.socket(family, kind, protocol)


class Upstream:
    """One client a process, and the only way out."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._connector: Connector | None = None
        self._session: aiohttp.ClientSession | None = None
        self._destination = lru_cache(maxsize=_DESTINATIONS)(Destination)

    def post(
        self, url: str, headers: Mapping[str, str], body: bytes, *, timeout_s: float, idle_s: float = 0.0
    ) -> RoundTrip:
        """Send a request. ``timeout_s`` limits all of it, ``idle_s`` the pauses within the answer.

        To enter it and to read its answer raise `CLIENT_ERRORS`; `client_fault` translates them. So does
        the call itself, of an address or headers that no request can have."""
        return self._round_trip("POST", url, headers, body, timeout_s, idle_s)

    def request(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: bytes,
        *,
        timeout_s: float,
        idle_s: float = 0.0,
    ) -> RoundTrip:
        """As `post`, by another method too."""
        return self._round_trip(method, url, headers, body, timeout_s, idle_s)

    async def reachable(self, url: str, headers: Mapping[str, str], timeout_s: float) -> int:
        """The status of a GET; for probes. Raises the errors of a provider that cannot be reached."""
        try:
            async with self._round_trip("GET", url, headers, b"", timeout_s, 0.0) as answer:
                return answer.status
        except CLIENT_ERRORS as error:
            raise client_fault(error, timeout_s) from None

    async def read(self, answer: RoundTrip) -> bytes:
        """The whole answer. Raises `UpstreamInvalid` when it is over the limit."""
        limit = self._settings.max_answer_bytes
        pieces: list[bytes] = []
        size = 0
        # Counted as it comes: what is compressed is larger than its length says.
        while piece := await answer.piece():
            size += len(piece)
            if size > limit:
                raise UpstreamInvalid(f"the provider's answer is larger than {limit} bytes")
            pieces.append(piece)
        return b"".join(pieces)

    def session(self) -> aiohttp.ClientSession:
        """A session of aiohttp's over the same connections, for LiteLLM's clients."""
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=self._pool(),
                connector_owner=False,
                cookie_jar=aiohttp.DummyCookieJar(),
                # Proxies and .netrc of the environment would send requests and keys elsewhere.
                trust_env=False,
                skip_auto_headers=("User-Agent", "Accept-Encoding"),
                read_bufsize=2**18,
            )
        return self._session

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None
        if self._connector is not None:
            await self._connector.close()
            self._connector = None
        self._destination.cache_clear()

    def _round_trip(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes, total_s: float, idle_s: float
    ) -> RoundTrip:
        return RoundTrip(
            self._pool(), self._destination(method, url), headers, body,
            connect_s=self._settings.connect_timeout_s, total_s=total_s, idle_s=idle_s,
        )  # fmt: skip

    def _pool(self) -> Connector:
        # Made on first use: a connector belongs to the event loop that runs by then.
        if self._connector is None:
            self._connector = Connector(
                limit=0,
                limit_per_host=self._settings.connections_per_host,
                socket_factory=None if self._settings.allow_link_local else _guarded_socket,
                ttl_dns_cache=30,
                keepalive_timeout=55,
            )
        return self._connector


# What the client raises when no connection could be made.
CONNECT_ERRORS = (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError)
# And when a provider breaks off, besides.
CLIENT_ERRORS = (aiohttp.ClientError, ValueError, OSError, TimeoutError)


def client_fault(error: Exception, timeout_s: float) -> VoyagerError:
    """One of `CLIENT_ERRORS` as an error of ours."""
    if isinstance(error, aiohttp.ConnectionTimeoutError):
        return UpstreamUnreachable("the provider cannot be reached: connecting took too long")
    if isinstance(error, TimeoutError):
        return UpstreamTimeout(f"the provider did not answer within {timeout_s:.3g} s")
    if isinstance(error, aiohttp.ClientConnectorError) and isinstance(error.os_error, ForbiddenAddressError):
        return UpstreamMisconfigured("the endpoint resolves to a link-local or metadata address")
    if isinstance(error, aiohttp.ClientConnectorError):
        return UpstreamUnreachable("the provider cannot be reached")
    if isinstance(error, (aiohttp.InvalidURL, aiohttp.NonHttpUrlClientError)):
        return UpstreamMisconfigured("the endpoint is no valid URL")
    if isinstance(error, aiohttp.ClientPayloadError):
        return UpstreamInvalid("the provider's answer broke off")
    if isinstance(error, aiohttp.ServerDisconnectedError):
        return UpstreamUnavailable("the provider closed the connection")
    if isinstance(error, (aiohttp.ClientResponseError, ValueError)):
        return UpstreamInvalid("the provider's answer is no valid HTTP")
    return UpstreamUnavailable("the connection to the provider failed")
