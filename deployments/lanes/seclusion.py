"""No look-up of a name while LiteLLM works for a request.

Python's resolver blocks its thread, and so everybody where that thread runs the event loop; it also tells a
name that a client wrote to whoever answers for it. LiteLLM looks up what it means to fetch, in places that a
release may add to. Nothing that we ask of it needs a name: our own client connects (`egress.py`), and
credentials are fetched ahead (`credentials.py`). So here every look-up is an error at once. Blocking
connections begin with one, also those to a literal address. Used by `dialects.py`, `full.py` and `egress.py`.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Generator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import wraps
from typing import Any

from voyager_llm.errors import UpstreamRejected

# A context variable, since LiteLLM works on the event loop and, with a copy of the context, in threads.
_SECLUDED: ContextVar[bool] = ContextVar("voyager_secluded", default=False)


def seclude() -> None:
    """Refuse look-ups with `UpstreamRejected` in this context, from now on."""
    _SECLUDED.set(True)


@contextmanager
def secluded(is_secluded: bool = True) -> Generator[None]:
    """Refuse look-ups for a part; with False, allow them again."""
    token = _SECLUDED.set(is_secluded)
    try:
        yield
    finally:
        _SECLUDED.reset(token)


def _guarded(look_up: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(look_up)
    def guarded(*arguments: Any, **named: Any) -> Any:
        if _SECLUDED.get():
            raise UpstreamRejected(
                "the request points at something that this provider cannot fetch itself", "messages"
            )
        return look_up(*arguments, **named)

    return guarded


def install() -> None:
    """Put the guard before Python's resolver."""
    for name in ("getaddrinfo", "gethostbyname", "gethostbyname_ex", "gethostbyaddr", "getnameinfo"):
        setattr(socket, name, _guarded(getattr(socket, name)))


install()
