"""What clients ask in OpenAI's words reaches each provider in its own, or is refused by the field's name."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.contract.differential.answers import ANSWERS
from tests.contract.differential.comparing import folded
from tests.contract.differential.families import ADAPTER, FAMILIES
from tests.contract.differential.shapes import HELLO, PDF, SHAPES, WAV, WEATHER
from tests.contract.differential.sides import Family, Sides
from tests.hostile.watch import Watch
from tests.support.recorder import Recorder, Reply

CLAUDE, GEMINI, OLLAMA, MISTRAL, COHERE = (
    next(family for family in ADAPTER if family.provider == name)
    for name in ("anthropic", "gemini", "ollama_chat", "mistral", "cohere")
)
HAIKU = next(family for family in ADAPTER if "haiku" in family.model)
SERVER = next(family for family in FAMILIES if family.provider == "hosted_vllm")


async def sent(sides: Sides, family: Family, body: dict[str, Any]) -> Any:
    """What reaches the provider, and nobody else is turned to meanwhile."""
    with Watch() as watch:
        done = await sides.ours(family, body)
    assert watch.look_ups == set()
    assert {host for host, _ in watch.connections} <= {"127.0.0.1"}
    assert done.sent is not None, done.refused
    return done.sent.body


async def refusal(sides: Sides, family: Family, body: dict[str, Any]) -> str:
    with Watch() as watch:
        done = await sides.ours(family, body)
    assert done.sent is None
    assert watch.look_ups == set()
    return done.refused


def parts(*given: dict[str, Any]) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": [{"type": "text", "text": "?"}, *given]}]}


def picture(url: str, **more: Any) -> dict[str, Any]:
    return parts({"type": "image_url", "image_url": {"url": url, **more}})


FULL = {
    "anthropic": ("/v1/messages",),
    "cohere": ("/v2", "/v2/chat"),
    "gemini": ("/v1beta/models", "/v1beta/models/gemini:generateContent"),
    "ollama_chat": ("/api", "/api/chat"),
}
SOUND = parts({"type": "input_audio", "input_audio": {"data": WAV, "format": "wav"}})
FILE = parts(
    {"type": "file", "file": {"filename": "a.pdf", "file_data": f"data:application/pdf;base64,{PDF}"}}
)


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
async def test_every_form_of_an_address_is_called_alike(
    sides: Sides, recorder: Recorder, family: Family
) -> None:
    targets: set[str] = set()
    # OpenAI's protocol begins at /v1 unless a provider of it is known to have it elsewhere.
    forms = ("", "/v1") if family.path == "/v1" or family in ADAPTER else ("",)
    for form in (
        *forms,
        family.path,
        *FULL.get(family.provider, ("/v1/chat/completions",) * ("/v1" in forms)),
    ):
        for slash in ("", "/"):
            done = await sides.ours(replace(family, path=form + slash), {"messages": HELLO})
            assert done.sent is not None, done.refused
            targets.add(done.sent.target)
    assert len(targets) == 1, targets


@pytest.mark.parametrize("family", ADAPTER, ids=lambda family: family.name)
async def test_a_developer_speaks_as_the_system(sides: Sides, family: Family) -> None:
    assert await sent(sides, family, dict(SHAPES["developer"])) == await sent(
        sides, family, dict(SHAPES["system"])
    )


async def test_a_developer_speaks_as_the_system_at_others_who_speak_openais_protocol(sides: Sides) -> None:
    for family in FAMILIES:
        if family not in ADAPTER:
            role = (await sent(sides, family, dict(SHAPES["developer"])))["messages"][0]["role"]
            assert role == ("developer" if family.provider == "openai" else "system")


async def test_a_text_that_names_a_role_is_forwarded_as_it_is(sides: Sides) -> None:
    body = {"messages": [{"role": "user", "content": 'the "developer" said "arguments":""'}]}
    assert (await sent(sides, SERVER, body))["messages"] == body["messages"]


async def test_a_picture_by_address_is_fetched_by_the_provider(sides: Sides) -> None:
    where = "https://pictures.example/a.png"
    claude = await sent(sides, CLAUDE, picture(where))
    assert claude["messages"][0]["content"][1] == {"type": "image", "source": {"type": "url", "url": where}}
    gemini = await sent(sides, GEMINI, picture(where))
    assert gemini["contents"][0]["parts"][1] == {"file_data": {"mime_type": "image/png", "file_uri": where}}
    for family in (MISTRAL, COHERE, SERVER):
        assert (await sent(sides, family, picture(where)))["messages"][0]["content"][1] == {
            "type": "image_url", "image_url": {"url": where},
        }  # fmt: skip


async def test_a_picture_whose_address_does_not_tell_its_kind(sides: Sides) -> None:
    where = "https://pictures.example/a"
    bare = await sent(sides, GEMINI, picture(where))
    assert bare["contents"][0]["parts"][1] == {"file_data": {"file_uri": where}}
    told = await sent(sides, GEMINI, picture(where, format="image/webp"))
    assert told["contents"][0]["parts"][1]["file_data"]["mime_type"] == "image/webp"


async def test_a_file_by_address_is_fetched_by_the_provider(sides: Sides) -> None:
    where = "https://files.example/a.pdf"
    for more in ({}, {"format": "application/pdf"}):
        body = parts({"type": "file", "file": {"file_id": where, **more}})
        claude = await sent(sides, CLAUDE, body)
        assert claude["messages"][0]["content"][1]["source"] == {"type": "url", "url": where}
        gemini = await sent(sides, GEMINI, body)
        assert gemini["contents"][0]["parts"][1]["file_data"]["file_uri"] == where


@pytest.mark.parametrize("family", [CLAUDE, GEMINI, MISTRAL, COHERE, OLLAMA], ids=lambda f: f.provider)
@pytest.mark.parametrize(
    "where",
    ["http://pictures.example/a.png", "file:///etc/passwd", "gs://bucket/a.png", "//pictures.example/a"],
)
async def test_another_address_is_refused_by_name(sides: Sides, family: Family, where: str) -> None:
    assert (await refusal(sides, family, picture(where))).startswith("messages.0.content.1: give pictures")


async def test_sounds_and_files_go_where_they_are_taken(sides: Sides) -> None:
    sound = (await sent(sides, GEMINI, SOUND))["contents"][0]["parts"][1]
    assert sound == {"inline_data": {"mime_type": "audio/wav", "data": WAV}}
    file = (await sent(sides, GEMINI, FILE))["contents"][0]["parts"][1]
    assert file == {"inline_data": {"mime_type": "application/pdf", "data": PDF}}
    source = (await sent(sides, CLAUDE, FILE))["messages"][0]["content"][1]["source"]
    assert source == {"type": "base64", "media_type": "application/pdf", "data": PDF}


@pytest.mark.parametrize(
    ("family", "body"),
    [(CLAUDE, SOUND), (OLLAMA, SOUND), (OLLAMA, FILE), (MISTRAL, SOUND), (COHERE, SOUND), (COHERE, FILE),
     (GEMINI, parts({"type": "video_url", "video_url": {"url": "https://x.example/a.mp4"}}))],
)  # fmt: skip
async def test_what_a_provider_does_not_take_is_refused_by_name(
    sides: Sides, family: Family, body: dict[str, Any]
) -> None:
    assert (await refusal(sides, family, body)).startswith(
        "messages.0.content.1.type: this model's provider takes no parts of type "
    )


@pytest.mark.parametrize("family", [CLAUDE, HAIKU], ids=lambda family: family.model)
@pytest.mark.parametrize("name", [name for name in SHAPES if "json" in name or "format" in name])
async def test_what_litellm_notes_for_itself_is_never_sent(sides: Sides, family: Family, name: str) -> None:
    assert "json_mode" not in await sent(sides, family, dict(SHAPES[name]))


@pytest.mark.parametrize("family", ADAPTER, ids=lambda family: family.name)
async def test_only_what_a_provider_takes_is_sent(sides: Sides, family: Family) -> None:
    body = {"messages": HELLO, "prompt_cache_key": "k", "store": True, "safety_identifier": "x",
            "verbosity": "low", "metadata": {"a": "b"}, "prompt_cache_retention": "24h",
            "prediction": {"type": "content", "content": "x"}}  # fmt: skip
    plain = await sent(sides, family, {"messages": HELLO})
    assert await sent(sides, family, body) == plain


@pytest.mark.parametrize("family", [CLAUDE, OLLAMA, MISTRAL], ids=lambda family: family.provider)
async def test_several_choices_of_a_provider_that_gives_one_are_refused(sides: Sides, family: Family) -> None:
    assert (await refusal(sides, family, {"messages": HELLO, "n": 2})).startswith("n: ")
    await sent(sides, family, {"messages": HELLO, "n": 1})


async def test_a_call_without_arguments_has_an_empty_object(sides: Sides) -> None:
    body = dict(SHAPES["tool call without arguments"])
    called = (await sent(sides, GEMINI, body))["contents"][1]["parts"][0]["function_call"]
    assert called == {"name": "now", "args": {}}
    assert (await sent(sides, OLLAMA, body))["messages"][1]["tool_calls"][0]["function"]["arguments"] == {}
    called = (await sent(sides, SERVER, body))["messages"][1]["tool_calls"][0]["function"]
    assert called == {"name": "now", "arguments": "{}"}


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("name", ["anthropic: functions", "gemini: functions"])
async def test_who_speaks_of_functions_is_answered_with_one(
    sides: Sides, recorder: Recorder, name: str, stream: bool
) -> None:
    given = ANSWERS[name]
    family = CLAUDE if given.provider == "anthropic" else GEMINI
    recorder.reply = given.reply(stream)
    answer = (await sides.ours(family, given.request(stream))).answer
    choice = folded(answer)["choices"][0] if stream else answer["choices"][0]
    called = (choice if stream else choice["message"])["function_call"]
    assert called["name"] == "get_weather"
    assert called["arguments"] in ('{"city": "Paris"}', '{"city":"Paris"}')
    assert choice["finish_reason"] == "function_call"


def _calling(arguments: str) -> dict[str, Any]:
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": arguments}}
    called = {"role": "assistant", "content": None, "tool_calls": [call]}
    return {"messages": [*HELLO, called, {"role": "tool", "tool_call_id": "c", "content": "x"}]}


MISTAKES: list[tuple[Family, dict[str, Any], str]] = [
    (CLAUDE, {"tools": [{"type": "function"}]}, "tools.0.function: must be an object"),
    (CLAUDE, {"tools": [{"type": "function", "function": {"parameters": {}}}]}, "tools: needs functions"),
    (GEMINI, {"tools": [WEATHER], "tool_choice": "sometimes"}, "tool_choice: must be"),
    (CLAUDE, {"response_format": {"type": "json_schema", "json_schema": {"name": "x"}}}, "response_format: "),
    (CLAUDE, {"reasoning_effort": "enormous"}, "reasoning_effort: has no counterpart"),
    (CLAUDE, _calling("{oops"), "messages.1.tool_calls.0.function.arguments: must be the JSON"),
    (GEMINI, _calling("{oops"), "messages.1.tool_calls.0.function.arguments: must be the JSON"),
    (OLLAMA, _calling("{oops"), "messages.1.tool_calls.0.function.arguments: must be the JSON"),
    (CLAUDE, {"messages": [*HELLO, {"role": "tool", "content": "x"}]}, "messages.1.tool_call_id: must name"),
    (GEMINI, {"messages": [{"role": "wizard", "content": "x"}]}, "messages.0.role: must be"),
    (CLAUDE, {"messages": [{"role": "system", "content": "x"}]}, "messages: needs a message of role user"),
    (CLAUDE, picture("abc"), "messages.0.content: must be text, or parts"),
    (GEMINI, picture("abc"), "messages.0.content: must be text, or parts"),
    (CLAUDE, parts({"type": "file", "file": {}}), "messages.0.content: must be text, or parts"),
    (MISTRAL, parts({"type": "image_url"}), "messages.0.content: must be text, or parts"),
]


@pytest.mark.parametrize(("family", "body", "expected"), MISTAKES)
async def test_what_cannot_be_translated_is_named_with_the_reason(
    sides: Sides, family: Family, body: dict[str, Any], expected: str
) -> None:
    for more in ({}, {"stream": True}):
        said = await refusal(sides, family, {"messages": HELLO, **body, **more})
        assert said.startswith(expected)
        assert not any(word in said for word in ("Error", "Exception", "litellm", "LiteLLM"))


async def test_a_provider_that_knows_no_stream_options_is_asked_without_them(
    sides: Sides, recorder: Recorder
) -> None:
    body = {"messages": HELLO, "stream": True, "stream_options": {"include_usage": True}}
    recorder.reply_to = lambda seen: (
        Reply(
            b'{"detail":[{"loc":["body","stream_options"],"msg":"Extra inputs are not permitted"}]}',
            status=422,
        )
        if "stream_options" in seen.body
        else None
    )
    for count in (2, 1):  # remembered
        done = await sides.ours(SERVER, body)
        assert done.refused == ""
        assert folded(done.answer)["choices"][0]["content"] == "Hello from the fake provider"
        assert len(recorder.seen) == count


async def test_another_refusal_of_a_stream_is_not_repeated(sides: Sides, recorder: Recorder) -> None:
    recorder.reply = Reply(b'{"error":{"message":"no"}}', status=400)
    done = await sides.ours(
        SERVER, {"messages": HELLO, "stream": True, "stream_options": {"include_usage": True}}
    )
    assert "no" in done.refused
    assert len(recorder.seen) == 1
