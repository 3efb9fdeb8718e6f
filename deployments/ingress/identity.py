"""Who calls. Used by the HTTP and the gRPC ingress before anything else happens."""

from __future__ import annotations

import hmac
from dataclasses import dataclass

from voyager_llm.errors import Unauthenticated
from voyager_llm.ports import SecretSource
from voyager_llm.settings import Settings

_MAX_NAME = 253


@dataclass(frozen=True, slots=True)
class Identity:
    """A caller. ``author`` is written beside what it changes."""

    author: str


class Authenticator:
    """Checks the API key, where one is set. Without one the service listens on loopback only
    (`Settings` sees to it), and everybody there may call."""

    def __init__(self, settings: Settings, secrets: SecretSource) -> None:
        self._key = settings.api_key
        self._secrets = secrets

    def identify(self, authorization: str, user: str) -> Identity:
        """``authorization`` is the header's value, ``user`` the name that the caller gives itself
        (``x-voyager-user``). Raises `Unauthenticated`."""
        if self._key is not None:
            expected = self._secrets.get(self._key)
            given = authorization.removeprefix("Bearer ").strip()
            if not hmac.compare_digest(given.encode(), expected.encode()):
                raise Unauthenticated("give the API key as 'Authorization: Bearer …'")
        return Identity(user[:_MAX_NAME] if user.isprintable() and user else "anonymous")
