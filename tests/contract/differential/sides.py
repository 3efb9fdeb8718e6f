"""One request, sent by our lane and by `litellm.acompletion`: what each sends and what each makes of the
answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import aiohttp
import orjson

from deployments.lanes import egress
from deployments.lanes.caller import ProviderCaller  # before LiteLLM, which asks the network when it is first
from deployments.lanes.seclusion import seclude
from tests.support.calls import collected, model
from tests.support.recorder import Recorder, Seen
from voyager_llm.domain.completion import Call, StreamEnd
from voyager_llm.domain.operation import Operation
from voyager_llm.errors import VoyagerError
from voyager_llm.settings import Settings

# isort: split
import litellm

KEY = "canary-key"


@dataclass(frozen=True)
class Family:
    """A provider, one of its models, and the path of the address that a definition gives for it."""

    provider: str
    model: str
    path: str
    # What LiteLLM calls the same protocol, where its provider of the name speaks another one.
    theirs: str = ""

    @property
    def name(self) -> str:
        return f"{self.provider}/{self.model}"


@dataclass(frozen=True)
class Done:
    """What a side did. ``answer`` is a whole answer or the chunks of a stream; empty where it failed."""

    sent: Seen | None
    answer: Any = None
    refused: str = ""


class Sides:
    """Both sides, towards one recorder."""

    def __init__(self, secrets: Path, recorder: Recorder) -> None:
        (secrets / "provider-key").mkdir()
        (secrets / "provider-key" / "api_key").write_text(KEY)
        self._caller = ProviderCaller(Settings(secrets_dir=secrets))
        self._session = aiohttp.ClientSession()
        self._recorder = recorder

    async def close(self) -> None:
        await self._caller.close()
        await self._session.close()

    async def ours(self, family: Family, body: Mapping[str, Any]) -> Done:
        call = self._call(family, body)
        self._recorder.seen.clear()
        try:
            if call.stream:
                chunks, end = await collected(self._caller.stream(call))
                return Done(self._sent(), chunks, str(end.error or ""))
            answer = await self._caller.call(call)
            return Done(self._sent(), orjson.loads(answer.body))
        except VoyagerError as error:
            return Done(self._sent(), None, str(error))

    async def raw(self, family: Family, body: Mapping[str, Any]) -> tuple[list[bytes], StreamEnd]:
        """Our blocks of a stream as they are, and its end."""
        blocks = [block async for block in self._caller.stream(self._call(family, body))]
        end = blocks.pop()
        assert isinstance(end, StreamEnd)
        return [block for block in blocks if isinstance(block, bytes)], end

    def _call(self, family: Family, body: Mapping[str, Any]) -> Call:
        auth = {"type": "bearer_token", "secret_ref": {"name": "provider-key", "key": "api_key"}}
        of = model("m", family.provider, family.model, self._recorder.url + family.path, authentication=auth)
        return Call(
            operation=Operation.CHAT,
            endpoint=of.endpoints[0],
            body=orjson.dumps({"model": family.model, **body}),
            stream=bool(body.get("stream")),
            include_usage=bool((body.get("stream_options") or {}).get("include_usage")),
            timeout_s=5.0,
            idle_timeout_s=5.0,
            total_timeout_s=5.0,
        )

    async def theirs(self, family: Family, body: Mapping[str, Any]) -> Done:
        """May reach the recorder and nothing else, and look up no name."""
        seclude()
        egress.give(egress.Grant(("127.0.0.1",), lambda: self._session))
        self._recorder.seen.clear()
        arguments = cast("dict[str, Any]", orjson.loads(orjson.dumps(body)))
        try:
            result: Any = await litellm.acompletion(
                model=f"{family.theirs or family.provider}/{family.model}",
                api_base=self._recorder.url + family.path,
                api_key=KEY,
                max_retries=0,
                **arguments,
            )
            if body.get("stream"):
                streamed = [chunk.model_dump(exclude_none=True) async for chunk in result]
                return Done(self._sent(), streamed)
            return Done(self._sent(), result.model_dump(exclude_none=True))
        except Exception as error:  # whatever LiteLLM raises
            return Done(self._sent(), None, f"{type(error).__name__}: {error}")

    def _sent(self) -> Seen | None:
        return self._recorder.seen[0] if self._recorder.seen else None
