"""A call reaches its endpoint and nothing else: no redirect, no other name, no address behind a name."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import litellm
import orjson
import pytest

from deployments.lanes import egress
from deployments.lanes.caller import ProviderCaller
from scripts.fake_provider.running import FakeProvider
from tests.hostile.test_parameters import MODELS, REQUESTS
from tests.hostile.watch import Watch
from tests.support.calls import call, model
from voyager_llm.definitions.compiler import compile_model
from voyager_llm.domain.definition import parse
from voyager_llm.domain.model import ModelDefinition
from voyager_llm.domain.providers import PROVIDERS
from voyager_llm.errors import InvalidArgument, UpstreamMisconfigured, VoyagerError
from voyager_llm.settings import Settings
from voyager_llm.snapshot import CompiledModel

AUTH = {"type": "bearer_token", "secret_ref": {"name": "provider-key", "key": "api_key"}}


@pytest.fixture
async def caller(tmp_path: Path) -> AsyncIterator[ProviderCaller]:
    secret = tmp_path / "provider-key" / "api_key"
    secret.parent.mkdir()
    secret.write_text("canary-key")
    running = ProviderCaller(Settings(secrets_dir=tmp_path))
    yield running
    await running.close()


async def everything(caller: ProviderCaller, of: CompiledModel) -> list[VoyagerError]:
    """Each operation, a stream and a probe; the errors that they end with."""
    found: list[VoyagerError] = []
    for operation, request in REQUESTS.items():
        body = orjson.dumps({"model": of.endpoints[0].model_name, **request})
        try:
            await caller.call(replace(call(of), operation=operation, body=body))
        except VoyagerError as error:
            found.append(error)
    try:
        async for _ in caller.stream(call(of, stream=True)):
            pass
    except VoyagerError as error:
        found.append(error)
    with suppress(VoyagerError):
        await caller.probe(of.endpoints[0])
    return found


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("name", MODELS)
async def test_no_redirect_is_followed(
    caller: ProviderCaller, provider: FakeProvider, name: str, status: int
) -> None:
    kind, model_name, path = MODELS[name]
    thief = provider.profile(f"thief-{name}")
    base = provider.profile(f"moved-{name}", redirect_to=thief, redirect_status=status).removesuffix("/v1")
    errors = await everything(caller, model("m", kind, model_name, base + path, authentication=AUTH))
    assert errors
    assert provider.seen(f"thief-{name}")["requests"] == 0


@pytest.mark.parametrize("name", MODELS)
async def test_a_name_for_a_link_local_address_is_not_connected_to(
    caller: ProviderCaller, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Looked up at each connection, so that a name cannot change its meaning after it was defined."""

    def link_local(host: Any, port: Any, *_: Any, **__: Any) -> list[Any]:
        if host != "rebound.example":
            raise socket.gaierror(socket.EAI_NONAME, "no such name")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("169.254.169.254", int(port or 80)))]

    monkeypatch.setattr(socket, "getaddrinfo", link_local)
    kind, model_name, path = MODELS[name]
    of = model("m", kind, model_name, "http://rebound.example" + path, authentication=AUTH)
    with Watch() as watch:
        async with asyncio.timeout(60):
            errors = await everything(caller, of)
    assert errors
    assert watch.connections == set()


@pytest.mark.parametrize(
    "model_name",
    [
        "arn:aws:bedrock:evil.example/:123:inference-profile/x",
        "arn:aws:bedrock:evil.example@:123:application-inference-profile/x",
        "evil.example/anthropic.claude-3-haiku-20240307-v1:0",
        "us-east-1/arn:aws:bedrock:evil.example:123:custom-model/x",
        "agent/x/y",
        "agentcore/arn:aws:bedrock-agentcore:evil.example:1:runtime/x",
        "converse/us-gov-west-1/x",
    ],
)
async def test_a_models_name_makes_no_host(
    caller: ProviderCaller, monkeypatch: pytest.MonkeyPatch, model_name: str
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "id")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    for auth in ({}, {"authentication": AUTH}):
        of = compile_model(
            parse(ModelDefinition, {"name": "m", "provider": "bedrock", "model_name": model_name, **auth})
        )
        with Watch() as watch:
            await everything(caller, of)
        assert all(host.endswith(".amazonaws.com") for host in watch.look_ups)


@pytest.mark.parametrize("name", sorted(name for name, of in PROVIDERS.items() if of.hosts))
def test_the_machines_own_identity_goes_to_its_cloud_alone(name: str) -> None:
    fields = {"name": "m", "provider": name, "model_name": "x"}
    with pytest.raises(InvalidArgument, match=r"needs authentication|takes no authentication|own identity"):
        parse(ModelDefinition, {**fields, "endpoints": {"primary": "https://evil.example"}})
    inside = "https://vpce-1.bedrock-runtime.eu-west-1.vpce" + PROVIDERS[name].hosts[0]
    parse(ModelDefinition, {**fields, "endpoints": {"primary": inside}})


async def test_without_a_grant_litellms_client_reaches_nobody(provider: FakeProvider) -> None:
    egress.give(egress.Grant((), lambda: pytest.fail("nothing may be sent")))
    url = provider.profile("ungranted")
    with pytest.raises(UpstreamMisconfigured):
        await litellm.module_level_aclient.client.get(url)
    with pytest.raises(UpstreamMisconfigured):
        litellm.module_level_client.client.get(url)
    assert provider.seen("ungranted")["requests"] == 0
    assert isinstance(litellm.module_level_client.client, httpx.Client)


def test_a_fresh_process_has_no_client_of_litellms_without_a_guard() -> None:
    """LiteLLM makes some of its clients while it is imported, before anything of ours can run."""
    look = (
        "import gc, deployments.lanes.caller\n"
        "from litellm.llms.custom_httpx.http_handler import AsyncHTTPHandler, HTTPHandler\n"
        "found = [o for o in gc.get_objects() if isinstance(o, (AsyncHTTPHandler, HTTPHandler))]\n"
        "assert len(found) > 2\n"
        "print({type(o.client._transport).__module__ for o in found})\n"
    )
    seen = subprocess.run([sys.executable, "-c", look], capture_output=True, text=True, check=True).stdout
    assert seen.strip() == "{'deployments.lanes.egress'}"
