"""Who calls. Used by the HTTP and the gRPC ingress before anything else happens."""

from __future__ import annotations

import hmac
import time
from collections.abc import Callable, Iterable, Sequence

from deployments.ingress.context import Headers
from voyager_llm.domain.model import SecretRef
from voyager_llm.domain.request import BEARER, PLAIN_KEYS, Principal
from voyager_llm.errors import Unauthenticated, Unavailable, VoyagerError
from voyager_llm.ports import SecretSource
from voyager_llm.settings import Settings

# The name that a caller gives itself.
_USER = "x-voyager-user"
_MAX_NAME = 253
# For how long the key before the current one is still accepted.
OVERLAP_SECONDS = 300.0
_LOOK_AGAIN_SECONDS = 1.0


class Authenticator:
    """Checks the API key, where one is set. Without one the service listens on loopback only
    (`Settings` sees to it), and everybody there may call.

    A rotated key is noticed when a client presents it: a key that is not known makes the secret be read
    again, once a second at most. The key before it stays valid for a while, so that clients may follow."""

    def __init__(
        self, settings: Settings, secrets: SecretSource, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._key = settings.api_key
        self._secrets = secrets
        self._clock = clock
        self._former = ""
        self._former_until = 0.0
        self._looked_at = float("-inf")

    async def identify(self, header: Headers) -> Principal:
        """Who a request's headers say that calls. Raises `Unauthenticated`."""
        if self._key is not None and not await self._admits(self._key, _keys(header)):
            raise Unauthenticated("give the API key as 'Authorization: Bearer …', in api-key or in x-api-key")
        user = header(_USER)
        return Principal(user[:_MAX_NAME] if user.isprintable() and user else "anonymous")

    async def check(self) -> None:
        """Raises `VoyagerError` where a key is set and cannot be read; then nobody is admitted."""
        if self._key is not None:
            await self._secrets.get(self._key)

    async def identify_call(self, metadata: Iterable[tuple[str, str | bytes]]) -> Principal:
        """As `identify`, of a gRPC call's metadata."""
        found = texts(metadata)
        return await self.identify(lambda name: found.get(name, ""))

    async def _admits(self, key: SecretRef, given: Sequence[str]) -> bool:
        try:
            current = await self._secrets.get(key)
        except VoyagerError:
            # Why is nothing for strangers; `check` says it, whenever readiness is looked at.
            raise Unavailable(
                "keys cannot be checked now; the operator finds the reason in the log"
            ) from None
        if _is_among(given, current):
            return True
        now = self._clock()
        if now < self._former_until and _is_among(given, self._former):
            return True
        if now - self._looked_at < _LOOK_AGAIN_SECONDS:
            return False
        self._looked_at = now
        newer = await self._secrets.newer(key, current)
        if newer is None:
            return False
        self._former, self._former_until = current, now + OVERLAP_SECONDS
        return _is_among(given, newer) or _is_among(given, current)


def texts(metadata: Iterable[tuple[str, str | bytes]]) -> dict[str, str]:
    """A gRPC call's metadata without what is binary."""
    return {key: value for key, value in metadata if isinstance(value, str)}


def _bearer_token(authorization: str) -> str:
    """The token; empty where the header is of another scheme or of none. A scheme has no case."""
    scheme, _, token = authorization.strip().partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def _keys(header: Headers) -> list[str]:
    """The keys that a request presents. SDKs fill in one header and let their user fill in another, so each
    that is there counts."""
    presented = [_bearer_token(header(BEARER)), *(header(name).strip() for name in PLAIN_KEYS)]
    return [key for key in presented if key]


def _is_among(given: Sequence[str], expected: str) -> bool:
    """In constant time for each, so that an answer's delay tells nothing."""
    return any(hmac.compare_digest(key.encode(), expected.encode()) for key in given)
