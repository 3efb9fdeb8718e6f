"""One contract for every way to a caller and to a renderer: in process, and over the direct path."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
import uvloop

from deployments.hop.renderer import DirectRenderer
from deployments.hop.services import RendererService
from deployments.lanes.caller import ProviderCaller
from deployments.prompt_renderer import LocalRenderer
from scripts.fake_provider.running import FakeProvider
from tests.support.calls import call, collected, model, streamed_text
from tests.support.certificates import rays_tls
from tests.support.hop import (
    ELSEWHERE,
    HERE,
    SETTINGS,
    WITH_NODES,
    Reached,
    Replica,
    direct,
    until,
)
from voyager_llm.domain.prompt import PromptDefinition
from voyager_llm.errors import (
    InvalidArgument,
    StreamInterrupted,
    UpstreamRateLimited,
)
from voyager_llm.ports import Caller, Renderer
from voyager_llm.templating.render import Rendered

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.fixture(scope="module")
def event_loop_policy() -> asyncio.AbstractEventLoopPolicy:
    """Replicas run on uvloop, whose transports differ from asyncio's."""
    return uvloop.EventLoopPolicy()


@pytest_asyncio.fixture(loop_scope="module", params=["in process", "unix", "tcp", "tls"])
async def caller(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Caller]:
    stage = ProviderCaller(SETTINGS)
    if request.param == "tls":
        for name, value in rays_tls(tmp_path).items():
            monkeypatch.setenv(name, value)
    if request.param == "in process":
        yield stage
    else:
        node, given = (HERE, SETTINGS) if request.param == "unix" else (ELSEWHERE, WITH_NODES)
        async with direct(stage, node=node, settings=given) as (found, _, through_serve, _):
            yield found
        assert through_serve.calls == 0
    await stage.close()


async def test_it_is_the_event_loop_of_replicas() -> None:
    assert type(asyncio.get_running_loop()).__module__.startswith("uvloop")


async def test_a_call_is_answered(caller: Caller, provider: FakeProvider) -> None:
    of = model("m", "custom", "fake", provider.profile("hop"))
    answer = await caller.call(call(of))
    assert b"Hello from the fake provider" in answer.body
    assert answer.usage is not None
    assert answer.usage.output_tokens > 0
    many = await asyncio.gather(*(caller.call(call(of)) for _ in range(50)))
    assert {each.body for each in many} == {answer.body}


async def test_an_error_is_raised_as_it_is(caller: Caller, provider: FakeProvider) -> None:
    of = model("m", "custom", "fake", provider.profile("hop-429", status=429, retry_after="7"))
    for work in (caller.call(call(of)), anext(caller.stream(call(of, stream=True)))):
        with pytest.raises(UpstreamRateLimited) as raised:
            await work
        assert raised.value.retry_after_s == 7


async def test_a_stream_comes_whole_with_its_end(caller: Caller, provider: FakeProvider) -> None:
    of = model("m", "custom", "fake", provider.profile("hop-stream", tokens=200))
    chunks, end = await collected(caller.stream(call(of, stream=True)))
    assert end.error is None
    assert end.usage is not None
    assert len(chunks) == 201
    assert streamed_text(chunks).startswith("Hello from the fake provider")


async def test_a_fault_after_the_first_block_stands_in_the_end(
    caller: Caller, provider: FakeProvider
) -> None:
    of = model("m", "custom", "fake", provider.profile("hop-cut", tokens=9, truncate_after=3))
    chunks, end = await collected(caller.stream(call(of, stream=True)))
    assert chunks
    assert isinstance(end.error, StreamInterrupted)


async def test_a_stream_that_is_closed_is_cancelled_at_the_provider(
    caller: Caller, provider: FakeProvider
) -> None:
    base = provider.profile("hop-close", tokens=100_000, token_delay_s=0.01)
    before = provider.seen("hop-close")["aborted"]
    async with aclosing(caller.stream(call(model("m", "custom", "fake", base), stream=True))) as blocks:
        await anext(blocks)
    await until(lambda: provider.seen("hop-close")["aborted"] == before + 1, "the provider notices")


async def test_a_call_that_is_cancelled_is_cancelled_at_the_provider(
    caller: Caller, provider: FakeProvider
) -> None:
    of = model("m", "custom", "fake", provider.profile("hop-hang", hang=True))
    before = provider.seen("hop-hang")
    task = asyncio.create_task(caller.call(call(of)))
    await until(lambda: provider.seen("hop-hang")["requests"] == before["requests"] + 1, "it is called")
    task.cancel()
    await until(lambda: provider.seen("hop-hang")["aborted"] == before["aborted"] + 1, "it notices")
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_probe_is_answered(caller: Caller, provider: FakeProvider) -> None:
    await caller.probe(model("m", "custom", "fake", provider.profile("hop")).endpoints[0])


@pytest_asyncio.fixture(loop_scope="module", params=["in process", "unix"])
async def renderer(request: pytest.FixtureRequest) -> AsyncIterator[Renderer]:
    local = LocalRenderer()
    if request.param == "in process":
        yield local
        return
    replica = await Replica(RendererService(local)).start()
    reached = Reached()
    await reached.listed(replica)
    yield DirectRenderer(reached.peers, NoOtherWay())
    await reached.announced({})
    await replica.server.drain()


class NoOtherWay:
    """A handle that must not be used."""

    async def render(self, prompt: PromptDefinition, variables: Mapping[str, Any], texts: bool) -> Rendered:
        raise AssertionError("went over the handle")


PROMPT = PromptDefinition.model_validate(
    {
        "name": "greet",
        "version": "1.0.0",
        "messages": [
            {"role": "system", "content": "Be {{ mood }}."},
            {"role": "user", "content": "Say {{ words | join(', ') }} {{ n }} times."},
        ],
        "parameters": [
            {"name": "mood", "default": "kind"},
            {"name": "words", "type": "list", "required": True},
            {"name": "n", "type": "integer", "default": 2},
        ],
    }
)


async def test_a_prompt_is_rendered(renderer: Renderer) -> None:
    for texts, words in ((False, ["a", "ö\n"]), (True, '["a", "ö\\n"]')):
        found = await renderer.render(PROMPT, {"words": words}, texts)
        assert [m.content for m in found.messages] == ["Be kind.", "Say a, ö\n 2 times."]
        assert found.variables == {"mood": "kind", "words": ["a", "ö\n"], "n": 2}


async def test_variables_that_do_not_fit_are_told(renderer: Renderer) -> None:
    with pytest.raises(InvalidArgument) as raised:
        await renderer.render(PROMPT, {"words": 1}, False)
    assert raised.value.field == "variables.words"
