"""Credentials that nobody gives hold up nobody else, and no longer than a request's deadline."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from deployments.lanes import credentials
from deployments.lanes.caller import ProviderCaller
from scripts.fake_provider.running import FakeProvider
from tests.support.accounts import google_account
from tests.support.calls import call, model
from voyager_llm.definitions.compiler import compile_model
from voyager_llm.domain.definition import parse
from voyager_llm.domain.model import ModelDefinition
from voyager_llm.errors import Unavailable, UpstreamMisconfigured, UpstreamUnsupported
from voyager_llm.settings import Settings
from voyager_llm.snapshot import CompiledModel

Secret = Callable[[str], dict[str, Any]]


@pytest.fixture
def secret(tmp_path: Path) -> Secret:
    """Makes a secret of a text; returns the authentication that names it."""
    made = 0

    def make(text: str) -> dict[str, Any]:
        nonlocal made
        made += 1
        path = tmp_path / f"s{made}" / "key"
        path.parent.mkdir()
        path.write_text(text)
        return {"authentication": {"type": "api_key", "secret_ref": {"name": f"s{made}", "key": "key"}}}

    return make


@pytest.fixture
async def caller(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[ProviderCaller]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_BEARER_TOKEN_BEDROCK",
                 "GOOGLE_APPLICATION_CREDENTIALS"):  # fmt: skip
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    running = ProviderCaller(Settings(secrets_dir=tmp_path))
    yield running
    await running.close()


@pytest.fixture
def silence(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Every other machine takes connections and never says a word."""
    listening = socket.create_server(("127.0.0.1", 0), backlog=512)
    port, look_up = listening.getsockname()[1], socket.getaddrinfo

    def silent(host: Any, at: Any, *arguments: Any, **named: Any) -> Any:
        is_here = host in ("127.0.0.1", "localhost")
        return look_up(*((host, at) if is_here else ("127.0.0.1", port)), *arguments, **named)

    monkeypatch.setattr(socket, "getaddrinfo", silent)
    yield
    listening.close()


def cloud(provider: str, model_name: str = "m", **fields: Any) -> CompiledModel:
    extra = {
        "vertex_ai": {"vertex_project": "p", "vertex_location": "us-central1"},
        "watsonx": {"project_id": "p"},
    }
    if parameters := extra.get(provider):
        fields["parameters"] = {"extra": parameters}
    definition = {"name": "m", "provider": provider, "model_name": model_name, **fields}
    return compile_model(parse(ModelDefinition, definition))


CLAUDE = "anthropic.claude-3-haiku-20240307-v1:0"


def hanging(name: str, secret: Secret) -> CompiledModel:
    if name == "watsonx":
        at = {"endpoints": {"primary": "https://us-south.ml.cloud.ibm.com"}}
        return cloud("watsonx", "ibm/granite", **at, **secret("a-key"))
    return cloud(name, {"bedrock": CLAUDE, "vertex_ai": "gemini-2.0-flash"}.get(name, "m"))


@pytest.mark.usefixtures("silence")
@pytest.mark.parametrize("name", ["watsonx", "vertex_ai", "bedrock", "sagemaker"])
async def test_a_deadline_holds_where_credentials_never_come(
    caller: ProviderCaller, provider: FakeProvider, secret: Secret, name: str
) -> None:
    of, other = hanging(name, secret), model("o", "custom", "m", provider.profile(f"beside-{name}"))
    await caller.call(call(other))
    longest, last = 0.0, time.monotonic()

    async def watch_the_loop() -> None:
        nonlocal longest, last
        while True:
            await asyncio.sleep(0.01)
            longest, last = max(longest, time.monotonic() - last), time.monotonic()

    watching = asyncio.create_task(watch_the_loop())
    begun = time.monotonic()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(2):
            await asyncio.gather(*(caller.call(call(of)) for _ in range(50)))
    assert time.monotonic() - begun < 4
    await caller.call(call(other))
    watching.cancel()
    assert longest < 1.5, "the event loop went on"


@pytest.mark.usefixtures("silence")
async def test_fetches_are_counted_and_others_are_refused(
    caller: ProviderCaller, provider: FakeProvider, secret: Secret
) -> None:
    at = {"endpoints": {"primary": "https://us-south.ml.cloud.ibm.com"}}
    models = [cloud("watsonx", "ibm/granite", **at, **secret(f"key-{i}")) for i in range(30)]
    other = model("o", "custom", "m", provider.profile("beside-many"))
    before = threading.active_count()
    waiting = [asyncio.create_task(caller.call(call(of))) for of in models * 2]
    done, still = await asyncio.wait(waiting, timeout=1)
    refused = [task.exception() for task in done]
    assert len(refused) == 2 * (30 - 8)
    assert {type(error) for error in refused} == {Unavailable}
    assert sum(thread.name == "credentials" for thread in threading.enumerate()) >= 8
    assert threading.active_count() - before < 20
    await caller.call(call(other))
    for task in still:
        task.cancel()


async def test_a_google_account_becomes_a_token_once(
    caller: ProviderCaller, provider: FakeProvider, secret: Secret
) -> None:
    answer = '{"access_token": "a-token", "expires_in": 3600, "token_type": "Bearer"}'
    tokens = provider.profile("google-tokens", raw=answer)
    at = {"endpoints": {"primary": provider.profile("google-api", raw="{}")}}
    of = cloud("vertex_ai", "gemini-2.0-flash", **at, **secret(google_account(tokens)))
    await asyncio.gather(*(caller.call(call(of)) for _ in range(5)), return_exceptions=True)
    assert provider.seen("google-api")["last_headers"]["authorization"] == "Bearer a-token"
    assert provider.seen("google-tokens")["requests"] == 1


async def test_amazons_identity_of_this_machine_signs(
    caller: ProviderCaller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "an-id")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "a-secret")
    held = await credentials.Credentials().of(cloud("bedrock", CLAUDE).endpoints[0], "")
    assert (held.access_key, held.secret_key) == ("an-id", "a-secret")


def nobody(*_: Any, **__: Any) -> Any:
    raise socket.gaierror(socket.EAI_NONAME, "no such name")


@pytest.mark.parametrize(
    ("name", "model_name", "text"),
    [
        ("bedrock", CLAUDE, ""),
        ("sagemaker", "m", ""),
        ("vertex_ai", "gemini-2.0-flash", ""),
        ("vertex_ai", "gemini-2.0-flash", "no JSON at all"),
        ("vertex_ai", "gemini-2.0-flash", "[]"),
        ("vertex_ai", "gemini-2.0-flash", "{}"),
        ("vertex_ai", "gemini-2.0-flash", "/etc/passwd"),
    ],
)
async def test_missing_credentials_are_our_mistake(
    caller: ProviderCaller,
    monkeypatch: pytest.MonkeyPatch,
    secret: Secret,
    name: str,
    model_name: str,
    text: str,
) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", nobody)
    of = cloud(name, model_name, **(secret(text) if text else {}))
    with pytest.raises(UpstreamMisconfigured, match=r"secret|credentials|identity"):
        await caller.call(call(of))
    with pytest.raises(UpstreamMisconfigured, match=r"secret|credentials|identity"):
        await anext(caller.stream(call(of, stream=True)))


async def test_a_model_that_litellm_does_not_know_is_our_mistake(
    caller: ProviderCaller, provider: FakeProvider, secret: Secret
) -> None:
    answer = '{"access_token": "a-token", "expires_in": 3600, "token_type": "Bearer"}'
    tokens = provider.profile("google-tokens-2", raw=answer)
    of = cloud("vertex_ai", "nobody-knows-it", **secret(google_account(tokens)))
    with pytest.raises(UpstreamUnsupported, match="does not know this model") as refused:
        await caller.call(call(of))
    assert "pip" not in refused.value.message
