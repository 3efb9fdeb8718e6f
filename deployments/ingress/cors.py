"""Which web pages may call, where `Settings.cors_origins` names any: the headers that browsers look for.

A page's origin is allowed as it is written or not at all; only ``*`` allows all, and then never with the
browser's credentials. Used by `http.py`; `serve_app/haproxy_config.py` adds it to what HAProxy answers.
"""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any

from deployments.ingress.asgi import Header, Send

# What pages may read of an answer besides its body.
_OF_LIMITS = [
    f"x-ratelimit-{what}-{of}" for what in ("limit", "remaining", "reset") for of in ("requests", "tokens")
]
_EXPOSED = ", ".join(
    ["x-request-id", "x-voyager-trace-id", "x-voyager-model", "x-voyager-attempts", "x-voyager-cost",
     "retry-after", *_OF_LIMITS]
).encode()  # fmt: skip
_MAX_AGE = b"7200"
_ANY = "*"


class Cors:
    """The headers for requests of web pages."""

    def __init__(self, origins: tuple[str, ...]) -> None:
        self._origins = frozenset(origins)

    @property
    def is_off(self) -> bool:
        """No page may call: nothing is said to any."""
        return not self._origins

    def headers(self, origin: str) -> list[Header]:
        """For every answer to a request of this origin."""
        if _ANY in self._origins:
            return [(b"access-control-allow-origin", b"*"), (b"access-control-expose-headers", _EXPOSED)]
        # A cache must not show the answer for one origin to another, nor to one that is not allowed.
        varies = (b"vary", b"origin")
        if origin not in self._origins:
            return [varies]
        return [
            varies,
            (b"access-control-allow-origin", origin.encode()),
            (b"access-control-allow-credentials", b"true"),
            (b"access-control-expose-headers", _EXPOSED),
        ]

    def preflight(self, origin: str, allowed: str, asked: str) -> list[Header]:
        """Besides `headers`, for the question whether a request may be made: with these methods, and with the
        headers that are ``asked`` for. SDKs send a dozen of their own, which ``*`` would not stand for where
        a key is among them."""
        if not self._origins & {origin, _ANY}:
            return []
        lines = [
            (b"access-control-allow-methods", allowed.encode()),
            (b"access-control-max-age", _MAX_AGE),
        ]
        if asked:
            lines.append((b"access-control-allow-headers", asked.encode("latin-1")))
        return lines

    def adding(self, send: Send, origin: str) -> Send:
        """``send`` that adds the headers to whatever answer there is."""

        async def sending(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message["headers"], *self.headers(origin)]}
            await send(message)

        return sending
