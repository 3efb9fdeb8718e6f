"""What some providers take instead of a secret: tokens made of one, and this machine's own identity.

LiteLLM fetches both itself, while it makes a call: that blocks threads which everybody needs, and no deadline
ends it. So they are fetched here, ahead of the call, by a few threads of our own: everyone who needs the same
credentials waits for one fetch, as long as its own deadline lets it. Where LiteLLM would fetch, it is handed
what is held. Used by `full.py`.
"""

from __future__ import annotations

import asyncio
import json
import logging
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import httpx
from litellm.llms.bedrock.base_aws_llm import BaseAWSLLM
from litellm.llms.vertex_ai.vertex_llm_base import VertexBase
from litellm.llms.watsonx import common_utils as watsonx

from deployments.lanes import egress
from voyager_llm.domain.endpoint import Endpoint
from voyager_llm.errors import Unavailable, UpstreamMisconfigured, UpstreamUnreachable, VoyagerError

# Threads that fetch at a time. One that is never answered keeps its thread, so they are counted.
_MOST_FETCHES = 8
# How long credentials are held that do not say how long they last; what a cloud rotates lasts longer.
_HELD_S = 300.0
# Credentials are used no more when they have less than this left; Google's machines are given the same ones
# until five minutes before their end.
_MARGIN_S = 60.0

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Source:
    """Where credentials come from: those of equal sources are the same."""

    fetch: Callable[[_Source], _Fetched]
    secret: str = ""
    project: str = ""
    hosts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Fetched:
    """Credentials, and for how many seconds from now they may be used."""

    value: Any
    lasts_s: float


class Credentials:
    """The credentials that a process holds."""

    def __init__(self) -> None:
        self._held: dict[_Source, tuple[Any, float]] = {}
        self._awaited: dict[_Source, asyncio.Future[_Fetched | VoyagerError]] = {}

    async def of(self, endpoint: Endpoint, secret: str) -> Any:
        """What LiteLLM needs of them to call an endpoint; None: nothing but the secret.

        Raises `UpstreamMisconfigured` where there are none, `UpstreamUnreachable` where nobody gives them,
        and `Unavailable` where too many are being fetched."""
        source = _source(endpoint, secret)
        if source is None:
            return None
        value, until = self._held.get(source, (None, 0.0))
        if time.monotonic() < until:
            return value
        result = await asyncio.shield(self._awaited.get(source) or self._fetch(source))
        if isinstance(result, VoyagerError):
            raise type(result)(*result.args)  # each who waits raises one of its own
        return result.value

    def forget(self, endpoint: Endpoint, secret: str) -> None:
        """The provider refused what is held."""
        if source := _source(endpoint, secret):
            self._held.pop(source, None)

    def _fetch(self, source: _Source) -> asyncio.Future[_Fetched | VoyagerError]:
        if len(self._awaited) >= _MOST_FETCHES:
            raise Unavailable("too many sources of credentials do not answer", "", 5.0)
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[_Fetched | VoyagerError] = loop.create_future()

        def settle(result: _Fetched | VoyagerError) -> None:
            del self._awaited[source]
            if isinstance(result, _Fetched):
                now = time.monotonic()
                # Those of secrets that are no longer used go, too.
                self._held = {known: held for known, held in self._held.items() if held[1] > now}
                self._held[source] = (result.value, now + result.lasts_s)
            answer.set_result(result)

        def run() -> None:
            result = _fetched(source)
            with suppress(RuntimeError):  # the loop is closed: the process ends
                loop.call_soon_threadsafe(settle, result)

        self._awaited[source] = answer
        # Not of a pool: one that nobody answers must not keep the process from ending.
        threading.Thread(target=run, name="credentials", daemon=True).start()
        return answer


def _source(endpoint: Endpoint, secret: str) -> _Source | None:
    provider = endpoint.provider
    if provider.startswith("vertex_ai"):
        return _Source(_google, secret, endpoint.settings.get("vertex_project", ""))
    if provider.startswith("watsonx"):
        return _Source(_ibm, secret, hosts=endpoint.hosts)
    if provider.startswith(("bedrock", "sagemaker")) and endpoint.secret is None:
        return _Source(_amazon)
    return None


def _fetched(source: _Source) -> _Fetched | VoyagerError:
    """In a thread of its own. What an exception says stays behind: it may hold a secret."""
    try:
        return source.fetch(source)
    except VoyagerError as error:
        return error
    except Exception as error:
        # Google's errors come of those of its client.
        if isinstance(error, _NO_ANSWER) or isinstance(error.__cause__, _NO_ANSWER):
            return UpstreamUnreachable(_SILENT)
        log.warning("a model's credentials cannot be had: %s", type(error).__name__)
        return UpstreamMisconfigured("this model's credentials are refused, or this machine has none")


_NO_ANSWER = (OSError, httpx.TransportError)
_SILENT = "whoever gives this model's credentials does not answer"


def _google(source: _Source) -> _Fetched:
    account: Any = None
    if source.secret:
        try:
            account = json.loads(source.secret)
        except ValueError:
            account = None
        if not isinstance(account, dict):
            raise UpstreamMisconfigured("this model's secret is not the JSON of a Google account")
    found: Any
    found, project = VertexBase().load_auth(account, source.project or None)
    expiry: datetime | None = found.expiry
    lasts_s = (expiry.replace(tzinfo=UTC) - datetime.now(UTC)).total_seconds() if expiry else _HELD_S
    return _Fetched((found.token, project), lasts_s - _MARGIN_S if expiry else lasts_s)


def _ibm(source: _Source) -> _Fetched:
    with egress.blocking_client(source.hosts) as client:
        answer = client.post(
            "https://iam.cloud.ibm.com/identity/token",
            data={"grant_type": "urn:ibm:params:oauth:grant-type:apikey", "apikey": source.secret},
            headers={"Accept": "application/json"},
        )
    if answer.status_code >= 500:
        raise UpstreamUnreachable(_SILENT)
    token: Mapping[str, Any] = answer.raise_for_status().json()
    return _Fetched(token["access_token"], float(token["expires_in"]) - _MARGIN_S)


def _amazon(_: _Source) -> _Fetched:
    amazon: Any = BaseAWSLLM()
    found = _find_amazons(amazon)
    if found is None:
        return _Fetched(None, _HELD_S)  # LiteLLM may still have a bearer token
    # A copy that does not renew itself: that blocks while a request is signed.
    frozen = found.get_frozen_credentials()
    copy, _ = amazon._auth_with_aws_session_token(frozen.access_key, frozen.secret_key, frozen.token)
    return _Fetched(copy, _HELD_S)


_find_amazons: Any = BaseAWSLLM.get_credentials

# Of the call that runs.
_OF_CALL: ContextVar[Any] = ContextVar("voyager_credentials", default=None)


def hand_over(value: Any) -> None:
    """Give what `Credentials.of` gave to the LiteLLM that runs in this context."""
    _OF_CALL.set(value)


def _handed(*_: Any, **__: Any) -> Any:
    value = _OF_CALL.get()
    if value is None:
        raise UpstreamMisconfigured("this machine has no identity that the provider accepts")
    return value


async def _handed_async(*_: Any, **__: Any) -> Any:
    return _handed()


def install() -> None:
    """Take the place of what LiteLLM fetches credentials with."""
    amazon: Any = BaseAWSLLM
    amazon.get_credentials = _handed
    google: Any = VertexBase
    google.get_access_token = _handed
    google.get_access_token_async = _handed_async
    ibm: Any = watsonx
    ibm.generate_iam_token = _handed


install()
