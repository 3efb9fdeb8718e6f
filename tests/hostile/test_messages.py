"""Nothing in a message or a parameter makes a lane look a name up, connect anywhere, or open a file.

A message's fields are those that the installed LiteLLM reads, so a new version shows here what it added. Each
is given addresses in every shape that something might fetch, in a message of every role, at every provider
whose requests are translated; so are the parameters that hold objects.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from pathlib import Path
from random import Random, sample
from typing import Any

import litellm
import pytest

from deployments.lanes import credentials
from deployments.lanes.caller import ProviderCaller
from deployments.lanes.dialects import dialect
from deployments.lanes.media import restrict_messages
from deployments.lanes.seclusion import secluded
from scripts.fake_provider.running import FakeProvider
from tests.hostile.litellm_names import message_fields
from tests.hostile.watch import Watch
from tests.support.accounts import google_account
from tests.support.calls import call
from voyager_llm.definitions.compiler import compile_model
from voyager_llm.domain.definition import parse
from voyager_llm.domain.messages import check_messages
from voyager_llm.domain.model import ModelDefinition
from voyager_llm.domain.providers import PROVIDERS, Lane, reaches
from voyager_llm.errors import InvalidArgument, VoyagerError
from voyager_llm.settings import Settings
from voyager_llm.snapshot import CompiledModel

# Models of every provider that translates; several where LiteLLM has several ways to translate for one.
MODELS: dict[str, tuple[str, ...]] = {
    **{name: ("m",) for name, of in PROVIDERS.items() if of.lane is not Lane.WIRE},
    "anthropic": ("claude-haiku-4-5-20251001",),
    "azure": ("gpt-4o",),
    "azure_ai": ("some-model", "claude-haiku-4-5"),
    "bedrock": ("anthropic.claude-3-haiku-20240307-v1:0", "invoke/anthropic.claude-3-haiku-20240307-v1:0",
                "invoke/mistral.mistral-7b", "amazon.nova-pro-v1:0"),
    "cohere": ("command-r",),
    "databricks": ("dbrx", "databricks-claude-sonnet-4"),
    "gemini": ("gemini-2.0-flash",),
    "mistral": ("mistral-small",),
    "ollama_chat": ("llama3.1",),
    "replicate": ("meta/llama",),
    "vertex_ai": ("gemini-2.0-flash", "claude-3-5-sonnet@20240620", "mistral-large@2411", "meta/llama3-405b"),
    "watsonx": ("ibm/granite", "mistralai/mistral-large"),
}  # fmt: skip
CASES = [(name, model_name) for name, models in sorted(MODELS.items()) for model_name in models]
# Fields that adapters see, or that are known and kept from them.
KNOWN = frozenset(
    {"name", "tool_call_id", "tool_calls", "function_call", "images", "audio", "cache_control",
     "thinking_blocks", "provider_specific_fields", "reasoning_content", "prefix", "annotations", "refusal"}
)  # fmt: skip
# Of requests to a provider where each goes through all of LiteLLM: others in each run.
SAMPLE = 60
ROLES = ("user", "assistant", "system", "developer", "tool", "function")
ADDRESS = "http://canary.example/a.png"


@pytest.fixture
def bait(tmp_path: Path) -> Path:
    path = tmp_path / "bait.png"
    path.write_text("canary-in-a-file")
    return path


@pytest.fixture
async def caller(
    tmp_path: Path, provider: FakeProvider, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[ProviderCaller]:
    answer = '{"access_token": "a-token", "expires_in": 3600, "token_type": "Bearer"}'
    for name, text in (
        ("a", "canary-key"),
        ("google", google_account(provider.profile("tokens", raw=answer))),
    ):
        path = tmp_path / "secrets" / name / "key"
        path.parent.mkdir(parents=True)
        path.write_text(text)
    # In IBM's place, whose address is fixed.
    monkeypatch.setattr(credentials, "_ibm", lambda _: credentials._Fetched("a-token", 300))
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "an-id")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "a-secret")
    running = ProviderCaller(Settings(secrets_dir=tmp_path / "secrets"))
    yield running
    await running.close()


def at(provider: FakeProvider, name: str, model_name: str) -> CompiledModel:
    fields: dict[str, Any] = {"endpoints": {"primary": provider.profile(f"said-{name}")}}
    if PROVIDERS[name].key_argument:
        secret = {"name": "google" if name.startswith("vertex_ai") else "a", "key": "key"}
        fields["authentication"] = {"type": "api_key", "secret_ref": secret}
    else:
        fields.pop("endpoints")  # this machine's identity goes to its cloud alone
    extra = {
        "vertex_ai": {"vertex_project": "p", "vertex_location": "us-central1"},
        "watsonx": {"project_id": "p"},
    }
    fields["parameters"] = {"extra": extra.get(name.removesuffix("_beta").removesuffix("_text"), {})}
    return compile_model(
        parse(ModelDefinition, {"name": "m", "provider": name, "model_name": model_name, **fields})
    )


CALLED = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}


def around(message: dict[str, Any]) -> list[dict[str, Any]]:
    """A conversation in which the message may stand."""
    asked = {"role": "user", "content": "hi"}
    if message["role"] in ("tool", "function"):
        answer = {"tool_call_id": "c", "name": "f", **message}
        return [asked, {"role": "assistant", "content": None, "tool_calls": [CALLED]}, answer, asked]
    return [asked, message, asked] if message["role"] == "assistant" else [message]


def shapes(where: str) -> list[Any]:
    part = {"type": "image_url", "image_url": {"url": where}}
    return [[part], part, where, [where], {"url": where}, [{"image_url": where}], [{"type": "file", "file": {
        "file_id": where}}], [{"type": "image", "source": {"type": "url", "url": where}}]]  # fmt: skip


def parts(where: str) -> list[dict[str, Any]]:
    """Parts of a content that might be fetched, and some that only might be taken for one that may."""
    bare = where.removeprefix("http://")
    image = {"type": "image_url", "image_url": {"url": where}}
    addresses = [where, bare, "//" + bare, "hTTp:/\t/" + bare, "\u200b" + where, "data:" + where,
                 "www." + bare, "data:image/png;base64," + where]  # fmt: skip
    return [
        *({"type": "image_url", "image_url": {"url": one}} for one in addresses),
        *({"type": kind, kind: {key: where, "format": "image/png"}} for kind in
          ("image_url", "file", "input_audio", "video_url", "document", "image", "media", "audio_url")
          for key in ("url", "URL", "file_id", "file_data", "file_url", "data", "filename", "uri")),
        {"type": "text", "text": "x", "image_url": {"url": where}},
        {"type": "text", "text": "x", "images": [where]},
        {"type": "text", "text": where},
        {"type": "tool_result", "tool_use_id": "c", "content": [image]},
        {"type": "tool_result", "content": [{"type": "image", "source": {"type": "url", "url": where}}]},
        {"type": "document", "source": {"type": "content", "content": [image]}},
        {"type": "container_upload", "file_id": where},
        {"type": "search_result", "source": where, "content": [{"type": "text", "text": where}]},
        {"type": "guarded_text", "text": where},
        {"type": "media", "file_uri": where, "mime_type": "image/png"},
        {"type": "IMAGE_URL", "image_url": {"url": where}},
        {"type": "thinking", "thinking": where, "signature": where},
    ]  # fmt: skip


def texts(where: str) -> list[str]:
    image = json.dumps([{"type": "image_url", "image_url": {"url": where}}])
    return [where, image, f"![x]({where})", f"[IMG]{where}[/IMG]", f'<img src="{where}">']


def messages(where: str) -> Iterator[dict[str, Any]]:
    """Known fields alone, in every shape; the others many at a time, since adapters do not get them."""
    fields = sorted(message_fields() - {"role", "content"})
    known = [name for name in fields if name in KNOWN]
    for role in ROLES:
        for said in (*texts(where), *([part] for part in parts(where))):
            yield {"role": role, "content": said}
        for name, shape in itertools.product(known, shapes(where)):
            yield {"role": role, "content": "x", name: shape}
        call_with_more = {
            **CALLED,
            "image_url": where,
            "function": {"name": "f", "arguments": json.dumps({"u": where})},
        }
        yield {
            "role": role,
            "content": "x",
            "tool_calls": [call_with_more],
            "function_call": {"arguments": where},
        }
        for seed, shape in enumerate(shapes(where)):
            mixed = Random(seed).sample(fields, len(fields))
            for i in range(0, len(mixed), 64):
                yield {"role": role, "content": "x", **dict.fromkeys(set(mixed[i : i + 64]) - KNOWN, shape)}


def test_the_fields_are_read_out_of_litellm() -> None:
    assert {"content", "images", "tool_calls", "thinking_blocks", "reasoning_content"} <= message_fields()
    assert len(message_fields()) > 60


@pytest.mark.parametrize(("name", "model_name"), CASES)
async def test_nothing_in_a_message_is_fetched(
    caller: ProviderCaller, provider: FakeProvider, bait: Path, name: str, model_name: str
) -> None:
    of = at(provider, name, model_name)
    with suppress(VoyagerError):  # LiteLLM reads files of its own the first time
        await caller.call(call(of))
    tried = chosen(name, [message for where in (ADDRESS, str(bait)) for message in messages(where)])
    with Watch() as watch:
        for message in tried:
            with suppress(VoyagerError):
                check_messages(around(message))
                await caller.call(call(of, messages=around(message)))
    nothing_left(watch, of, bait)
    assert "canary-in-a-file" not in json.dumps(provider.seen(f"said-{name}"))


def chosen(name: str, tried: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return sample(tried, SAMPLE) if PROVIDERS[name].lane is Lane.FULL else tried


def nothing_left(watch: Watch, of: CompiledModel, bait: Path) -> None:
    hosts = of.endpoints[0].hosts
    assert {host for host in watch.look_ups if not reaches(host, hosts)} == set()
    assert {at for at in watch.connections if at[0] != "127.0.0.1"} == set()
    assert str(bait) not in watch.files


def parameters(where: str) -> Iterator[dict[str, Any]]:
    """The parameters that hold objects, with addresses wherever one might be obeyed."""
    for name in ("api_base", "base_url", "url", "api_key", "langfuse_host", "callbacks", "datastore"):
        for parameter in ("metadata", "web_search_options", "thinking", "prediction", "audio", "logit_bias"):
            yield {parameter: {name: where, "type": "enabled", "format": "wav", "content": where}}
        yield {"response_format": {"type": "json_object", "response_schema": {"$ref": where}, name: where}}
    schema = {"type": "object", "$ref": where, "properties": {"a": {"$ref": where + "#/x"}}}
    yield {"response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}}
    function = {"name": "f", "description": where, "parameters": schema}
    yield {"functions": [function], "function_call": {"name": where}}
    yield {
        "tools": [{"type": "function", "function": function}],
        "tool_choice": {"function": {"name": where}},
    }
    for tool in (
        {"type": "file_search", "vector_store_ids": [where], "api_base": where},
        {"type": "web_search", "search_tool_name": where},
        {"type": "web_search_20250305", "name": "web_search"},
        {"type": "code_interpreter", "container": {"type": "auto", "file_ids": [where]}},
        {"type": "computer_20241022", "name": "c", "display_width_px": 1, "display_height_px": 1},
        {"type": "url", "url": where, "name": "x"}, {"googleSearch": {}}, {"url_context": {}},
        {"retrieval": {"vertex_ai_search": {"datastore": where}}}, {"type": "mcp", "server_url": where},
    ):  # fmt: skip
        yield {"tools": [tool]}


@pytest.mark.parametrize(("name", "model_name"), CASES)
async def test_nothing_in_a_parameter_is_fetched(
    caller: ProviderCaller, provider: FakeProvider, bait: Path, name: str, model_name: str
) -> None:
    of = at(provider, name, model_name)
    with suppress(VoyagerError):
        await caller.call(call(of))
    tried = chosen(name, [given for where in (ADDRESS, str(bait)) for given in parameters(where)])
    with Watch() as watch:
        for given in tried:
            with suppress(VoyagerError):
                await caller.call(call(of, **given))
    nothing_left(watch, of, bait)
    assert "canary-in-a-file" not in json.dumps(provider.seen(f"said-{name}"))


async def test_litellm_itself_looks_nothing_up() -> None:
    """Even where a message that we would refuse gets so far."""
    image = {"type": "image_url", "image_url": {"url": ADDRESS}}
    spoken = dialect("gemini", "gemini-2.0-flash")
    with Watch() as watch:
        for message in (
            {"role": "assistant", "content": "x", "images": [image]},
            {"role": "user", "content": [image]},
        ):
            body = {"messages": around(message)}
            with pytest.raises(Exception, match="fetch"):
                spoken.outgoing("gemini-2.0-flash", "http://127.0.0.1:1", "k", body, False)
            with secluded(), pytest.raises(Exception, match="fetch"):
                await litellm.acompletion("gemini/gemini-2.0-flash", around(message), api_key="k")
    assert watch.look_ups == set()


# Whole answers, as SDKs put them into the next request.
SENT_BACK: list[dict[str, Any]] = [
    {"role": "assistant", "content": "x", "refusal": None, "annotations": [], "audio": None,
     "function_call": None, "tool_calls": None, "parsed": None},
    {"role": "assistant", "content": "x", "annotations": [{"type": "url_citation", "url_citation": {
        "url": ADDRESS, "title": "x", "start_index": 0, "end_index": 1}}]},
    {"role": "assistant", "content": "x", "reasoning": "http: a scheme", "reasoning_details": [
        {"type": "reasoning.text", "text": "x", "signature": "y"}], "images": [
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,aGk="}}]},
    {"role": "assistant", "content": "x", "provider_specific_fields": {"citations": [[{"url": ADDRESS}]]},
     "reasoning_content": "Note: it depends", "executed_tools": [], "search_results": [{"url": ADDRESS}]},
    {"role": "assistant", "content": None, "audio": {"id": "audio_1"}},
    {"role": "assistant", "content": "x", "prefix": True},
    {"role": "assistant", "content": None, "tool_calls": [
        {**CALLED, "function": {"name": "f", "arguments": ADDRESS, "parsed_arguments": {"u": ADDRESS}}}]},
]  # fmt: skip


@pytest.mark.parametrize("sent", SENT_BACK, ids=range(len(SENT_BACK)))
def test_what_clients_send_back_is_taken(sent: dict[str, Any]) -> None:
    conversation = around(sent)
    check_messages(conversation)
    body: dict[str, Any] = {"messages": conversation}
    restrict_messages(body)
    seen = body["messages"][1]
    assert seen["content"] == sent["content"]
    assert seen.keys() <= {"role", "content", *KNOWN}


@pytest.mark.parametrize(
    "field", ["images", "tool_calls", "thinking_blocks", "function_call", "cache_control"]
)
@pytest.mark.parametrize(
    "where", [ADDRESS, "file:///etc/passwd", "gs://bucket/x", "//canary.example", " http://x"]
)
def test_an_address_in_a_message_is_refused_by_name(field: str, where: str) -> None:
    held: Any = {"image_url": {"url": where}}
    message = {"role": "assistant", "content": "x", field: held if field.endswith("l") else [held]}
    with pytest.raises(InvalidArgument, match=rf"^messages\.1\.{field}: "):
        restrict_messages({"messages": around(message)})


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("role", 5), ("role", "x" * 2000), ("content", 5), ("content", [{"type": "text", "text": 5}]),
        ("name", 5), ("tool_calls", "x"), ("tool_calls", [5]), ("tool_calls", [{}] * 2000),
        ("tool_call_id", []), ("function_call", "x"), ("images", "x"), ("images", [{}] * 2000),
        ("thinking_blocks", {}), ("reasoning_content", 5), ("provider_specific_fields", []), ("prefix", "x"),
        ("cache_control", "x"), ("audio", "x"), ("refusal", {}),
    ],
)  # fmt: skip
def test_a_known_field_has_its_type_and_bound(field: str, value: Any) -> None:
    with pytest.raises(InvalidArgument, match=r"^messages\.0(\.|:)"):
        check_messages([{"role": "assistant", "content": "x", field: value}])
