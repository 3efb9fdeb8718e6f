"""What a provider says of a wrong request reaches the client: its words, its parameter and its code."""

from __future__ import annotations

import pickle
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest

from deployments.hop.messages import pack_error, read_error
from deployments.ingress.status import openai_body
from deployments.lanes.caller import ProviderCaller
from scripts.fake_provider.running import FakeProvider
from tests.support.calls import DIALECTS, call, model
from voyager_llm.domain.providers import Lane
from voyager_llm.errors import UpstreamRejected, VoyagerError
from voyager_llm.settings import Settings
from voyager_llm.snapshot import CompiledModel

OPENAI = {
    "error": {"message": "Invalid 'tools[0].function.name': string does not match pattern.",
              "type": "invalid_request_error", "param": "tools[0].function.name", "code": "invalid_value"}
}  # fmt: skip
FASTAPI = {
    "detail": [
        {"type": "extra_forbidden", "loc": ["body", "verbosity"], "msg": "Extra inputs are not permitted"},
        {"type": "less_than", "loc": ["body", "messages", 0, "x"], "msg": "Input should be less than 3"},
    ]
}
SAID: list[tuple[Any, str, str, str]] = [
    (OPENAI, "string does not match pattern", "tools[0].function.name", "invalid_value"),
    (FASTAPI, "verbosity: Extra inputs are not permitted; messages.0.x: Input should", "verbosity",
     "extra_forbidden"),
    ({"object": "error", "message": {"detail": FASTAPI["detail"]}, "code": None}, "Extra inputs", "verbosity",
     "extra_forbidden"),
    ({"detail": "a word of it"}, "a word of it", "", ""),
    ({"detail": ["one", "another"]}, "one; another", "", ""),
    ({"error": {"message": "no", "param": None, "code": None}}, "no", "", ""),
    ({"error": {"message": "no", "param": 5, "code": {"a": 1}}}, "no", "", ""),
]  # fmt: skip


@pytest.fixture
async def caller(tmp_path: Path) -> AsyncIterator[ProviderCaller]:
    running = ProviderCaller(Settings(secrets_dir=tmp_path))
    yield running
    await running.close()


def lane(provider: FakeProvider, name: str, told: Any, status: int) -> CompiledModel:
    kind, model_name, path = DIALECTS["openai" if name == "full" else name]
    raw = orjson.dumps(told).decode()
    base = provider.profile(f"refuses-{name}", status=status, error_raw=raw).removesuffix("/v1")
    of = model(name, kind, model_name, base + path)
    return replace(of, endpoints=(replace(of.endpoints[0], lane=Lane.FULL),)) if name == "full" else of


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("name", [*DIALECTS, "full"])
@pytest.mark.parametrize(("told", "words", "param", "code"), SAID)
async def test_a_refusal_keeps_its_words_its_parameter_and_its_code(
    provider: FakeProvider, caller: ProviderCaller, told: Any, words: str, param: str, code: str, name: str,
    stream: bool,
) -> None:  # fmt: skip
    for status in (400, 422):
        of = lane(provider, name, told, status)
        with pytest.raises(VoyagerError) as caught:
            await (anext(caller.stream(call(of, stream=True))) if stream else caller.call(call(of)))
        error = caught.value
        assert isinstance(error, UpstreamRejected)
        assert words in error.message
        assert (error.field, error.provider_code) == (param, code)
        shown = orjson.loads(openai_body(error, "trace"))["error"]
        assert shown["param"] == (param or None)
        assert shown["code"] == (code or "upstream_rejected")


def test_a_refusal_crosses_processes_whole() -> None:
    error = UpstreamRejected("no", "tools", 0.0, "invalid_value")
    for crossed in (pickle.loads(pickle.dumps(error)), read_error(pack_error(error))):
        assert type(crossed) is UpstreamRejected
        assert (crossed.message, crossed.field, crossed.provider_code) == ("no", "tools", "invalid_value")
