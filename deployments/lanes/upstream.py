"""The pooled HTTP client through which every lane reaches providers.

Keep-alive connections with a limit per provider, no redirects, answers bounded in size, the address
checked at each connection. Used by `wire.py` and `adapter.py`; `full.py` lends its session to LiteLLM.
"""

from __future__ import annotations

import errno
import socket
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager

import aiohttp
from aiohttp.connector import AddrInfoType

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
        self._session: aiohttp.ClientSession | None = None

    def session(self) -> aiohttp.ClientSession:
        """The client itself."""
        # Made on first use: a session belongs to the event loop that runs by then.
        if self._session is None:
            guarded = not self._settings.allow_link_local
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(
                    limit=0,
                    limit_per_host=self._settings.connections_per_host,
                    socket_factory=_guarded_socket if guarded else None,
                    ttl_dns_cache=30,
                    keepalive_timeout=55,
                ),
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

    def post(
        self, url: str, headers: Mapping[str, str], body: bytes, *, timeout_s: float, idle_s: float = 0.0
    ) -> AbstractAsyncContextManager[aiohttp.ClientResponse]:
        """Send a request. ``timeout_s`` limits all of it, ``idle_s`` the pauses within the answer.

        Raises `CLIENT_ERRORS`, here and while the answer is read; `client_fault` translates them."""
        timeout = aiohttp.ClientTimeout(
            total=timeout_s,
            sock_connect=min(self._settings.connect_timeout_s, timeout_s),
            sock_read=idle_s or None,
        )
        return self.session().post(url, data=body, headers=headers, allow_redirects=False, timeout=timeout)

    async def reachable(self, url: str, headers: Mapping[str, str], timeout_s: float) -> int:
        """The status of a GET; for probes. Raises the errors of a provider that cannot be reached."""
        timeout = aiohttp.ClientTimeout(total=timeout_s)
        try:
            async with self.session().get(
                url, headers=headers, allow_redirects=False, timeout=timeout
            ) as response:
                return response.status
        except CLIENT_ERRORS as error:
            raise client_fault(error, timeout_s) from None

    async def read(self, response: aiohttp.ClientResponse) -> bytes:
        """The whole answer. Raises `UpstreamInvalid` when it is over the limit."""
        limit = self._settings.max_answer_bytes
        if (response.content_length or 0) <= limit:
            if response.content_length is not None:
                return await response.read()
            pieces: list[bytes] = []
            size = 0
            async for piece in response.content.iter_any():
                size += len(piece)
                if size > limit:
                    break
                pieces.append(piece)
            else:
                return b"".join(pieces)
        response.close()
        raise UpstreamInvalid(f"the provider's answer is larger than {limit} bytes")


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
